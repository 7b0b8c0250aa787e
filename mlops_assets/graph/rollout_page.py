"""The course of a rollout as Dagster keeps and shows it: decisions in order, who answered what share, on what proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.versions import record_version
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.stores.serving.rollouts import Rollouts

_SCHEMA = pa.schema(
    [("epoch", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("decision", pa.string()), ("stage", pa.string()),
     ("share", pa.float64()), ("who", pa.string()), ("why", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What happened to one version: each decision since it was nominated, and where it stood after it.

    `rows` have the fields of the table `decisions`; `judgements` what was certified at each step up.
    """

    version_number: int
    stage: Stage
    rows: Sequence[Mapping[str, Any]]
    judgements: Sequence[Mapping[str, Any]]
    plan: Mapping[str, Any]
    sentence: str

    @property
    def version(self) -> str:
        """64 hexadecimal characters: of everything that was decided."""
        return record_version({"rows": [{**row, "at": row["at"].isoformat()} for row in self.rows]})


def course_of(rollouts: Rollouts, version: int) -> Course:
    """The course of a version by the events as they are now; IDLE where it was never nominated."""
    events, use_case = rollouts.events(), rollouts.use_case
    standing, rows, judged, plan = Standing.start(use_case), [], [], {}
    stage = Stage.IDLE
    for event in events:
        before, standing = standing.row, standing.after(event)
        if not _concerns(event, version, before.challenger, before.champion, standing.row.champion):
            continue
        stage = _stage(event, version, before.challenger, standing.row.stage, stage)
        share = standing.row.share if version == standing.row.challenger else float(version == standing.row.champion)
        at = datetime.fromtimestamp(event.at_us / 1_000_000, UTC)
        rows.append({"epoch": event.epoch, "at": at, "decision": event.kind.value, "stage": stage.value,
                     "share": share, "who": event.who, "why": event.why})  # fmt: skip
        certificate: Any = event.facts.get("certificate")
        if certificate and before.challenger == version:
            judged.append({"epoch": event.epoch, "judgement": certificate["judgement"]})
        if event.kind in (Kind.OPENED, Kind.QUEUED) and event.facts["version"] == version:
            plan = dict(event.facts["terms"])  # type: ignore[call-overload]  # a JSON object
    sentence = f"{rows[-1]['decision']}: {rows[-1]['why']}" if rows else "not nominated: it fell short at the gate."
    return Course(version, stage, rows, judged, plan, sentence)


def _concerns(event: Event, version: int, challenger: int | None, champion: int, after: int) -> bool:
    """True for a decision about a version: as challenger, as one that waits, or as the champion that leaves."""
    if event.kind in (Kind.OPENED, Kind.QUEUED):
        return event.facts["version"] == version
    if event.kind is Kind.SUPERSEDED:
        return version in event.facts["versions"]  # type: ignore[operator]  # a list of numbers
    return challenger == version or (champion == version != after)


def _stage(event: Event, version: int, challenger: int | None, now: Stage, before: Stage) -> Stage:
    if challenger == version or event.kind is Kind.OPENED:
        return now
    return Stage.ROLLED_BACK if event.kind is Kind.RESTORED else before


def make(use_case: UseCase, course: Course) -> Artifact:
    """The course as an artifact: `decisions`, one row each; what was certified; the plan it ran under; a picture."""
    table = pa.Table.from_pylist([dict(row) for row in course.rows], _SCHEMA)
    state = {"use_case": use_case.name, "version": course.version_number, "stage": course.stage.value,
             "sentence": course.sentence, "plan": dict(course.plan), "certified": list(course.judgements)}  # fmt: skip
    return Artifact(tables={"decisions": table}, records={"state": state})


def rollout_metadata(made: Artifact, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What stands on the page of a week's rollout."""
    state, decisions = made.records["state"], made.tables["decisions"]
    certified = state["certified"][-1]["judgement"] if state["certified"] else None
    shown: dict[str, Any] = {
        "version": entry["candidate"],
        "verdict": state["stage"],
        "in words": state["sentence"],
        "decisions": showing.records({**row, "at": f"{row['at']:%Y-%m-%d %H:%M:%S}Z"} for row in decisions.to_pylist()),
        "dagster/row_count": decisions.num_rows,
    }
    if certified:
        shown["certified last"] = certified["sentence"]
        shown["measures"] = showing.records(map(_measure, certified["measures"]))
    return shown


def _measure(told: Mapping[str, Any]) -> dict[str, Any]:
    """In few columns: each takes room from the words."""
    return {name: told[name] for name in ("name", "verdict", "count", "champion", "challenger", "sentence")}

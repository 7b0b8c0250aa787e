"""The course of a rollout as Dagster keeps and shows it: decisions in order, who answered what share, on what proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.plots.rollout import evidence_svg, loss_svg, share_svg
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.quality import blocks_told, last_look
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.terms import Terms, terms_of
from mlops_assets.core.rollout.words import Stage
from mlops_assets.core.versions import record_version
from mlops_assets.declare import UseCase
from mlops_assets.graph import showing
from mlops_assets.stores.serving.rollouts import Rollouts

_JUDGED = (Stage.SHADOW, Stage.CANARY, Stage.SOAK)
_SCHEMA = pa.schema(
    [("epoch", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("decision", pa.string()), ("stage", pa.string()),
     ("share", pa.float64()), ("who", pa.string()), ("why", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What happened to one version: each decision since it was nominated, and where it stood after it.

    `rows` have the fields of the table `decisions`; `judged` is what was said at each decision that was judged;
    `now` what the evidence says since, `blocks` and `look` are of its quality so far; `terms` are those it ran under.
    """

    version_number: int
    stage: Stage = Stage.IDLE
    rows: Sequence[Mapping[str, Any]] = ()
    judged: Sequence[tuple[datetime, Mapping[str, Any]]] = ()
    now: Mapping[str, Any] | None = None
    blocks: Sequence[Mapping[str, Any]] = ()
    look: Mapping[str, Any] | None = None
    terms: Terms | None = None

    @property
    def sentence(self) -> str:
        """The last decision in words."""
        if not self.rows:
            return "IDLE: not nominated, it fell short at the gate."
        return f"{self.rows[-1]['decision']}: {self.rows[-1]['why']}"

    @property
    def version(self) -> str:
        """64 hexadecimal characters: of everything that was decided and seen."""
        rows = [{**row, "at": row["at"].isoformat()} for row in self.rows]
        return record_version({"rows": rows, "now": self.now, "blocks": list(self.blocks)})


def course_of(rollouts: Rollouts, version: int) -> Course:
    """The course of a version by the events as they are now; IDLE where it was never nominated."""
    standing, rows, judged = Standing.start(rollouts.use_case), [], []
    stage, terms, evidence = Stage.IDLE, None, None
    for event in rollouts.events():
        before, standing = standing.row, standing.after(event)
        if not _concerns(event, version, before.challenger, before.champion, standing.row.champion):
            continue
        stage = _stage(event, version, before.challenger, standing.row.stage, stage)
        share = standing.row.share if version == standing.row.challenger else float(version == standing.row.champion)
        at = datetime.fromtimestamp(event.at_us / 1_000_000, UTC)
        rows.append({"epoch": event.epoch, "at": at, "decision": event.kind.value, "stage": stage.value,
                     "share": share, "who": event.who, "why": event.why})  # fmt: skip
        if event.kind in (Kind.OPENED, Kind.QUEUED) and event.facts["version"] == version:
            terms, evidence = terms_of(_object(event.facts["terms"])), None
        proof = _object(event.facts.get("certificate"))
        if terms is not None and proof and before.challenger == version:
            evidence = Evidence.from_json(terms.plan, terms.task, proof["evidence"])
        said = proof.get("judgement") or event.facts.get("judgement")
        judged += [(at, _object(said))] if said else []
    now = None
    if terms is not None and standing.row.challenger == version and stage in _JUDGED:
        evidence = rollouts.checkpoints.get(standing).evidence
        now = judge(terms.plan, stage, standing.row.step, evidence).to_json()
    if terms is None or evidence is None:
        return Course(version, stage, rows, judged, now, terms=terms)
    look = last_look(terms.plan, evidence)
    blocks = blocks_told(terms.plan, evidence)
    return Course(version, stage, rows, judged, now, blocks, look._asdict() if look else None, terms)


def _object(told: Any) -> Mapping[str, Any]:
    """A JSON object of an event, {} where there is none."""
    return told if isinstance(told, Mapping) else {}


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
    """The course as an artifact: `decisions`, one row each; what was judged; the plan it ran under; three pictures."""
    name = f"{use_case.name}@{course.version_number}"
    table = pa.Table.from_pylist([dict(row) for row in course.rows], _SCHEMA)
    looks = [{"at": at, **measure} for at, said in course.judged for measure in said["measures"]]
    pictures = {
        "share_plot": share_svg(course.rows, title=f"Who answers: {name}"),
        "evidence_plot": evidence_svg(looks, title=f"Evidence against its bounds at each decision: {name}"),
    }
    if course.terms is not None and course.blocks:
        quality = course.terms.plan.quality
        pictures["loss_plot"] = loss_svg(course.blocks, loss=quality.loss, margin=quality.margin, look=course.look)
    state = {
        "use_case": use_case.name,
        "version": course.version_number,
        "stage": course.stage.value,
        "sentence": course.sentence,
        "terms": course.terms.to_json() if course.terms else None,
        "judged": [{"at": at.isoformat(), **said} for at, said in course.judged],
        "now": course.now,
        "blocks": list(course.blocks),
    }
    blobs = {picture: Blob.picture(svg, picture, state) for picture, svg in pictures.items()}
    return Artifact(tables={"decisions": table}, records={"state": state}, blobs=blobs)


def rollout_metadata(made: Artifact, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What stands on the page of a week's rollout."""
    state, decisions = made.records["state"], made.tables["decisions"]
    last = state["now"] or (state["judged"][-1] if state["judged"] else None)
    shown: dict[str, Any] = {
        "version": entry["candidate"],
        "verdict": state["stage"],
        "in words": state["sentence"],
        "decisions": showing.records({**row, "at": f"{row['at']:%Y-%m-%d %H:%M:%S}Z"} for row in decisions.to_pylist()),
        "dagster/row_count": decisions.num_rows,
    }
    if last:
        shown |= {"evidence in words": last["sentence"], "evidence": showing.records(map(_measure, last["measures"]))}
    drawn = {"share_plot": "share of the traffic over time", "evidence_plot": "evidence against its bounds",
             "loss_plot": "paired loss by block"}  # fmt: skip
    return shown | {
        name.replace("_", " "): showing.plot(made.blobs[name].data, said)
        for name, said in drawn.items()
        if name in made.blobs
    }


def _measure(told: Mapping[str, Any]) -> dict[str, Any]:
    """In few columns: each takes room from the words."""
    return {name: told[name] for name in ("name", "verdict", "count", "champion", "challenger", "sentence")}

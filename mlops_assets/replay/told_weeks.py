"""The weeks of a world: what was answered, by its prediction log, and what the week's reports say of it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.core.account import Week
from mlops_assets.core.frames import to_frame
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare import UseCase
from mlops_assets.replay.figures import figures
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.serving.log_places import places as logs
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.settings import Settings

_LOGGED = ["id", "rollout", "arm", "version", "score", "mirrored_version", "label"]
_REPORTS = {"response": "response", "drift_report": "verdict"}  # artifact -> the record that is read
_SIGNALS = ("data", "prediction", "concept", "response", "reason")
# what fails within a stretch does so at its end: the first instant of a week is the last stretch of the one before
_FAILED = (
    "SELECT count(DISTINCT request) FROM failed WHERE at_us > ? AND at_us <= ? "
    "AND request NOT IN (SELECT request FROM prediction)"
)


@dataclass(frozen=True, eq=False)
class Answers:
    """What is logged of the requests of a week: `rows` as the log's export has them, `failed` are not among them."""

    rows: pd.DataFrame
    failed: int

    @property
    def given(self) -> pd.DataFrame:
        """The rows that got an answer."""
        return self.rows[self.rows["score"].notna()]

    @property
    def labelled(self) -> pd.DataFrame:
        """Those of them whose outcome is known by now."""
        return self.given[self.given["label"].notna()]


def answers(use_case: UseCase, places: Settings, weeks: Iterable[str]) -> dict[str, Answers]:
    """Week -> what is logged of its requests, of those weeks that have some.

    Raises Unavailable for a log that cannot be read, DataError for a week that it has forgotten.
    """
    if use_case.name not in logs(places.serving):
        return {}
    with closing(PredictionLog(places.serving, use_case, create=False)) as log:
        found = {week: _logged(use_case, log, week) for week in weeks}
    return {week: one for week, one in found.items() if len(one.rows) or one.failed}


def weeks_told(
    use_case: UseCase, store: AssetStore, weeks: Iterable[str], said: Mapping[str, Answers]
) -> Iterator[Week]:
    """Every week of which something is logged or reported, in the order given."""
    for week in weeks:
        reports = {name: _report(use_case, store, week, name, part) for name, part in _REPORTS.items()}
        if week in said or reports["response"]:
            yield _week(use_case, week, said.get(week), **reports)


def figures_of(use_case: UseCase, weeks: Iterable[Answers]) -> dict[str, float | None]:
    """The metrics of the labelled answers of these weeks together."""
    rows = [one.labelled for one in weeks]
    label, score = (np.concatenate([np.empty(0), *(one[name] for one in rows)]) for name in ("label", "score"))
    return figures(use_case, label, score)


def _logged(use_case: UseCase, log: PredictionLog, week: str) -> Answers:
    with closing(log.place.session()) as session:
        session.begin(alone=False)
        ((failed,),) = session.rows(_FAILED, [instant_us(at) for at in use_case.partitions.bounds(week)])
        session.rollback()
    return Answers(to_frame(log.export(week).table.select(_LOGGED)), int(failed))


def _report(use_case: UseCase, store: AssetStore, week: str, artifact: str, part: str) -> Mapping[str, Any]:
    """The record of a week's newest report; empty where there is none, or no model was judged by it."""
    ref = store.latest(f"{use_case.name}/{artifact}", week)
    record: Mapping[str, Any] = {} if ref is None else store.load_ref(ref, parts=(part,)).records[part]
    return record if record.get("model") else {}


def _week(
    use_case: UseCase, week: str, said: Answers | None, *, response: Mapping[str, Any], drift_report: Mapping[str, Any]
) -> Week:
    given, labelled = (said.given, said.labelled) if said else (pd.DataFrame(), pd.DataFrame())
    counted = given["version"].value_counts().sort_index() if said else pd.Series(dtype="int64")
    columns = drift_report.get("columns", ())
    return Week(
        week=week,
        asked=len(said.rows) + said.failed if said else 0,
        answered=len(given),
        labelled=len(labelled),
        by_version={str(version): int(count) for version, count in counted.items()},
        metrics=figures_of(use_case, [said] if said else []),
        predicted=float(labelled["score"].mean()) if len(labelled) else None,
        actual=float(labelled["label"].mean()) if len(labelled) else None,
        drift={column["name"]: column["ratio"] for column in columns if column["ratio"] is not None},
        faults=tuple(fault["sentence"] for fault in drift_report.get("faults", ())),
        **{name: response.get(name, "") for name in _SIGNALS},
    )

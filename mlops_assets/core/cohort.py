"""A week's requests as a monitor looks at them: live inputs, and the realised answers on them with their outcomes.

Two sources, one shape: the features as they were served (the export of the prediction log), or, where nothing is
served, the week's feature table, whose rows a model is asked about now.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.frames import to_frame
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.training_window import block_of
from mlops_assets.core.weeks import Weeks
from mlops_assets.declare.following import Following
from mlops_assets.declare.use_case import LABEL_KNOWN_AT, UseCase

Array = npt.NDArray[np.float64]

ANSWERS = "predictions"  # the table of logged answers
# its columns, as the log's export names them
ID, AS_OF, VERSION, SCORE, LABEL = "id", "as_of", "version", "score", "label"
BESIDE_VERSION, BESIDE_SCORE = "mirrored_version", "mirrored_score"


@dataclass(frozen=True, kw_only=True, eq=False)
class Live:
    """The requests of a week, in one order. `source` says in words where they are from.

    `features`: the declared features under their own names and the request's instant; `keys`: what tells two requests
    apart; `label` float64 (NaN: none), `known`: whether the outcome is known, be it that there is no label; `served`
    float64: what the judged model was seen to answer (NaN: it was not asked).
    """

    source: str
    features: pd.DataFrame
    keys: pd.DataFrame
    as_of: pd.Series
    label: Array
    known: npt.NDArray[np.bool_]
    served: Array

    def cohort(self, use_case: UseCase, scorer: Scorer) -> pd.DataFrame:
        """Rows as a performance report takes them: keys, as_of, block, prediction, label, known, the declared slices.

        The prediction is what was served, and what the model says now to the same features where it was not asked.
        """
        answered = np.where(np.isnan(self.served), scorer.predict(self.features), self.served)
        frame = self.keys.assign(
            as_of=self.as_of, block=block_of(use_case, self.as_of), prediction=answered, label=self.label,
            known=self.known,
        )  # fmt: skip
        slices = [name for name in use_case.promotion.slices if name not in frame.columns]
        return frame.assign(**{name: self.features[name] for name in slices}).reset_index(drop=True)


def without_label(use_case: UseCase, table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows of a week's feature table will never have a label: cancelled flights, the last reading of a day.

    Their outcome is known to be none, or the label is what a later row of the same week's file says, and none did.
    """
    rules = {derived.name: derived.rule for derived in use_case.request_table.derived}
    final = isinstance(rules.get(use_case.label.column), Following)
    return np.asarray(table[use_case.label.column].isna() & (final | table[LABEL_KNOWN_AT].notna()), dtype=bool)


def never_labelled(use_case: UseCase, table: pd.DataFrame) -> float:
    """The share of a week's requests that will never have a label, 0 .. 1."""
    return float(without_label(use_case, table).mean()) if len(table) else 0.0


def enough_answers(use_case: UseCase, answers: Weeks) -> pd.DataFrame | None:
    """The week's logged answers, where they are enough to judge by (`DriftPolicy.min_rows`)."""
    found = next(iter(answers.artifacts().values()), None)
    if found is None or found.tables[ANSWERS].num_rows < use_case.drift.min_rows:
        return None
    return to_frame(found.tables[ANSWERS])


def live_features(use_case: UseCase, table: pd.DataFrame) -> Live:
    """The rows of a week's feature table."""
    label = np.asarray(table[use_case.label.column].astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
    return Live(
        source=f"the feature table, {len(table):,} requests (no gateway answered them)",
        features=table,
        keys=table[list(use_case.request_table.key)],
        as_of=table[use_case.requests.as_of],
        label=label,
        known=~np.isnan(label) | without_label(use_case, table),
        served=np.full(len(table), np.nan),
    )


def live_answers(
    use_case: UseCase, log: pd.DataFrame, columns: Mapping[str, str], version: int, *, never: float = 0.0
) -> Live:
    """The rows of a week's logged answers, in the order of their instants, then ids.

    `columns`: feature -> its column in the log; `version`: the judged model's. `never`: the share (0 .. 1) of the
    week's requests that will never have a label, as far as its table knows: so many rows without one are settled.
    """
    log = log.sort_values([AS_OF, ID], kind="stable", ignore_index=True)
    served = np.full(len(log), np.nan)
    for which, said in ((BESIDE_VERSION, BESIDE_SCORE), (VERSION, SCORE)):
        own = (log[which] == version).fillna(False).to_numpy(dtype=bool)
        served[own] = log.loc[own, said].to_numpy(dtype=np.float64, na_value=np.nan)
    features = pd.DataFrame({name: log[column] for name, column in columns.items()})
    features[use_case.requests.as_of] = log[AS_OF]
    label = np.asarray(log[LABEL].to_numpy(na_value=np.nan), dtype=np.float64)
    return Live(
        source=f"the prediction log, {len(log):,} answers",
        features=features,
        keys=log[[ID]],
        as_of=log[AS_OF],
        label=label,
        known=~np.isnan(label) | (np.cumsum(np.isnan(label)) <= round(never * len(log))),
        served=served,
    )

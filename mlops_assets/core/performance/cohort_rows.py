"""The rows of a cohort as a performance report takes them: checked, in one order, labels and answers told apart.

Here belongs what is refused and who counts: a label counts when its outcome is known and there is one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.performance.intervals import Codes, block_codes
from mlops_assets.core.performance.losses import answered, refuse_labels, scaled_losses
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase

Array = npt.NDArray[np.float64]

_BESIDE = ("as_of", "block", "prediction", "label", "known")


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledRows:
    """The labelled rows of a cohort in the order they were asked (then by key), arrays `[n]`.

    `loss` is scaled to 0 .. 1; `usable` are rows whose prediction is an answer. `rows` and `settled` count the cohort's
    requests and those with a known outcome.
    """

    rows: int
    settled: int
    frame: pd.DataFrame
    label: Array
    prediction: Array
    usable: npt.NDArray[np.bool_]
    loss: Array
    codes: Codes

    @property
    def count(self) -> int:
        return len(self.label)


def labelled_rows(use_case: UseCase, cohort: pd.DataFrame) -> LabelledRows:
    """The labelled rows of a cohort given in any order of rows.

    Raises DataError for missing columns, a request that stands twice, an instant or block that is none, and a known
    label that cannot be the task's.
    """
    wanted = (*_BESIDE, *use_case.promotion.slices)
    if lacking := [name for name in wanted if name not in cohort.columns]:
        raise DataError(f"the cohort has no column {lacking}, must have {list(wanted)} and the request's key.")
    key = [n for n in cohort.columns if n not in wanted or (n in use_case.request_table.key and n not in _BESIDE)]
    if not key:
        raise DataError("the cohort has no column of the request's key: two answers could not be told apart.")
    for name in ("as_of", "block", "known"):
        if cohort[name].isna().any():
            raise DataError(f"column {name!r} is null in {int(cohort[name].isna().sum())} rows, must be given.")
    if (twice := cohort.duplicated(key)).any():
        raise DataError(f"the cohort has request {cohort.loc[twice, key].iloc[0].to_dict()} twice, must be there once.")
    known = cohort["known"].to_numpy(dtype=bool)
    frame = cohort[known & cohort["label"].notna().to_numpy()]
    frame = frame.sort_values(["as_of", *key], kind="stable", ignore_index=True)
    label, prediction = (frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in ("label", "prediction"))
    task = use_case.label.task
    refuse_labels(task, label)
    return LabelledRows(
        rows=len(cohort),
        settled=int(known.sum()),
        frame=frame,
        label=label,
        prediction=prediction,
        usable=answered(task, prediction),
        loss=scaled_losses(use_case.concept, label, prediction),
        codes=block_codes(use_case.concept, frame["block"]),
    )

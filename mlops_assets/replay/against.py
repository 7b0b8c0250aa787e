"""What policies are held against: the same requests, answered by models that were put in place without proof.

A model answers from the instant at which the labels of its newest week had matured, the first from the beginning.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.account import Against
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.cohort import live_features
from mlops_assets.core.estimators import threads
from mlops_assets.core.frames import to_table
from mlops_assets.core.gain import NEVER
from mlops_assets.core.row_selection import Selection
from mlops_assets.declare import DataError, UseCase
from mlops_assets.replay.backtest import Span
from mlops_assets.replay.figures import figures
from mlops_assets.replay.timeline import request_ids
from mlops_assets.replay.unproven import Frames, Unproven

Names = npt.NDArray[np.object_]


def against(
    use_case: UseCase,
    frames: Frames,
    span: Span,
    *,
    every: int,
    counted: Mapping[str, Collection[str]],
    seed: int,
    cache: Path | None = None,
    told: Callable[[str], None] = lambda doing: None,
    first: Artifact | None = None,
) -> Against:
    """The first model never trained again (`every` 0), or one trained every so many weeks (`unproven.py`).

    `frames`: partition -> features as they were known when matured (`backtest.history`), oldest first, without a gap.
    `counted`: week -> ids of the requests that count (`timeline.request_ids` with `seed`; `telling.labelled` has
    them); those without a label do not. `cache` is a folder that keeps the models, `told` hears what is being trained.
    `first` is the training of the first model, where it was made before. Raises DataError for weeks that are not
    there, and like a training.
    """
    _check(frames, span, every)
    weeks = list(frames)
    made = weeks[weeks.index(span.first) :: every] if every else [span.first]
    models = Unproven(use_case, frames, span.first, cache, told, first)
    used = {week: _in_place(use_case, frames[week], made) for week in weeks if span.begin <= week <= span.end}
    rows = pd.concat([_rows(use_case, frames[week], names, models, seed) for week, names in used.items()])
    rows = rows.set_index("id").sort_index()
    found = {week: rows[rows.index.isin(list(ids))] for week, ids in counted.items()}
    return Against(
        name=NEVER if not every else "trained every week" if every == 1 else f"trained every {every} weeks",
        weeks={week: _figures(use_case, [of_week]) for week, of_week in found.items()},
        metrics=_figures(use_case, list(found.values())),
        trainings=len({model for names in used.values() for model in names}),
    )


def _in_place(use_case: UseCase, frame: pd.DataFrame, made: Sequence[str]) -> Names:
    """For each request of a week the model, named by its newest week, that was in place when it was asked."""
    cutoffs = [Selection.declared(use_case).label_cutoff(week) for week in made]
    since = np.array([pd.Timestamp(at).value for at in cutoffs])
    asked = frame[use_case.requests.as_of].to_numpy(dtype="datetime64[ns]").astype(np.int64)
    return np.array(made, dtype=object)[np.maximum(np.searchsorted(since, asked, side="right") - 1, 0)]


def _rows(use_case: UseCase, frame: pd.DataFrame, used: Names, models: Unproven, seed: int) -> pd.DataFrame:
    """Id, label and prediction of the labelled requests of a week; `used` names the model that answers each."""
    said = np.full(len(frame), np.nan)
    for model in sorted(set(used)):
        scorer = models.scorer(model)
        with threads(use_case.model.threads):
            said[used == model] = scorer.predict(frame[used == model])
    ids = request_ids(use_case, to_table(frame[list(use_case.request_table.key)]), seed)
    rows = pd.DataFrame({"id": ids, "label": live_features(use_case, frame).label, "prediction": said})
    return rows[rows["label"].notna()]


def _figures(use_case: UseCase, rows: Sequence[pd.DataFrame]) -> dict[str, float | None]:
    """Of all these rows."""
    label, prediction = (
        np.concatenate([np.empty(0), *(one[name].to_numpy() for one in rows)]) for name in ("label", "prediction")
    )
    return figures(use_case, label, prediction)


def _check(frames: Frames, span: Span, every: int) -> None:
    lacking = sorted({span.first, span.begin, span.end} - set(frames))
    if lacking or every < 0 or not span.first < span.begin <= span.end:
        raise DataError(
            f"against models trained every {every} weeks, the first on {span.first}, from {span.begin} to {span.end}: "
            f"there are no features of {', '.join(lacking) or 'such a span'}: name weeks that are there, in order."
        )

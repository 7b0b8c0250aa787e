"""What policies are held against: the same requests, answered by models that were put in place without proof.

A model answers from the instant at which the labels of its newest week had matured, the first from the beginning.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.core.account import Against
from mlops_assets.core.cohort import live_features
from mlops_assets.core.frames import to_table
from mlops_assets.core.gain import NEVER
from mlops_assets.core.row_selection import Selection
from mlops_assets.declare import DataError, UseCase
from mlops_assets.replay.backtest import Span
from mlops_assets.replay.figures import figures
from mlops_assets.replay.timeline import request_ids
from mlops_assets.replay.unproven import ANSWER, Frames, Unproven


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
) -> Against:
    """The first model never trained again (`every` 0), or one trained every so many weeks (`unproven.py`).

    `frames`: partition -> features as they were known when matured (`backtest.history`), oldest first, without a gap.
    `counted`: week -> ids of the requests that count (`timeline.request_ids` with `seed`; `telling.labelled` has
    them); those without a label do not. `cache` is a folder that keeps the answers of each model, `told` hears what is
    being trained. Raises DataError for weeks that are not there, and like a training.
    """
    _check(frames, span, every)
    weeks = list(frames)
    made = weeks[weeks.index(span.first) :: every] if every else [span.first]
    models = Unproven(use_case, frames, span.first, cache, told)
    asked = [week for week in weeks if span.begin <= week <= span.end]
    used, of_weeks = _in_place(use_case, frames, asked, made), []
    for week in asked:
        of_weeks.append(
            _rows(
                use_case,
                frames[week],
                used[week],
                {m: models.answers(m, week) for m in dict.fromkeys(used[week])},
                seed,
            )
        )
    rows = pd.concat(of_weeks).set_index("id").sort_index()
    found = {week: rows[rows.index.isin(list(ids))] for week, ids in counted.items()}
    return Against(
        name=NEVER if not every else "trained every week" if every == 1 else f"trained every {every} weeks",
        weeks={week: _figures(use_case, [of_week]) for week, of_week in found.items()},
        metrics=_figures(use_case, list(found.values())),
        trainings=len({model for names in used.values() for model in names}),
    )


def _in_place(use_case: UseCase, frames: Frames, asked: Sequence[str], made: Sequence[str]) -> dict[str, list[str]]:
    """Week -> for each of its rows the model that was in place when it was asked."""
    selection = Selection.declared(use_case)
    since = np.array([pd.Timestamp(selection.label_cutoff(week)).value for week in made])
    found = {}
    for week in asked:
        at = frames[week][use_case.requests.as_of].to_numpy(dtype="datetime64[ns]").astype(np.int64)
        found[week] = [made[place] for place in np.maximum(np.searchsorted(since, at, side="right") - 1, 0)]
    return found


def _rows(
    use_case: UseCase, frame: pd.DataFrame, used: Sequence[str], answers: Mapping[str, pd.DataFrame], seed: int
) -> pd.DataFrame:
    """Id, label and prediction of the labelled rows of a week; `answers` are those of each model in `used`."""
    keys = list(use_case.request_table.key)
    asked = frame[keys]
    said = np.full(len(frame), np.nan)
    for model, table in answers.items():
        own = np.array(used, dtype=object) == model
        said[own] = asked.merge(table, on=keys, how="left", validate="one_to_one")[ANSWER].to_numpy()[own]
    label = live_features(use_case, frame).label
    rows = pd.DataFrame({"id": request_ids(use_case, to_table(asked), seed), "label": label, "prediction": said})
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

"""What a use case's monitoring and retraining policy would have done on its own history, and what that was worth.

Here belong the weeks that are needed, the whole account, and what it is held against: the first model never trained
again, and a model trained every so many weeks, which is what can be had without any policy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.core.cohort import live_features
from mlops_assets.core.frames import to_frame
from mlops_assets.core.metrics import METRIC, Metric
from mlops_assets.core.row_selection import Selection
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.signals import Response
from mlops_assets.declare import DataError, UseCase
from mlops_assets.declare.use_case import LABEL_KNOWN_AT
from mlops_assets.replay.candidates import Trainer
from mlops_assets.replay.walk import Retrained, Walk, WeekSeen
from mlops_assets.stores.assets import AssetStore

ALARMS = (Response.RETRAIN, Response.ROLL_BACK, Response.CHECK_FEED)  # what asks somebody to act


@dataclass(frozen=True, kw_only=True)
class Span:
    """The first model learns from the weeks up to `first`; the walk is from `begin` to `end`, both included."""

    first: str
    begin: str
    end: str


@dataclass(frozen=True, kw_only=True)
class Gain:
    """The promotion metric over the walk: weekly values, weighted by their labelled rows.

    `never`: by the first model alone; `policy`: as it was walked; `every`: by a model trained every `weeks` weeks, each
    used from the next week on. `share`: how much of the way from `never` to `every` the policy went (1 = all of it);
    None where that was not asked for, or is no gain. None too is a metric that no week has.
    """

    metric: str
    never: float | None
    policy: float | None
    weeks: int = 0
    every: float | None = None
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """The whole account. `alarms`: weeks that asked somebody to act."""

    use_case: str
    span: Span
    weeks: tuple[WeekSeen, ...]
    retrained: tuple[Retrained, ...]
    alarms: tuple[str, ...]
    gain: Gain

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers."""
        return asdict(self)


def stored_weeks(use_case: UseCase, assets: AssetStore) -> tuple[str, ...]:
    """The weeks whose features are in the store, oldest first."""
    return tuple(assets.refs.partitions(_asset(use_case)))


def history(use_case: UseCase, assets: AssetStore, end: str) -> dict[str, pd.DataFrame]:
    """The newest feature tables from the first stored week to `end`, by partition, as they were known when matured.

    Raises DataError for a week that is missing, with the command that makes it.
    """
    stored, asset = stored_weeks(use_case, assets), _asset(use_case)
    weeks = use_case.partitions.between((stored or (use_case.partitions.start,))[0], end)
    missing = [key for key in weeks if key not in stored]
    if missing or not weeks:
        first, last = (missing[0], missing[-1]) if missing else (end, end)
        raise DataError(
            f"{asset} lacks {len(missing)} of {len(weeks)} weeks up to {end}, the first is {first}: make them by "
            f"`mlops backfill {use_case.name} --from {first} --to {last} --job data`."
        )
    frames = {}
    for key in weeks:
        (table,) = assets.load(asset, key).tables.values()
        frames[key] = as_matured(use_case, key, to_frame(table))
    return frames


def as_matured(use_case: UseCase, week: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The week's features as they stood when its labels had matured: a label known later was none then."""
    late = pd.to_datetime(frame[LABEL_KNOWN_AT], utc=True) > Selection.declared(use_case).label_cutoff(week)
    return frame.assign(
        **{name: frame[name].mask(late) for name in (use_case.label.column, LABEL_KNOWN_AT)},
    )


def backtest(
    use_case: UseCase,
    frames: Mapping[str, pd.DataFrame],
    span: Span,
    *,
    attainable: int = 0,
    told: Callable[[str], None] = lambda doing: None,
) -> Backtest:
    """Walk `frames` (partition -> features, oldest first, no gap) under the declared policies.

    `attainable`: the weeks between two trainings of what the policy is held against (0: not asked for). `told` hears
    what is being done. The same arguments give the same account. Raises DataError for a span outside the weeks or with
    too few of them before it, and like a training for rows that cannot be learned from.
    """
    _check(use_case, list(frames), span)
    trainer = Trainer(use_case, frames, told)
    walk = Walk(use_case, frames, trainer, span.first)
    weeks = tuple(walk.weeks(span.begin, span.end, told))
    asks = {response.value for response in ALARMS}
    return Backtest(
        use_case=use_case.name,
        span=span,
        weeks=weeks,
        retrained=tuple(walk.retrained),
        alarms=tuple(seen.week for seen in weeks if seen.response in asks),
        gain=_gain(use_case, frames, trainer, span, weeks, attainable),
    )


def _gain(
    use_case: UseCase,
    frames: Mapping[str, pd.DataFrame],
    trainer: Trainer,
    span: Span,
    seen: Sequence[WeekSeen],
    attainable: int,
) -> Gain:
    metric, rows = METRIC[use_case.promotion.metric], {week.week: week.labelled for week in seen}

    @cache
    def measured(week: str, model: str) -> float | None:
        return _measured(use_case, metric, frames[week], trainer.model(model).scorer)

    def of(models: Mapping[str, str]) -> float | None:
        """The mean when each week is answered by the model of another."""
        return _mean({week: measured(week, model) for week, model in models.items()}, rows)

    never, policy = of(dict.fromkeys(rows, span.first)), of({week.week: week.model for week in seen})
    if not attainable:
        return Gain(metric=metric.name, never=never, policy=policy)
    all_weeks = list(frames)
    trained = all_weeks[all_weeks.index(span.first) :: attainable]
    every = of({week: max(model for model in trained if model < week) for week in rows})
    share = None
    if never is not None and policy is not None and every is not None and metric.gain(every, never) > 0:
        share = metric.gain(policy, never) / metric.gain(every, never)
    return Gain(metric=metric.name, never=never, policy=policy, weeks=attainable, every=every, share=share)


def _measured(use_case: UseCase, metric: Metric, frame: pd.DataFrame, scorer: Scorer) -> float | None:
    """The metric on the labelled rows of a week; None where it has none, or is undefined there."""
    label = live_features(use_case, frame).label
    known = ~np.isnan(label)
    if not known.any() or (metric.name == "auc" and len(np.unique(label[known])) < 2):
        return None
    return metric.of(label[known], scorer.predict(frame)[known])


def _mean(values: Mapping[str, float | None], rows: Mapping[str, int]) -> float | None:
    told = {week: value for week, value in values.items() if value is not None}
    total = sum(rows[week] for week in told)
    return sum(rows[week] * value for week, value in told.items()) / total if total else None


def _check(use_case: UseCase, weeks: list[str], span: Span) -> None:
    least, learned = use_case.model.min_weeks, sum(week <= span.first for week in weeks)
    if learned < least or span.first not in weeks:
        raise DataError(
            f"{use_case.name}: up to {span.first} there are {learned} weeks, a first model takes {least}: let it learn "
            "longer, or make the weeks before."
        )
    if not span.first < span.begin <= span.end or span.end not in weeks:
        raise DataError(
            f"{use_case.name}: a walk from {span.begin} to {span.end} must begin after {span.first}, to which the "
            f"first model learns, and end by {weeks[-1]}: choose other weeks, or make more."
        )


def _asset(use_case: UseCase) -> str:
    return f"{use_case.name}/feature_table"

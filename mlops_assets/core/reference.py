"""The reference of a model version: which columns are watched, and their profile over the weeks it learned from."""

from collections.abc import Mapping

import pandas as pd

from mlops_assets.core.drift import DriftReport, drift_report
from mlops_assets.core.drift.table import Completeness
from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare import Kind, UseCase
from mlops_assets.declare.drift import Monitored
from mlops_assets.declare.features import AtRequest, Feature

PREDICTION = "prediction"  # the score is always one of the watched columns


def monitored(use_case: UseCase) -> list[Monitored]:
    """The model's features and its prediction."""
    text = (Kind.STRING, Kind.BOOL)
    watched = [
        Monitored(
            name=f.name, kind="category" if use_case.kind_of(f) in text else "numeric", unit=f.unit,
            stable=f.stable, critical=f.critical, feed=_feed(f),
        )
        for f in use_case.model_features
    ]  # fmt: skip
    return [*watched, Monitored(name=PREDICTION, kind="numeric", unit=use_case.label.unit)]


def _feed(feature: Feature) -> str:
    """The join that fills a feature; of one computed from the request's own row there is none."""
    return "" if isinstance(feature, AtRequest) else f"{feature.table} by {', '.join(feature.key)}"


def scored(use_case: UseCase, frame: pd.DataFrame, scorer: Scorer) -> pd.DataFrame:
    """The watched columns of `frame`, the model's answer among them."""
    names = [f.name for f in use_case.model_features]
    return frame[names].assign(**{PREDICTION: scorer.predict(frame)})


def reference_profile(use_case: UseCase, frames: Mapping[str, pd.DataFrame], scorer: Scorer) -> ReferenceProfile:
    """The profile of all weeks in `frames` (partition -> features), each week one reference window."""
    rows = pd.concat([scored(use_case, frame, scorer) for frame in frames.values()], ignore_index=True)
    weeks = [week for week, frame in frames.items() for _ in range(len(frame))]
    return build_profile(rows, window=weeks, columns=monitored(use_case), prediction=PREDICTION, policy=use_case.drift)


def judge_week(
    use_case: UseCase,
    profile: ReferenceProfile,
    frame: pd.DataFrame,
    scorer: Scorer,
    importances: Mapping[str, float] | None,
) -> tuple[DriftReport, pd.DataFrame]:
    """The drift of one week's features against a model version's profile; and the watched columns it looked at."""
    live = scored(use_case, frame, scorer)
    report = drift_report(
        profile, live, policy=use_case.drift, importances=importances, completeness=days_seen(use_case, frame)
    )
    return report, live


def days_seen(use_case: UseCase, frame: pd.DataFrame) -> Completeness:
    """How many of the week's seven local days have a request: a two-day week is no drift."""
    asked = frame[use_case.requests.as_of] + pd.Timedelta(use_case.requests.ahead)
    days = asked.dt.tz_convert(use_case.partitions.timezone).dt.date.nunique()
    return Completeness(days_with_rows=min(int(days), 7), days=7)

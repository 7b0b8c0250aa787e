"""Models of the past: trained on the weeks there were, with the reference and the level that monitoring holds them to.

Here belongs what a training of the graph would have stored of them. Nothing is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from mlops_assets.core.fitting import TrainedModel, fit
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.performance.level import Level, reference_level
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.reference import reference_profile
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.versions import record_version
from mlops_assets.declare import UseCase


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model and what it is watched by. `profile` covers all weeks it learned from, `level` its validation weeks."""

    trained: TrainedModel
    profile: ReferenceProfile
    level: Level

    @property
    def week(self) -> str:
        """The newest week it was trained on."""
        return self.trained.partition

    @property
    def name(self) -> str:
        """`use_case@week`: versions are counted by registries, which a backtest does not touch."""
        return f"{self.trained.use_case}@{self.week}"

    @property
    def scorer(self) -> Scorer:
        return self.trained.scorer

    @property
    def importances(self) -> Mapping[str, float] | None:
        """Share by feature; None when none stood out: then all weigh alike."""
        shares = self.trained.importances
        return shares if any(shares.values()) else None

    @cached_property
    def digest(self) -> str:
        """What the model is, 64 hexadecimal characters."""
        return model_digest(self.trained.estimator, self.trained.encoder)

    @cached_property
    def reference(self) -> str:
        """What its inputs are held against, 64 hexadecimal characters."""
        return record_version(self.profile.to_json())


class Trainer:
    """Trains on the weeks of `frames` (partition -> features, oldest first, no gap); each window once.

    `told` hears what is being trained.
    """

    def __init__(self, use_case: UseCase, frames: Mapping[str, pd.DataFrame], told: Callable[[str], None]) -> None:
        self._use_case, self._frames, self._told = use_case, frames, told
        self._trained: dict[str, TrainedModel] = {}

    def window(self, week: str) -> dict[str, pd.DataFrame]:
        """The weeks a training of `week` learns from: all up to it, `max_weeks` at most."""
        weeks = [key for key in self._frames if key <= week][-self._use_case.model.max_weeks :]
        return {key: self._frames[key] for key in weeks}

    def model(self, week: str) -> TrainedModel:
        """The declared model, its search included, of the window that ends with `week`. Raises DataError like `fit`."""
        if week not in self._trained:
            self._told(f"training of {week}")
            self._trained[week] = fit(self._use_case, self.window(week))
        return self._trained[week]

    def candidate(self, week: str) -> Candidate:
        """The same with its reference."""
        trained, policy = self.model(week), self._use_case.concept
        return Candidate(
            trained,
            reference_profile(self._use_case, self.window(week), trained.scorer),
            reference_level(policy, self._use_case.label.task, trained.validation),
        )

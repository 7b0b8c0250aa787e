"""A candidate beside the model that stands: both answer the same weeks, and the rollout's own judge of quality decides.

Here belong which pairs it sees, and when. Calls that fail or are slow are no part of history, so of the ladder only the
shadow is walked.
"""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_assets.core.cohort import live_features
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.measures import Measure
from mlops_assets.core.rollout.quality import quality_measure
from mlops_assets.core.rollout.words import Pair
from mlops_assets.declare import UseCase
from mlops_assets.declare.partitions import WEEK
from mlops_assets.declare.rollout import Quality
from mlops_assets.replay.candidates import Candidate
from mlops_assets.stores.serving.log_sequence import block_of


class Shadow:
    """The weeks in which `candidate` and `champion`, the model that stands, answered side by side."""

    def __init__(self, use_case: UseCase, candidate: Candidate, champion: Candidate) -> None:
        self._use_case, self.candidate, self._champion = use_case, candidate, champion
        self._evidence = Evidence.start(use_case.rollout, use_case.label.task)
        self._weeks: list[str] = []

    def see(self, week: str, frame: pd.DataFrame) -> None:
        """One more week of both, with its labels."""
        self._evidence = self._evidence.fold([], self._pairs(frame))
        self._weeks.append(week)

    def judged(self, coming: pd.DataFrame) -> Measure | None:
        """What the pairs say when the labels of the weeks seen have matured; None before there are weeks enough.

        `coming` is the week that has begun by then: a block is complete when a later one has been asked about.
        """
        if len(self._weeks) < weeks_of(self._use_case.rollout.quality):
            return None
        _, end = self._use_case.partitions.bounds(self._weeks[-1])
        begun = coming[coming[self._use_case.requests.as_of] < end + self._use_case.label.maturity]
        return quality_measure(self._use_case.rollout, self._evidence.fold([], self._pairs(begun)))

    def _pairs(self, frame: pd.DataFrame) -> list[Pair]:
        """The labelled rows, in the order in which they were asked."""
        if frame.empty:
            return []
        live = live_features(self._use_case, frame)
        answers = [model.scorer.predict(frame) for model in (self._champion, self.candidate)]
        block, zone = self._use_case.rollout.quality.block, ZoneInfo(self._use_case.partitions.timezone)
        place, days = pd.factorize(live.as_of.dt.tz_convert(zone).dt.normalize())
        blocks = [block_of(instant_us(day.to_pydatetime()), block, zone) for day in days]
        order = np.argsort(live.as_of.to_numpy(), kind="stable")
        return [
            Pair(0, blocks[place[row]], float(live.label[row]), float(answers[0][row]), float(answers[1][row]))
            for row in order
            if not np.isnan(live.label[row])
        ]


def weeks_of(quality: Quality) -> int:
    """How many weeks the blocks of the first look take; 1 where outcomes are independent.

    >>> weeks_of(Quality(loss="brier", margin=0.01, blocks=15))
    3
    """
    return 1 if quality.block is None else -(-(quality.blocks * quality.block) // WEEK)

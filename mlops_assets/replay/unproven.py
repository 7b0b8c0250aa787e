"""Models that are put in place without proof: what they say to the requests of a week.

Their hyperparameters are those that the first training's search chose: searching anew for each would take four times as
long, for choices that hardly differ. Nothing but the answers is wanted, so no evidence about a model is made.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from mlops_assets.core import encoding
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.frames import to_frame, to_table
from mlops_assets.core.row_selection import Selection
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.search import run_trial_rows, trials, with_params
from mlops_assets.core.search.results import choose
from mlops_assets.core.training_window import training_window
from mlops_assets.core.versions import table_version
from mlops_assets.declare import UseCase
from mlops_assets.replay.kept import Kept

Frames = Mapping[str, pd.DataFrame]
SEES = ("name", "partitions", "tables", "requests", "label", "features", "promotion.metric", "model")
ANSWER = "prediction"


def searched(use_case: UseCase, frames: Frames) -> Artifact:
    """The key of the trial that the search of a training on these weeks chooses."""
    train, _, window = training_window(use_case, frames)
    results = [run_trial_rows(use_case, train, window, trial) for trial in trials(use_case.model)]
    return Artifact(records={"chosen": choose(use_case.model, results).key})


def trained(use_case: UseCase, frames: Frames, trial: str) -> Scorer:
    """The model of these weeks with the parameters of a trial ("": the declared ones)."""
    for one in trials(use_case.model):
        if one.key == trial:
            use_case = with_params(use_case, one.params)
    train, _, _ = training_window(use_case, frames)
    encoder = encoding.fit(use_case, train.frame)
    with threads(use_case.model.threads):
        return fitted(use_case, use_case.model.estimator, encoder, encoder.encode(train.frame), train.label)


def answered(use_case: UseCase, scorer: Scorer, frame: pd.DataFrame) -> Artifact:
    """What a model says to every request of a week, by the request's key."""
    with threads(use_case.model.threads):
        said = frame[list(use_case.request_table.key)].assign(**{ANSWER: scorer.predict(frame)})
    return Artifact(tables={ANSWER: to_table(said)})


class Unproven:
    """Models by the newest week they learned from, each trained when it is first needed. `first`: that of the search.

    `cache` is a folder that keeps the answers; `told` hears what is being trained.
    """

    def __init__(
        self, use_case: UseCase, frames: Frames, first: str, cache: Path | None, told: Callable[[str], None]
    ) -> None:
        self._kept = Kept(cache, use_case, makes=(searched, trained, answered), sees=SEES)
        self._use_case, self._frames, self._told = use_case, frames, told
        self._versions = {week: table_version(to_table(frame)) for week, frame in frames.items()}
        self._last: tuple[str, Scorer] | None = None  # weeks are asked in order
        self._trial = self._search(first) if use_case.model.search else ""

    def answers(self, model: str, week: str) -> pd.DataFrame:
        """The request's key and `prediction` of every row of a week."""
        made = self._kept.once(
            "comparator", f"{week}.{model}", lambda: answered(self._kept.seen, self._scorer(model), self._frames[week]),
            inputs=self._inputs({week, *self._window(model)}), more={"model": model, "trial": self._trial},
            at=self._at(week),
        )  # fmt: skip
        return to_frame(made.tables[ANSWER])

    def _search(self, first: str) -> str:
        def search() -> Artifact:
            self._told(f"search of {first}")
            return searched(self._kept.seen, window)

        window = self._window(first)
        made = self._kept.once(
            "comparator_search", first, search, inputs=self._inputs(window), more={}, at=self._at(first)
        )
        return str(made.records["chosen"])

    def _scorer(self, model: str) -> Scorer:
        if self._last is None or self._last[0] != model:
            self._told(f"training of {model}")
            self._last = model, trained(self._kept.seen, self._window(model), self._trial)
        return self._last[1]

    def _window(self, model: str) -> dict[str, pd.DataFrame]:
        weeks = [week for week in self._frames if week <= model][-self._use_case.model.max_weeks :]
        return {week: self._frames[week] for week in weeks}

    def _inputs(self, weeks: Collection[str]) -> dict[str, str]:
        return {f"{self._use_case.name}/feature_table@{week}": self._versions[week] for week in sorted(weeks)}

    def _at(self, week: str) -> str:
        return Selection.declared(self._use_case).label_cutoff(week).isoformat()

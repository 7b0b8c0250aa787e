"""Models that are put in place without proof, of any weeks of a history.

Their hyperparameters are those that the first training's search chose: searching anew for each would take four times as
long, for choices that hardly differ. Nothing but the answers is wanted, so no evidence about a model is made.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from mlops_assets.core import encoding
from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.frames import to_table
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.row_selection import Selection
from mlops_assets.core.scoring import Scorer
from mlops_assets.core.search import run_trial_rows, trials, with_params
from mlops_assets.core.search.results import choose
from mlops_assets.core.training_window import training_window
from mlops_assets.core.versions import table_version
from mlops_assets.declare import UseCase
from mlops_assets.graph.leader import scorer_of
from mlops_assets.replay.kept import Kept
from mlops_assets.stores.models import dump

Frames = Mapping[str, pd.DataFrame]
SEES = ("name", "partitions", "tables", "requests", "label", "features", "promotion.metric", "model")


def searched(use_case: UseCase, frames: Frames) -> Artifact:
    """The key of the trial that the search of a training on these weeks chooses."""
    train, _, window = training_window(use_case, frames)
    results = [run_trial_rows(use_case, train, window, trial) for trial in trials(use_case.model)]
    return Artifact(records={"chosen": choose(use_case.model, results).key})


def trained(use_case: UseCase, frames: Frames, trial: str) -> Artifact:
    """The model of a training on these weeks, with the parameters of a trial ("": the declared ones)."""
    for one in trials(use_case.model):
        if one.key == trial:
            use_case = with_params(use_case, one.params)
    train, _, _ = training_window(use_case, frames)
    encoder, declared = encoding.fit(use_case, train.frame), use_case.model.estimator
    with threads(use_case.model.threads):
        estimator = fitted(use_case, declared, encoder, encoder.encode(train.frame), train.label).estimator
    model = Blob(data=dump(estimator, declared.trusted), version=model_digest(estimator), suffix=".skops")
    return Artifact(blobs={"model": model, "encoder": Blob.of(encoder.to_json(), ".json")})


class Unproven:
    """Models by the newest week they learned from, each trained when it is first asked for. `first`: of the search.

    `cache` is a folder that keeps them; `told` hears what is being trained. `made` is the training of `first` where
    that was made before, a `trained_model`: its model is taken, and what its search chose.
    """

    def __init__(
        self, use_case: UseCase, frames: Frames, first: str, cache: Path | None, told: Callable[[str], None],
        made: Artifact | None = None,
    ) -> None:  # fmt: skip
        self._kept = Kept(cache, use_case, makes=(searched, trained), sees=SEES)
        self._use_case, self._frames, self._told = use_case, frames, told
        self._versions: dict[str, str] = {}
        self._last: tuple[str, Scorer] | None = None  # weeks are asked in order
        self._trial = ""
        if made is not None:
            self._last = first, scorer_of(use_case, made)
        if use_case.model.search is not None and made is not None:
            self._trial = str(made.records["evidence"]["search"]["chosen"])
        elif use_case.model.search is not None:
            found = self._once("comparator_search", first, {}, searched, "search")
            self._trial = str(found.records["chosen"])

    def scorer(self, week: str) -> Scorer:
        """The model of a training on the weeks up to this one. Raises DataError like a training."""
        if self._last is None or self._last[0] != week:
            made = self._once(
                "comparator", week, {"trial": self._trial},
                lambda seen, weeks: trained(seen, weeks, self._trial), "training",
            )  # fmt: skip
            self._last = week, scorer_of(self._use_case, made)
        return self._last[1]

    def _once(
        self, artifact: str, week: str, more: Mapping[str, str], make: Callable[[UseCase, Frames], Artifact], doing: str
    ) -> Artifact:
        keys = [key for key in self._frames if key <= week][-self._use_case.model.max_weeks :]
        window = {key: self._frames[key] for key in keys}

        def made() -> Artifact:
            self._told(f"{doing} of {week}")
            return make(self._kept.seen, window)

        at = Selection.declared(self._use_case).label_cutoff(week).isoformat()
        inputs = {f"{self._use_case.name}/feature_table@{key}": self._version(key) for key in keys}
        return self._kept.once(artifact, week, made, inputs=inputs, more=more, at=at)

    def _version(self, week: str) -> str:
        if week not in self._versions:
            self._versions[week] = table_version(to_table(self._frames[week]))
        return self._versions[week]

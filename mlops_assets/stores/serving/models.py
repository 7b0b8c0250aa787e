"""A registered model brought back to answer: every object verified, its state and its answers compared with the record.

Here belongs the way from a version number to a scorer that may be served. It asks the records and the store, never the
tracker: MLflow may be away, and what its files say is not believed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.flat_trees import AT_ONCE, flat_answers
from mlops_assets.core.frames import to_frame
from mlops_assets.core.model_digest import model_digest
from mlops_assets.core.probe import check_probe
from mlops_assets.core.rollout.words import BASELINE
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare import Task, UseCase
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.models import dump, load
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.model_version import ModelVersion
from mlops_assets.stores.settings import Settings

Array = npt.NDArray[np.float64]
Which = Literal["model", "baseline"]
# by what is stored: the blob of the estimator, and its answers in the probe
_BLOB: dict[Which, str] = {"model": "model", "baseline": "baseline_model"}
_ANSWER: dict[Which, str] = {"model": "prediction", "baseline": "baseline"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A model that may answer: the `digest` of its learned state, and `answer`, what it says to encoded rows

    (float64 `[rows, features]` -> `[rows]`) with no look at whether that can be an answer.
    """

    scorer: Scorer
    digest: str
    answer: Callable[[Array], Array]


def scorer_of(use_case: UseCase, artifact: Artifact, which: Which = "model") -> Scorer:
    """The scorer stored in a trained model or a registry entry; the file is checked before anything in it is built."""
    encoder = Encoder.from_json(artifact.blobs["encoder"].data)
    declared = use_case.model.estimator if which == "model" else use_case.model.baseline
    data = artifact.blobs[_BLOB[which]].data
    estimator = load(data, declared.trusted, features=len(encoder.features), path=declared.path)
    return Scorer(estimator=estimator, encoder=encoder, task=use_case.label.task)


def load_version(use_case: UseCase, version: int, places: Settings, *, baseline_of: int = 0) -> Loaded:
    """The model of a registered version; of version 0 the baseline that was trained beside `baseline_of`.

    Raises DataError for a version that is not recorded, not in the store, trained before probes were kept, or that
    answers its probe otherwise than when it was trained; DamagedError where bytes are not what was written.
    """
    which: Which = "baseline" if version == BASELINE else "model"
    row = _recorded(use_case.name, version or baseline_of, places)
    at = f"{use_case.name}/trained_model@{row.partition}"
    store = AssetStore(places.store)
    ref = store.find(f"{use_case.name}/trained_model", row.partition, data_version=row.trained_model)
    if ref is None:
        raise DataError(
            f"{row.name} is {at} in its data version {row.trained_model[:12]}, which is not in the store: bring it "
            "back from a copy."
        )
    parts = (_BLOB[which], "encoder", "probe")
    if lacking := sorted(set(parts) - set(ref.parts)):
        raise DataError(f"{at} has no part {lacking[0]!r}, so it cannot be proved before it answers: train it again.")
    artifact = store.load_ref(ref, parts=parts)
    scorer = scorer_of(use_case, artifact, which)
    digest = model_digest(scorer.estimator)
    due = row.model_digest if which == "model" else artifact.blobs[_BLOB[which]].version
    if digest != due:
        raise DamagedError(f"{at}: its {which} has the digest {digest[:12]}, recorded is {due[:12]}: restore it.")
    rows = to_frame(artifact.tables["probe"])
    check_probe(rows, scorer, answer=_ANSWER[which])
    return Loaded(scorer=scorer, digest=digest, answer=answers(scorer, scorer.encoder.encode(rows)))


def answers(scorer: Scorer, probe: Array) -> Callable[[Array], Array]:
    """The fastest way to what the scorer's estimator says, of those that say the same to the probe, bit for bit.

    Both are asked about all rows at once and about each by itself. Another release of scikit-learn may make the fast
    way wrong, or fail: then scikit-learn answers.
    """
    plain = plain_answers(scorer)
    try:
        fast = flat_answers(scorer.estimator)
        if fast is not None and all(
            fast(part).tobytes() == plain(part).tobytes()
            for part in (probe, *np.split(probe, len(probe)), np.tile(probe, (AT_ONCE, 1))[: 2 * AT_ONCE])
        ):
            return fast
    except Exception:
        return plain
    return plain


def plain_answers(scorer: Scorer) -> Callable[[Array], Array]:
    """What scikit-learn says: the probability of True, or the number."""
    if scorer.task is Task.REGRESSION:
        return lambda rows: np.asarray(scorer.estimator.predict(rows), dtype=np.float64)
    return lambda rows: np.asarray(scorer.estimator.predict_proba(rows)[:, 1], dtype=np.float64)


def import_all(use_case: UseCase) -> None:
    """Import everything that loading and answering take, some seconds' worth: what is forked afterwards need not."""
    from importlib import import_module

    from sklearn.dummy import DummyClassifier

    for declared in (use_case.model.estimator, use_case.model.baseline):
        import_module(declared.path.rpartition(".")[0])
    some = DummyClassifier(strategy="prior").fit([[0.0], [0.0]], [0, 1])
    load(dump(some), features=1).predict_proba([[0.0]])


def _recorded(use_case: str, version: int, places: Settings) -> ModelVersion:
    with Records(places.records, create=False) as records:
        row = records.lineage.get(use_case, version)
    if row is None:
        raise DataError(f"{use_case}@{version} has no lineage: `mlops doctor` tells which versions have.")
    return row

"""The leader as a registry entry carries it: scorer, encoder, profile, importances. No tracker is asked.

The leader is the best registered model by the gate's evidence: what the next candidate must beat, and what drift is
measured against. Who answers users is another matter, which only a rollout decides (decision 0028).
A registry entry holds its leader's own parts, so whoever has the entry can answer with the model and judge drift
against its reference, years later and offline.
"""

from dataclasses import dataclass
from typing import Any

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.encoding import Encoder
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare import UseCase
from mlops_assets.stores.models import load

# of the declared model, what whoever answers with a stored one reads
ANSWERS = ("model.estimator.path", "model.estimator.trusted", "model.excluded")
REACH = 52  # weeks a leader may have stood without a candidate
BLOBS = ("model", "encoder")  # parts an entry takes over from the trained model, with `profile` and `evidence`


@dataclass(frozen=True, kw_only=True)
class Leader:
    """The model that stands: who it is, and everything needed to answer with it and to watch it."""

    entry: dict[str, Any]
    scorer: Scorer
    profile: ReferenceProfile
    importances: dict[str, float] | None

    @property
    def name(self) -> str:
        """`flight_delays@3`: use case and version."""
        return str(self.entry["leader"]["name"])


def scorer_of(use_case: UseCase, artifact: Artifact) -> Scorer:
    """The scorer stored in a trained model or a registry entry; the file is checked before anything in it is built."""
    encoder = Encoder.from_json(artifact.blobs["encoder"].data)
    declared = use_case.model.estimator
    estimator = load(artifact.blobs["model"].data, declared.trusted, features=len(encoder.features), path=declared.path)
    return Scorer(estimator=estimator, encoder=encoder, task=use_case.label.task)


def leader_of(use_case: UseCase, entry: Artifact) -> Leader | None:
    """The leader that stands after a registry entry; None when none stood yet."""
    record = entry.records["entry"]
    if record["leader"] is None:
        return None
    importances = entry.records["evidence"]["importances"]
    return Leader(
        entry=record,
        scorer=scorer_of(use_case, entry),
        profile=ReferenceProfile.from_json(entry.records["profile"]),
        importances=importances if any(importances.values()) else None,  # none stood out: all alike
    )


def parts_of(artifact: Artifact) -> dict[str, Any]:
    """The parts a registry entry carries of its leader, as arguments of `Artifact`."""
    return {
        "blobs": {name: artifact.blobs[name] for name in BLOBS},
        "records": {name: artifact.records[name] for name in ("profile", "evidence")},
    }

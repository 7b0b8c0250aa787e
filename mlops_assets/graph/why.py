"""Why a result is what it is: what made each publication differ from the one before, and what a run would do now.

Nothing is run: the ingredients of an action are looked up, compared and said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlops_assets.core.actions import Action, Change, changes
from mlops_assets.core.search import trials
from mlops_assets.core.training_window import checked_weeks
from mlops_assets.core.versions import JSON
from mlops_assets.declare import DataError, MlopsError, UseCase
from mlops_assets.graph.actions import Step, inputs_of, stored
from mlops_assets.graph.catalogue import catalogue_step
from mlops_assets.graph.clock import now as clock
from mlops_assets.graph.features import feature_step
from mlops_assets.graph.ingest import arrived, raw_inputs, raw_step, validated_step
from mlops_assets.graph.judged import judged_by, report_inputs
from mlops_assets.graph.monitoring import drift_step
from mlops_assets.graph.online import FeatureStore, online_step
from mlops_assets.graph.performance import is_mature, performance_step
from mlops_assets.graph.predictions import predictions_step
from mlops_assets.graph.registry import registry_inputs, registry_step
from mlops_assets.graph.response import response_step
from mlops_assets.graph.rollout import rollout_step
from mlops_assets.graph.standing import standing_entry
from mlops_assets.graph.training import training_step, trial_action, trial_step
from mlops_assets.stores.actions import action_of, known
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.refs import Ref
from mlops_assets.stores.settings import Settings

# what is asked of somebody else in every run, and whom
ASKED = {
    "online_features": "whether the week is there is asked of the online store itself, which does only what is left",
    "rollout": "how far it has come is asked of the gateways' own database",
    "predictions": "what was answered is asked of the gateways' log",
}
REUSED, ANEW, ALWAYS, UNKNOWN = "reused", "made anew", "run every time", "unknown"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """One publication of a partition and what differs from the one before; None when nobody can tell."""

    ref: Ref
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The publications of a partition, oldest first, and what a run would do now: `verdict` and why.

    `changes`: what differs now from the publication it is compared with (`against`).
    """

    asset: str
    partition: str
    publications: tuple[Publication, ...]
    verdict: str
    reason: str
    against: str
    changes: tuple[Change, ...]


def steps(use_case: UseCase) -> dict[str, Step]:
    """Every step of a use case by the artifact it makes, in the order of the lifecycle."""
    made: list[Callable[[UseCase], Step]] = [
        raw_step, validated_step, online_step, feature_step, training_step, registry_step, rollout_step,
        predictions_step, catalogue_step, drift_step, performance_step, response_step,
    ]  # fmt: skip
    return {step.artifact: step for step in (make(use_case) for make in made)}


def explain(use_case: UseCase, artifact: str, partition: str, places: Settings) -> Explanation:
    """Why the artifact of a week is what it is, and whether a run would take it from the store.

    Raises DataError for an artifact that is none, DamagedError where a publication cannot be read.
    """
    declared = steps(use_case)
    if artifact not in declared:
        raise DataError(f"{use_case.name} has no asset {artifact!r}, must be one of {list(declared)}.")
    store, step = AssetStore(places.store), declared[artifact]
    history = store.history(step.asset, partition)
    told = publications(store, history)
    newest = history[-1] if history else None
    fixed = {"asset": step.asset, "partition": partition, "publications": told}
    try:
        wanted = step.action(partition, inputs_now(step, partition, store, places), _more(step, partition))
    except MlopsError as refused:
        return Explanation(verdict=UNKNOWN, reason=f"a run would fail: {refused}", against="", changes=(), **fixed)
    if artifact in ASKED:
        return Explanation(verdict=ALWAYS, reason=ASKED[artifact], against="", changes=(), **fixed)
    if (found := stored(store, wanted)) is not None:
        reason = f"code, configuration, libraries and inputs are those of {found[0].at}"
        return Explanation(verdict=REUSED, reason=reason, against=found[0].at, changes=(), **fixed)
    return _anew(store, wanted, newest, fixed)


def _anew(store: AssetStore, now: Action, newest: Ref | None, fixed: Mapping[str, object]) -> Explanation:
    before = action_of(store, newest) if newest else None
    against = newest.at if newest else ""
    if newest is None:
        reason, different = "it was never made", ()
    elif before is None:
        reason, different = f"{against} does not say what made it", ()
    else:
        different = tuple(changes(before, now))
        reason = f"against {against}" if different else f"the stored result of {against} is damaged or gone"
    return Explanation(verdict=ANEW, reason=reason, against=against, changes=different, **fixed)  # type: ignore[arg-type]


def publications(store: AssetStore, history: list[Ref]) -> tuple[Publication, ...]:
    """Every publication with what differs from the one before it."""
    told, before = [], None
    for ref in history:
        action = action_of(store, ref)
        different = tuple(changes(before, action)) if before is not None and action is not None else None
        told.append(Publication(ref=ref, changes=different))
        before = action
    return tuple(told)


def inputs_now(step: Step, partition: str, store: AssetStore, places: Settings) -> dict[str, str]:
    """What the step would read now. Raises DataError where something of it is not there, or too little to train on."""
    if step.artifact == "raw_data":
        journals = FeatureStore(online=places.online, journals=places.journal)
        return raw_inputs(*arrived(step.use_case, places.landing, journals, partition))
    upstream = step.upstream(store, partition)
    if step.artifact == "registry_entry":
        digest = upstream["trained"].refs[partition].parts["model"].version
        return registry_inputs(upstream, standing_entry(store, step.use_case, partition, digest))
    if step.artifact in ("drift_report", "performance_report"):
        with Records(places.records) as records:
            return report_inputs(upstream, judged_by(step.use_case, store, records, upstream))
    read = inputs_of(upstream)
    if step.artifact == "trained_model":
        checked_weeks(step.use_case, upstream["features"].refs)
        return read | _trials_now(step.use_case, partition, store)
    return read


def _more(step: Step, partition: str) -> dict[str, JSON]:
    """What the step's action is told beside declaration and inputs."""
    if step.artifact == "performance_report":
        return {"mature": is_mature(step.use_case, partition, clock())}
    return {}


def _trials_now(use_case: UseCase, partition: str, store: AssetStore) -> dict[str, str]:
    """The results of the trials, those that a run would make anew as what they are."""
    step = trial_step(use_case)
    features = step.upstream(store, partition)["features"]
    actions = [trial_action(step, features, partition, trial) for trial in trials(use_case.model)]
    found = {f"{action.asset}@{action.partition}": known(store, action) for action in actions}
    return {at: ref.data_version if ref else "to be made" for at, ref in found.items()}

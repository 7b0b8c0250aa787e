"""Which registry entry a candidate is judged against: where the leader stands that it must beat."""

from mlops_assets.declare import DamagedError, UseCase
from mlops_assets.graph.leader import REACH
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.refs import Ref


def standing_entry(store: AssetStore, use_case: UseCase, partition: str, candidate_digest: str) -> Ref | None:
    """The newest entry of an earlier week, or the week's own where another candidate of the week became leader.

    So a week that is trained again must beat the leader it had itself made: none falls to a verdict that is not PASS.
    An entry of the same model is never its own rival. None when no entry stands yet.
    """
    asset = f"{use_case.name}/registry_entry"
    own = _of_another_model(store, asset, partition, candidate_digest)
    if own is not None:
        leader = store.load_ref(own, parts=("entry",)).records["entry"]["leader"]
        if leader and leader["partition"] == partition and leader["model_digest"] != candidate_digest:
            return own
    weeks = use_case.partitions.window(partition, -REACH, -1)
    return next(filter(None, (store.latest(asset, week) for week in reversed(weeks))), None)


def _of_another_model(store: AssetStore, asset: str, partition: str, candidate_digest: str) -> Ref | None:
    """The week's newest entry whose candidate was another model."""
    for generation in reversed(store.refs.generations(asset, partition)):
        try:
            ref = store.refs.read(asset, partition, generation)
            if store.load_ref(ref, parts=("entry",)).records["entry"]["candidate_digest"] != candidate_digest:
                return ref
        except DamagedError:
            continue  # what it said is lost, and fsck tells
    return None

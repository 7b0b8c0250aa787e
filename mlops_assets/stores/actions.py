"""The action behind a ref, written down and read back: which code, configuration and libraries made a publication.

All partitions that one step makes have these three in common, so they lie once in the store, as an object of their own
(the recipe), and a ref names it. What is an action lies in `core/actions.py`.
"""

from typing import Any

from mlops_assets.core.actions import Action
from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DamagedError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.provenance import Provenance
from mlops_assets.stores.ref import RECIPE, Ref


def code_record(store: AssetStore, action: Action, made: Provenance) -> dict[str, JSON]:
    """What a ref says of the code: commit, libraries, and the address of the recipe, which is in the store then."""
    return {
        "commit": made.commit.sha,
        "dirty": made.commit.dirty,
        "libraries": dict(made.libraries),
        "python": made.python,
        RECIPE: keep_recipe(store, action),
    }


def keep_recipe(store: AssetStore, action: Action) -> str:
    """The address of the recipe, written unless it is there; a damaged one is healed."""
    return store.keep_record(action.recipe)


def action_of(store: AssetStore, ref: Ref) -> Action | None:
    """The action that made a publication; None for one made before recipes were kept. Raises `DamagedError`."""
    address = ref.code.get(RECIPE)
    if address is None:
        return None
    try:
        recipe: dict[str, Any] = store.record(str(address))
    except DamagedError as damage:
        raise DamagedError(f"{ref.at}: its recipe cannot be read. {damage}") from damage
    return Action(asset=ref.asset, partition=ref.partition, inputs=dict(ref.inputs), **recipe)


def known(store: AssetStore, action: Action) -> Ref | None:
    """The publication that this very action made, if one is in the store and can still be told from damage."""
    try:
        return store.find(action.asset, action.partition, action_key=action.key)
    except DamagedError:
        return None  # it may have been that one: the work is done anew, and fsck names the damage

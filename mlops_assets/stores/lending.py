"""Taking from another store what an action made there: a branch or a replay reads a team's results, and writes none.

Here belongs bringing a publication over: every byte is verified as in any read, objects are hard links where both
stores are on one local disk and copies elsewhere, and each is in place whole or not at all. The lender is only read.
What is missing or damaged there is not known: the work is done anew.
"""

from collections.abc import Callable
from dataclasses import replace

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.actions import keep_recipe
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import RECIPE, Ref

LENT = "lent"  # in `about` of a ref: by which store, and which generation it was there
_ELSEWHERE = ("reused", "restored_generation")  # in `about`: they number the lender's generations


def lent(
    store: AssetStore, action: Action, warn: Callable[[str], None] = lambda _: None
) -> tuple[Ref, Artifact] | None:
    """The lender's publication that this action made, with its artifact, brought into the store but not published.

    The ref (generation 0) has the code, run and instant of its making and says in `about` who lent it;
    `AssetStore.publish_again` publishes it. None where the store has no lender, or the lender has no whole one; `warn`
    is told when that is for damage, or when nothing is there at all. Raises `OSError` when the store cannot be written.
    """
    lender = store.lender
    if lender is None:
        return None
    try:
        ref = lender.find(action.asset, action.partition, action_key=action.key)
        if ref is None:
            if not lender.objects.place.is_folder():
                warn(f"the lender {lender.objects.place} is not there: put it there, or correct MLOPS_LENDER.")
            return None
        artifact = lender.load_ref(ref)
    except (DataError, OSError) as amiss:
        warn(f"the lender {lender.objects.place} cannot lend {action.asset}@{action.partition}: {amiss}")
        return None
    if ref.code.get(RECIPE) != keep_recipe(store, action):
        warn(f"the lender's {ref.at} does not say how it was made: it is not taken from there.")
        return None
    for part in ref.parts.values():
        store.objects.take(lender.objects, part.address, part.suffix)
    about = {name: told for name, told in ref.about.items() if name not in _ELSEWHERE}
    by = {"by": str(lender.objects.place), "generation": ref.generation}
    return replace(ref, generation=0, about={**about, LENT: by}), artifact

"""A finished world read back: what a policy did, from what the world's own stores say. Nothing is written."""

from collections.abc import Mapping, Sequence

from mlops_assets.core.account import Policy, Sabotage
from mlops_assets.declare import UseCase
from mlops_assets.stores.settings import Settings


def tell(
    use_case: UseCase,
    places: Settings,
    *,
    name: str,
    changes: Mapping[str, str],
    weeks: Sequence[str],
    sabotage: Sequence[Sabotage] = (),
    seconds: float = 0.0,
    runs: int = 0,
) -> Policy:
    """What the policy `name` did in the world at `places`; `weeks` are those in which requests were asked.

    Weeks without a request and without a report are left out, so a replay that was cut short tells what it did.
    """
    raise NotImplementedError


def labelled(use_case: UseCase, places: Settings, weeks: Sequence[str]) -> dict[str, frozenset[str]]:
    """Week -> ids of the answered requests that have a label: what `against` is to count."""
    raise NotImplementedError

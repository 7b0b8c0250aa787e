"""Which trials a model declares: its own parameters first, then points of the grid.

Here belongs the expansion of the declared space, and what a trial is called. It knows no rows and no results.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from blake3 import blake3

from mlops_assets.core.estimators import plain_params
from mlops_assets.core.versions import canonical_json, record_version
from mlops_assets.declare.modelling import Model
from mlops_assets.declare.search import Search


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of hyperparameters to try. Trial 0 has the declared ones.

    `key` is its number and 8 characters over `params`, of A-Z a-z 0-9 _ alone: "t02_a1b2c3d4". `params` are all that
    are declared or tried, `changed` those that the search sets.
    """

    key: str
    params: Mapping[str, Any]
    changed: Mapping[str, Any]


def trials(model: Model) -> tuple[Trial, ...]:
    """The trials of a model, the declared parameters first; none without a search.

    The rest of the grid follows in declared order. Where `Search.trials` is less than all of it, a sample does: the
    points with the least hash of seed and changes (bottom-k sampling, Cohen & Kaplan 2007), so the same on every
    machine, and a search that is given more trials keeps those it had.
    """
    if model.search is None:
        return ()
    declared = dict(model.estimator.params)
    others = [changed for point in _grid(model.search) if (changed := _changed(declared, point))]
    drawn = sorted(range(len(others)), key=lambda place: _rank(model.seed, others[place]))[: model.search.trials - 1]
    tried: list[dict[str, Any]] = [{}, *(others[place] for place in sorted(drawn))]
    return tuple(
        Trial(
            key=f"t{number:02}_{record_version(plain_params(declared | changed))[:8]}",
            params=MappingProxyType(declared | changed),
            changed=MappingProxyType(changed),
        )
        for number, changed in enumerate(tried)
    )


def _grid(search: Search) -> list[dict[str, Any]]:
    return [dict(zip(search.space, values, strict=True)) for values in itertools.product(*search.space.values())]


def _changed(declared: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """What the point sets other than it is declared; 1, 1.0 and True are three values."""
    return {name: v for name, v in point.items() if name not in declared or repr(declared[name]) != repr(v)}


def _rank(seed: int, changed: Mapping[str, Any]) -> bytes:
    return bytes(blake3(canonical_json([seed, dict(changed)])).digest())

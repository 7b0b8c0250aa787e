"""The ingredients of a training side by side: as they were recorded, as they are here, and what differs in words.

Here belong code, configuration, seed, libraries, trials, as the actions of a model and its trials name them. It is pure
and knows no results: those are compared in `reproduction.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.core.actions import Action, Change, changes, sentence
from mlops_assets.core.versions import JSON, canonical_json

SEED = "model.seed"


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One line of the comparison. `same` is None for what is only told: it shapes no result."""

    name: str
    recorded: str
    here: str
    same: bool | None


def differences(recorded: Mapping[str, Action], here: Mapping[str, Action]) -> list[Change]:
    """What differs between the actions of one training, the model's and its trials', by "asset@partition"; each once.

    Of a trial that only one side has, the model's inputs tell.
    """
    found = [change for at in recorded if at in here for change in changes(recorded[at], here[at])]
    once = {(c.kind, c.name, c.what, canonical_json([c.before, c.after])): c for c in found}
    return list(once.values())


def told(change: Change) -> str:
    """The difference in words, recorded against here.

    >>> print(told(Change(kind="config", name="model.seed", what="changed", before=20130101, after=7)))
    config model.seed: 20130101 recorded, 7 here
    >>> print(told(Change(kind="library", name="scikit-learn", what="added", before=None, after="1.9.0")))
    library scikit-learn: not recorded, 1.9.0 here
    """
    if change.kind == "code":
        return sentence(change)
    before = "not" if change.what == "added" else _value(change, change.before)
    after = "absent" if change.what == "removed" else _value(change, change.after)
    return f"{change.kind} {change.name}: {before} recorded, {after} here"


def ingredients(
    recorded: Mapping[str, Action], here: Mapping[str, Action], model: str, *, tried: bool
) -> list[Ingredient]:
    """Code, configuration, seed, libraries and trials, a line each; `model` is the model's own "asset@partition".

    Code and configuration are those of all actions. `tried`: the trials were run here.
    """
    differing: Sequence[Change] = differences(recorded, here)
    kinds = [change.kind for change in differing]
    code = {name for action in recorded.values() for name in action.code}
    config = {name for action in recorded.values() for name in action.config}
    then, now = recorded[model], here[model]
    seeds = [str(action.config.get(SEED, "-")) for action in (then, now)]
    versions = [(n, then.libraries.get(n, "-"), now.libraries.get(n, "-")) for n in {**then.libraries, **now.libraries}]
    lines = [
        _counted("code", f"{len(code)} definitions", kinds.count("code")),
        _counted("configuration", f"{len(config)} values", kinds.count("config")),
        Ingredient(name="seed", recorded=seeds[0], here=seeds[1], same=seeds[0] == seeds[1]),
        *(Ingredient(name=name, recorded=v, here=w, same=v == w) for name, v, w in sorted(versions)),
    ]
    if (results := len(recorded) - 1) and tried:
        lines.append(_counted("trials", f"{results} results", kinds.count("input")))
    elif results:
        lines.append(Ingredient(name="trials", recorded=f"{results} results", here="not run", same=False))
    return lines


def _value(change: Change, value: JSON) -> str:
    if change.kind == "input":
        return str(value)[:12]
    return value if type(value) is str else canonical_json(value).decode()


def _counted(name: str, recorded: str, differ: int) -> Ingredient:
    here = {0: "the same", 1: "1 differs"}.get(differ, f"{differ} differ")
    return Ingredient(name=name, recorded=recorded, here=here, same=not differ)

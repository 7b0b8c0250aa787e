"""An action: everything the result of one step on one partition depends on, and the key that stands for it.

Here belong the key and the words for what differs between two actions. It is pure: who finds the ingredients is
`core/code`, `core/declared.py` and the store's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mlops_assets.core.versions import JSON, canonical_json, record_version

Kind = Literal["code", "config", "library", "input"]


@dataclass(frozen=True, kw_only=True)
class Action:
    """A step on a partition, with what shapes its result.

    `code`: definition -> "function:<digest>" (class, constant, module). `config`: path -> value of the declaration.
    `libraries`: distribution -> version. `inputs`: "asset@partition" or "file path" -> data version.
    """

    asset: str
    partition: str
    code: Mapping[str, str]
    config: Mapping[str, JSON]
    libraries: Mapping[str, str]
    inputs: Mapping[str, str]

    @property
    def recipe(self) -> dict[str, JSON]:
        """Code, config, libraries: what all partitions of a step share, as one JSON value.

        An action is had from it again: `Action(asset=..., partition=..., inputs=..., **recipe)`.
        """
        return {"code": dict(self.code), "config": dict(self.config), "libraries": dict(self.libraries)}

    @property
    def key(self) -> str:
        """64 hexadecimal characters: two actions of one key have the same result. Raises DataError as `record_version`.

        >>> plain = {"code": {}, "config": {"model.seed": 7}, "libraries": {}}
        >>> made = Action(asset="a/trained_model", partition="2013-02-11", inputs={}, **plain)
        >>> made.key[:16], made.code_version
        ('34c61630ac39fd1a', '74e9fc4a273d5805')
        """
        return record_version(
            {"asset": self.asset, "partition": self.partition, "inputs": dict(self.inputs), **self.recipe}
        )

    @property
    def code_version(self) -> str:
        """16 hexadecimal characters over the recipe, for Dagster: the same for all partitions and inputs."""
        return record_version(self.recipe)[:16]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One ingredient that two actions do not share. `before` is None for one that was added, `after` for one removed.

    A `before` or `after` of kind "config" may be None as a value, too: `what` tells.
    """

    kind: Kind
    name: str
    what: Literal["changed", "added", "removed"]
    before: JSON
    after: JSON


def changes(old: Action, new: Action) -> list[Change]:
    """What differs, code first, then config, libraries, inputs, each by name; empty where the keys are equal.

    Asset and partition are not compared: two weeks of one asset differ by their inputs.
    """
    compared: tuple[tuple[Kind, Mapping[str, JSON], Mapping[str, JSON]], ...] = (
        ("code", old.code, new.code),
        ("config", old.config, new.config),
        ("library", old.libraries, new.libraries),
        ("input", old.inputs, new.inputs),
    )
    return [
        _change(kind, name, before, after)
        for kind, before, after in compared
        for name in sorted({*before, *after})
        if name not in before or name not in after or canonical_json(before[name]) != canonical_json(after[name])
    ]


def sentence(change: Change) -> str:
    """The change in words.

    >>> print(sentence(Change(kind="config", name="model.seed", what="changed", before=7, after=8)))
    config model.seed: 7 -> 8
    >>> digest = "function:3e25"
    >>> print(sentence(Change(kind="code", name="mlops_assets.core.x.f", what="added", before=None, after=digest)))
    function core.x.f added
    """
    if change.kind == "code":
        sort = str(change.after if change.what != "removed" else change.before).partition(":")[0]
        return f"{sort} {change.name.removeprefix('mlops_assets.')} {change.what}"
    shown = _short if change.kind == "input" else _value
    named = f"{change.kind} {change.name}"
    if change.what == "added":
        return f"{named} added: {shown(change.after)}"
    if change.what == "removed":
        return f"{named} removed: {shown(change.before)}"
    return f"{named}: {shown(change.before)} -> {shown(change.after)}"


def _change(kind: Kind, name: str, before: Mapping[str, JSON], after: Mapping[str, JSON]) -> Change:
    what: Literal["changed", "added", "removed"] = (
        "added" if name not in before else "removed" if name not in after else "changed"
    )
    return Change(kind=kind, name=name, what=what, before=before.get(name), after=after.get(name))


def _short(version: JSON) -> str:
    return f"{str(version)[:4]}.."


def _value(value: JSON) -> str:
    return value if type(value) is str else canonical_json(value).decode()

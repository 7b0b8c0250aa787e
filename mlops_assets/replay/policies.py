"""Other policies than the declared one, each a TOML file that changes some fields of a use case's declaration.

A file has the tables `[retraining]`, `[concept]`, `[drift]`, `[rollout]`, `[rollout.quality]` with the fields of
`declare/`, and may have a `name`; whatever it does not name stays as it is declared. Examples: `docs/policies`.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mlops_assets.declare import DataError, DeclarationError, UseCase
from mlops_assets.declare.names import check_name

DECLARED = "declared"  # the name of the policy that changes nothing
TABLES = ("retraining", "concept", "drift", "rollout")  # what of a declaration a policy may change
NONE = "none"  # how a file says None, for which TOML has no word

_UNITS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
    "millisecond": timedelta(milliseconds=1),
    "microsecond": timedelta(microseconds=1),
}
_SPAN = re.compile(rf"(\d+) ?({'|'.join(_UNITS)})s?")
# what a field must be, in words; bool is no field's type
_WORDS = {int: "a whole number", float: "a finite number", str: "a text", timedelta: 'a text like "28 days"'}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A use case under a policy. `changes`: field -> its value here, as text ("retraining.max_age" -> "28 days")."""

    name: str
    use_case: UseCase
    changes: Mapping[str, str]


def policies(use_case: UseCase, paths: Iterable[Path]) -> tuple[Policy, ...]:
    """The declared policy, then those of files. Raises like `policy_of`, and DataError for a name that two have."""
    found = {DECLARED: Policy(name=DECLARED, use_case=use_case, changes={})}
    for path in paths:
        policy = policy_of(use_case, path)
        if policy.name in found:
            raise DataError(
                f"{path}: name == {policy.name!r}, another policy is called so: give it a `name` of its own."
            )
        found[policy.name] = policy
    return tuple(found.values())


def policy_of(use_case: UseCase, path: Path) -> Policy:
    """The policy of a file. Raises DataError for what is none, DeclarationError for a value that cannot be declared;

    both name the file and the field.
    """
    told = _read(path)
    name = check_name(f"{path}: name", told.pop("name", path.stem), error=DataError)
    _check_names(f"{path}", "table", told, TABLES)
    try:
        other = replace(use_case, **{table: _changed(f"{path}: {table}", getattr(use_case, table), values)
                                     for table, values in told.items()})  # fmt: skip
    except DeclarationError as refused:
        raise DeclarationError(f"{path}: {refused}") from None
    changes = {
        at: text
        for table in TABLES
        for at, text in _differences(table, *(getattr(u, table) for u in (use_case, other)))
    }
    if not changes:
        raise DataError(
            f"{path}: changes nothing that {use_case.name} declares: give a field of {TABLES} another value."
        )
    return Policy(name=name, use_case=other, changes=changes)


def as_text(value: Any) -> str:
    """A declared value as a policy file says it, a record or a list of them in short.

    >>> as_text(timedelta(weeks=4)), as_text(timedelta(hours=36)), as_text(None), as_text((0.5, 0.75))
    ('28 days', '36 hours', 'none', '0.5, 0.75')
    """
    if value is None:
        return NONE
    if isinstance(value, timedelta):
        unit = next(name for name, span in _UNITS.items() if name != "week" and not value % span)
        count = value // _UNITS[unit]
        return f"{count} {unit}{'' if count == 1 else 's'}"
    if isinstance(value, tuple):
        return ", ".join(map(as_text, value)) or NONE
    if is_dataclass(value) and not isinstance(value, type):
        return " ".join(f"{field.name} {as_text(getattr(value, field.name))}" for field in fields(value))
    return str(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as lost:
        raise DataError(f"{path}: cannot be read ({lost.strerror}): name the file of a policy.") from lost
    except ValueError as odd:  # no TOML, or no UTF-8
        raise DataError(f"{path}: is no TOML ({odd}): correct it.") from odd


def _changed(where: str, declared: Any, values: Any) -> Any:
    """The declared record with the fields of a table in the place of its own."""
    if not isinstance(values, Mapping):
        raise DataError(f"{where} == {values!r}, must be a table: write it as [name] and its fields below.")
    hints = get_type_hints(type(declared))
    _check_names(where, "field", values, [field.name for field in fields(declared)])
    given = {name: _value(f"{where}.{name}", hints[name], value, getattr(declared, name))
             for name, value in values.items()}  # fmt: skip
    return replace(declared, **given)


def _value(where: str, hint: Any, value: Any, declared: Any) -> Any:
    """A field's value as its type has it. Raises DataError for one of another type."""
    if get_origin(hint) is UnionType:  # all of them are "something or None"
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
        if value == NONE:
            return None
    if get_origin(hint) is Literal:
        hint = str  # which of them is checked where it is declared
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise DataError(f"{where} == {value!r}, must be a list: write it in [ ].")
        return tuple(_value(f"{where}[{n}]", get_args(hint)[0], one, None) for n, one in enumerate(value))
    if is_dataclass(hint):
        return _changed(where, declared, value) if declared is not None else _record(where, hint, value)
    made = _plain(hint, value)
    if made is None:
        raise DataError(f"{where} == {value!r}, must be {_WORDS[hint]}: correct it.")
    return made


def _record(where: str, kind: Any, values: Any) -> Any:
    """A new record of a table, of a list of them."""
    if not isinstance(values, Mapping):
        raise DataError(f"{where} == {values!r}, must be a table: write {{ name = value, ... }}.")
    hints = get_type_hints(kind)
    _check_names(where, "field", values, hints)
    try:
        return kind(**{name: _value(f"{where}.{name}", hints[name], value, None) for name, value in values.items()})
    except TypeError as lacking:
        raise DataError(f"{where} == {dict(values)}, is incomplete ({lacking}): give every field.") from None


def _plain(hint: Any, value: Any) -> Any:
    """A number, text or span; None where the value is none of that type."""
    if hint is timedelta:
        met = _SPAN.fullmatch(value) if isinstance(value, str) else None
        try:
            return None if met is None else int(met[1]) * _UNITS[met[2]]
        except (OverflowError, ValueError):  # a number of thousands of digits is none for int()
            return None
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    return value if hint in (int, str) and type(value) is hint else None


def _check_names(where: str, what: str, met: Iterable[str], known: Collection[str]) -> None:
    for name in met:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)
            raise DataError(f"{where}: {what} {name!r} is none of a policy: did you mean {' or '.join(near)}?")


def _differences(where: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    for field in fields(before):
        at, was, now = f"{where}.{field.name}", getattr(before, field.name), getattr(after, field.name)
        if is_dataclass(was):
            yield from _differences(at, was, now)
        elif was != now:
            yield at, as_text(now)

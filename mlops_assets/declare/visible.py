"""A declaration seen through a slit: only the fields that a step says it reads.

What decides whether a step's result can be used again is the part of the declaration it reads. So it is handed nothing
else: a field read without being named is refused at once, and can never be missing from what the result depends on.
"""

import dataclasses
from collections.abc import Collection
from typing import Any, TypeVar

from mlops_assets.declare.checking import known, refuse
from mlops_assets.declare.errors import DeclarationError

Record = TypeVar("Record")


def visible(declared: Record, paths: Collection[str]) -> Record:
    """A copy of a frozen record with the named fields alone: ("name", "tables", "promotion.metric").

    It is an instance of the same class, whose properties and methods work as far as these fields carry them; reading
    any other field raises DeclarationError, and so does a path that names nothing. `dataclasses.fields` and `replace`
    know the visible fields. Nothing is checked again: what was whole is valid.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> seen = visible(FLIGHT_DELAYS, ("name", "promotion.metric"))
    >>> seen.promotion.metric
    'log_loss'
    >>> seen.model  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mlops_assets.declare.errors.DeclarationError: flight_delays.model is not among the fields this step ...
    """
    return _restricted(declared, paths, str(getattr(declared, "name", type(declared).__name__)))


def _restricted(declared: Record, paths: Collection[str], where: str) -> Record:
    if isinstance(paths, str):
        raise refuse(where, "paths", paths, "must be a collection of paths", f"write ({paths!r},)")
    if not dataclasses.is_dataclass(declared) or isinstance(declared, type):
        raise refuse(where, "paths", sorted(paths), "only a record has fields", "name the whole value")
    below: dict[str, set[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, set()).add(rest)
    fields = {field.name: field for field in dataclasses.fields(declared)}
    for name in below:
        known(where, "path", name, fields)
    values = {
        # a field named whole is whole, whatever is named below it
        name: getattr(declared, name) if "" in rests else _restricted(getattr(declared, name), rests, f"{where}.{name}")
        for name, rests in ((name, below[name]) for name in fields if name in below)
    }
    sort = declared._sort if isinstance(declared, _Restricted) else type(declared)
    namespace: dict[str, Any] = {
        field.name: _Hidden(f"{where}.{field.name}") for field in dataclasses.fields(sort) if field.name not in below
    }
    namespace["_sort"] = sort
    namespace["__dataclass_fields__"] = {name: fields[name] for name in values}
    namespace |= {"__module__": sort.__module__, "__qualname__": sort.__qualname__, "__doc__": sort.__doc__}
    restricted: Any = type(sort.__name__, (_Restricted, sort), namespace)
    made: Record = restricted(**values)
    return made


class _Hidden:
    """In the place of a field, so that a default of the class does not show through either."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __get__(self, record: object, owner: type) -> Any:
        raise DeclarationError(
            f"{self.path} is not among the fields this step declares to read: name it in its `sees`."
        )


class _Restricted:
    """How a restricted copy is built, compared and shown: by its visible fields. `_sort` is the class of the whole."""

    _sort: type

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if name not in self._names():
                getattr(self, name)  # refused, by name
            object.__setattr__(self, name, value)

    def _names(self) -> tuple[str, ...]:
        return tuple(field.name for field in dataclasses.fields(self))  # type: ignore[arg-type]  # mixed into a record

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._names())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Restricted) or self._sort is not other._sort:
            return NotImplemented
        return self._names() == other._names() and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._names(), self._values(), strict=True))
        return f"{type(self).__qualname__}({shown}, ...)"

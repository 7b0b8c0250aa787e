"""What a declaration says, as flat JSON, and the code it brings: the configuration of a step and its entries.

Every field counts unless it stands in one of the two lists below: what is left out by mistake would let a stale result
stand, what is kept needlessly costs one run.
"""

import dataclasses
import datetime as dt
import functools
import math
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from types import CodeType, FunctionType
from typing import Any

from mlops_assets.core.versions import JSON, record_version
from mlops_assets.declare.errors import DeclarationError

TEXTS = frozenset({"doc", "owners"})  # fields for people: no value depends on them
SPEED = frozenset({"Model.threads", "Model.checkpoint_every"})  # how a model is made, never which

_TOP_LEVEL = "make it a top-level function of a module"


def config(declared: object, *, docs: bool = False) -> dict[str, JSON]:
    """Dotted path -> value of every field of a declared record and of all below it.

    Elements with a name are addressed by it, "tables[flights].columns[arr_delay].ge"; "tables[flights].columns" is the
    list of names in their order. The class of a record is a value, too ("model.class"); spans are microseconds, dates
    ISO texts, functions their dotted names, with what a nested function or a partial carries below them. Texts for
    people are left out unless `docs`. Raises DeclarationError naming the path of anything else.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> flights = config(FLIGHT_DELAYS)
    >>> flights["model.seed"], flights["requests.ahead"], flights["tables[flights].columns[arr_delay].ge"]
    (20130101, 7200000000, -180)
    """
    return _Found.of(declared, docs=docs).config


def functions(declared: object) -> list[Callable[..., Any]]:
    """All functions of a declaration in its order, each once; of a partial, the function it calls."""
    return _Found.of(declared).functions


def entries_of(declared: object) -> list[str]:
    """Where the code that a declaration brings begins: its functions and its records' classes, as dotted names, sorted.

    A nested function counts as the top-level definition around it, a lambda of a module's top level as the module. A
    single function is a declaration, too. Raises DeclarationError like `config`.

    >>> from mlops_assets.declare import AtRequest, Kind
    >>> asked = AtRequest(name="x", fn=math.isnan, reads=("y",), kind=Kind.BOOL)
    >>> entries_of(asked)
    ['math.isnan', 'mlops_assets.declare.features.AtRequest', 'mlops_assets.declare.kinds.Kind']
    """
    found = _Found.of(declared)
    return sorted({*map(_entry, found.functions), *map(_entry, found.classes)})


class _Found:
    """What a walk over a declaration has met."""

    def __init__(self, docs: bool) -> None:
        self.docs = docs
        self.config: dict[str, JSON] = {}
        self.functions: list[Callable[..., Any]] = []
        self.classes: set[type] = set()
        self._inside: list[object] = []  # the functions whose captured values are being walked

    @classmethod
    def of(cls, declared: object, *, docs: bool = False) -> "_Found":
        found = cls(docs)
        found.walk("", declared)
        return found

    def walk(self, path: str, value: object) -> None:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            self._record(path, value)
        elif isinstance(value, Mapping):
            self._mapping(path, value)
        elif isinstance(value, tuple | list):
            self._elements(path, value)
        elif isinstance(value, functools.partial):
            self.walk(path, value.func)
            self.walk(f"{path}.args", value.args)
            self.walk(f"{path}.keywords", value.keywords)
        elif callable(value) and not isinstance(value, Enum):
            self._function(path, value)
        else:
            self._put(path, self._plain(path, value))

    def _record(self, path: str, record: Any) -> None:
        sort = type(record)
        self.classes.add(sort)
        self._put(_below(path, "class"), _dotted(sort))
        for field in dataclasses.fields(record):
            speed = f"{sort.__name__}.{field.name}" in SPEED
            if not speed and (self.docs or field.name not in TEXTS):
                self.walk(_below(path, field.name), getattr(record, field.name))

    def _mapping(self, path: str, mapping: Mapping[Any, object]) -> None:
        wrong = [key for key in mapping if type(key) is not str]
        if wrong:
            raise DeclarationError(f"{path} has the key {wrong[0]!r}, must be a text: write it as one.")
        self._put(path, list(mapping))
        for key, value in mapping.items():
            self.walk(f"{path}[{key}]", value)

    def _elements(self, path: str, elements: tuple[Any, ...] | list[Any]) -> None:
        if not any(map(_has_parts, elements)):
            self._put(path, [self._plain(path, element) for element in elements])
            return
        names: list[Any] = [getattr(element, "name", None) for element in elements]
        named = all(type(name) is str for name in names) and len(set(names)) == len(names)
        self._put(path, names if named else len(elements))
        for name, element in zip(names if named else range(len(elements)), elements, strict=True):
            self.walk(f"{path}[{name}]", element)

    def _function(self, path: str, function: Any) -> None:
        if not _found_by_name(function):
            raise DeclarationError(f"{path} == {function!r} has no name by which its code is found: {_TOP_LEVEL}.")
        if function not in self.functions:
            self.functions.append(function)
        self._put(path, _dotted(function))
        if self.docs and not isinstance(function, type):
            self._put(f"{path}.doc", function.__doc__)
        if "<" in function.__qualname__:
            self._captured(path, function)

    def _captured(self, path: str, function: Any) -> None:
        """What a nested function or a lambda is beside its name: which of several, values around it, its defaults."""
        if any(function is outer for outer in self._inside):
            return  # it calls itself
        self._inside.append(function)
        try:
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            held = {name: cell.cell_contents for name, cell in cells}
            self._put(f"{path}.code", record_version(_instructions(function.__code__)))
            self.walk(f"{path}.closure", held)
            self.walk(f"{path}.defaults", function.__defaults__)
            self.walk(f"{path}.kwdefaults", function.__kwdefaults__)
        except (DeclarationError, ValueError) as refused:
            raise DeclarationError(
                f"{path} == {_dotted(function)} holds a value that is no plain one: {_TOP_LEVEL}. ({refused})"
            ) from refused
        self._inside.pop()

    def _plain(self, path: str, value: object) -> JSON:
        if isinstance(value, Enum):
            self.classes.add(type(value))
            return self._plain(path, value.value)
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else repr(float(value))
        if isinstance(value, dt.timedelta):
            return value // dt.timedelta(microseconds=1)
        if isinstance(value, dt.date | dt.time):  # a datetime is a date
            return value.isoformat()
        raise DeclarationError(
            f"{path} is a {_dotted(type(value))}, must be a record, tuple, mapping, function, enum, span, date, number "
            "or text: a result cannot be told to depend on it."
        )

    def _put(self, path: str, value: JSON) -> None:
        if path in self.config:
            raise DeclarationError(f"{path} is the path of two values: rename one of them.")
        self.config[path] = value


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _dotted(named: Any) -> str:
    return f"{named.__module__}.{named.__qualname__}"


def _has_parts(value: object) -> bool:
    return isinstance(value, Mapping | tuple | list) or dataclasses.is_dataclass(value) or callable(value)


def _found_by_name(function: Any) -> bool:
    """Whether module and name lead to the function, or (nested, a lambda) to the text it was made from.

    A method of an object does not: what the object holds is in no text.
    """
    name, module = getattr(function, "__qualname__", None), getattr(function, "__module__", None)
    if type(name) is not str or type(module) is not str:
        return False
    if "<" in name:
        return isinstance(function, FunctionType)
    found: Any = sys.modules.get(module)
    if found is None:
        return True  # `core/code` looks for it in the source
    for part in name.split("."):
        found = getattr(found, part, None)
    return bool(found == function)


def _instructions(code: CodeType) -> JSON:
    """What a piece of code does, told from another of the same name; not where it stands, nor its docstring."""
    # a def keeps its docstring, or None, as the first constant; "<lambda>" and "<listcomp>" have none
    held = code.co_consts if code.co_name.startswith("<") else code.co_consts[1:]
    constants = [
        _instructions(each) if isinstance(each, CodeType)
        else sorted(map(repr, each)) if isinstance(each, frozenset)
        else repr(each)
        for each in held
    ]  # fmt: skip
    return [code.co_code.hex(), constants, [*code.co_names, *code.co_varnames, *code.co_freevars]]


def _entry(named: Callable[..., Any]) -> str:
    """The top-level definition around a function or class; the module for a lambda of its top level."""
    around = named.__qualname__.split("<", 1)[0].rstrip(".")
    return ".".join(filter(None, [named.__module__, around]))

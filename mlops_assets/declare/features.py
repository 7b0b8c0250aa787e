"""Features: each names a column; when its values may be seen follows from the table's declaration.

`Last` is the last known value. `Count`, `Sum`, `Mean`, `Rate` are over the events that became known in the window
(as_of - window, as_of]. `AtRequest` is computed from the request's own row by a pure function. Nothing here can
name an instant: there is no way to ask for a value before it is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlops_assets.declare.checking import as_names, freeze, known, refuse
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.names import check_name


@dataclass(frozen=True, kw_only=True)
class _Feature:
    """What every feature says of itself. `stable`: a schedule or static fact, whose drift means a broken feed.

    `critical`: its drift alone is reason to act. `unit` is shown wherever the number is.
    """

    name: str
    unit: str = ""
    doc: str = ""
    stable: bool = False
    critical: bool = False

    def __post_init__(self) -> None:
        check_name("feature", self.name)


@dataclass(frozen=True, kw_only=True)
class _Lookup(_Feature):
    """A feature looked up in `table` by `key`: columns of the request.

    `table_key` are the columns of the looked-up table they must equal (the same names when left out). `missing` is the
    value where nothing is known: null when left out, and never for Count and Sum, which say 0.
    """

    table: str
    key: tuple[str, ...]
    table_key: tuple[str, ...] = ()
    missing: int | float | str | bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"feature {self.name!r}"
        key = as_names(where, "key", self.key)
        freeze(self, key=key, table_key=as_names(where, "table_key", self.table_key) or key)
        if not self.key:
            raise refuse(where, "key", self.key, "must name a column of the request", "say whose value it is")
        if len(self.key) != len(self.table_key):
            raise refuse(where, "table_key", self.table_key, f"must pair with key == {self.key}", "same length")


@dataclass(frozen=True, kw_only=True)
class Last(_Lookup):
    """The last value of `column` known at as_of, nulls passed over; null when older than `within`.

    `within=None` is for facts known ALWAYS (a static table), where a value has no age.
    """

    column: str
    within: timedelta | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.within is not None and not (isinstance(self.within, timedelta) and self.within > timedelta(0)):
            raise refuse(
                f"feature {self.name!r}", "within", self.within, "must be positive hours(..) or days(..)", "hours(6)"
            )


@dataclass(frozen=True, kw_only=True)
class _Windowed(_Lookup):
    window: timedelta
    column: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.window, timedelta) and self.window > timedelta(0)):
            raise refuse(
                f"feature {self.name!r}", "window", self.window, "must be positive hours(..) or days(..)", "hours(3)"
            )


class _Total(_Windowed):
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.missing is not None:
            raise refuse(f"feature {self.name!r}", "missing", self.missing, "an empty window counts and adds up to 0",
                         "leave it out")  # fmt: skip


class Count(_Total):
    """How many events with a value in `column` became known in the window: an int, 0 when none did."""


class Sum(_Total):
    """Exact sum of `column` over the window (INT, BOOL, or FLOAT with declared decimals); 0 when empty."""


class Mean(_Windowed):
    """Exact sum divided once by the count; null when the window is empty."""


class Rate(_Windowed):
    """Share (0..1) of true values of a BOOL column among those known in the window; null when empty."""


@dataclass(frozen=True, kw_only=True)
class AtRequest(_Feature):
    """`fn` of the request's own columns `reads` (whole Arrow arrays in, one array out, pure and row by row).

    Every column read must be known at as_of: ALWAYS, or at the request's own as_of instant.
    """

    fn: Callable[..., Any]
    reads: tuple[str, ...]
    kind: Kind

    def __post_init__(self) -> None:
        super().__post_init__()
        known(f"feature {self.name!r}", "kind", str(self.kind), map(str, Kind))
        freeze(self, reads=as_names(f"feature {self.name!r}", "reads", self.reads))


Windowed = Count | Sum | Mean | Rate
Feature = Last | Count | Sum | Mean | Rate | AtRequest


def hours(n: float) -> timedelta:
    """`n` hours."""
    return timedelta(hours=n)


def days(n: float) -> timedelta:
    """`n` days."""
    return timedelta(days=n)

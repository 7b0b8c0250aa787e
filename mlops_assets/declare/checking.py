"""How a record checks itself: one phrasing for every wrong field.

Knows nothing of what the records mean.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable
from zoneinfo import available_timezones

from mlops_assets.declare.errors import DeclarationError

# "localtime" is whatever this machine is set to, "Factory" says that nobody set it
ZONES = frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def refuse(where: str, field: str, value: object, rule: str, remedy: str) -> DeclarationError:
    """The error of one wrong field: where it was declared, what was met, which rule, what to do.

    >>> print(refuse("Column 'x'", "ge", 5, "must not exceed le == 3", "swap the bounds"))
    Column 'x': ge == 5, must not exceed le == 3: swap the bounds.
    """
    return DeclarationError(f"{where}: {field} == {value!r}, {rule}: {remedy}.")


def no_repeats(where: str, field: str, names: Iterable[str]) -> None:
    """Raises DeclarationError naming every name that stands twice."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise refuse(where, field, twice, "each name may stand once", "rename or remove one of each pair")


def known(where: str, field: str, value: str, allowed: Iterable[str]) -> None:
    """Raises DeclarationError unless `value` is one of `allowed`; the message lists them."""
    options = sorted(allowed)
    if value not in options:
        raise refuse(where, field, value, "names nothing that is declared", f"use one of {options}")


def a_zone(where: str, field: str, value: str) -> None:
    """Raises DeclarationError unless `value` names an IANA time zone.

    A continent such as 'America' does not, nor does a file of the machine's own such as 'localtime' or 'posix/UTC'.
    """
    if not isinstance(value, str) or value not in ZONES:
        raise refuse(where, field, value, "is no IANA zone", "e.g. 'America/New_York'")


def as_names(where: str, field: str, value: Iterable[str]) -> tuple[str, ...]:
    """A tuple of names; DeclarationError for the classic slip of a lone string, which is a tuple of letters.

    >>> as_names("feature 'x'", "key", "dest")
    Traceback (most recent call last):
    mlops_assets.declare.errors.DeclarationError: feature 'x': key == 'dest', must be a tuple of names: write ('dest',).
    """
    if isinstance(value, str):
        raise refuse(where, field, value, "must be a tuple of names", f"write ({value!r},)")
    return tuple(value)


def freeze(record: object, **values: object) -> None:
    """Set normalised fields on a frozen record while it is being built (only in `__post_init__`)."""
    names = {field.name for field in dataclasses.fields(record)}  # type: ignore[arg-type]  # always a record
    for name, value in values.items():
        if name not in names:
            raise TypeError(f"{type(record).__name__} has no field {name!r}")
        object.__setattr__(record, name, value)

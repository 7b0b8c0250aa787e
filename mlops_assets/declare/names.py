"""The one rule for names: a name that passes here may become a part of a path, and nothing else may.

Here belongs the rule and its message. It knows no disk: where a name ends up is the caller's business.
"""

import re

from mlops_assets.declare.errors import DeclarationError, MlopsError

_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,127}")
# Windows opens a device for these names, with any ending and in any case (learn.microsoft.com, "Naming Files").
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}


def check_name(kind: str, name: object, *, error: type[MlopsError] = DeclarationError) -> str:
    """Return `name` when it is safe as one part of a path on every system; refuse it otherwise.

    Safe is: 1 to 128 of the ASCII characters `A-Z a-z 0-9 . _ = -`, a letter or digit first, no `..`, no dot last,
    and no Windows device (`CON`, `nul.txt`). `kind` says where the name was given, and opens the message. `error` says
    whose fault a bad name is: `DeclarationError` (the use case's, the default) or `DataError` (the file's).

    >>> check_name("partition", "2013-W28")
    '2013-W28'
    >>> check_name("partition", "../../etc")
    Traceback (most recent call last):
        ...
    mlops_assets.declare.errors.DeclarationError: partition == '../../etc', must begin with a letter or a digit and \
hold only A-Z a-z 0-9 . _ = - (1 to 128 characters): rename it.
    """
    broken = _broken_rule(name)
    if broken is None and isinstance(name, str):
        return name
    shown = repr(name)
    shown = shown if len(shown) <= 90 else f"{shown[:80]}... ({len(shown)} characters)"
    raise error(f"{kind} == {shown}, {broken}: rename it.")


def _broken_rule(name: object) -> str | None:
    if not isinstance(name, str):
        return f"must be a text, not a {type(name).__name__}"
    if not _ALLOWED.fullmatch(name):
        return "must begin with a letter or a digit and hold only A-Z a-z 0-9 . _ = - (1 to 128 characters)"
    if ".." in name or name.endswith("."):
        return "must not hold '..' nor end with a dot"
    if name.split(".", 1)[0].upper() in _DEVICES:
        return "must not be a device name of Windows"
    return None

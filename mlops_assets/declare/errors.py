"""Whose fault it is. Three kinds of error, each says where, what value, which rule, what to do.

Nothing here knows Dagster: the shell decides which of them may be retried (none of these).
"""


class MlopsError(Exception):
    """The family: catch it at a door to print one clear line instead of a traceback."""


class DeclarationError(MlopsError, ValueError):
    """Yours: a use case declares something that cannot be true. Raised while the declaration is built."""


class DataError(MlopsError, ValueError):
    """The file's: bytes or rows broke a declared rule. Never retried, nothing is published."""


class DamagedError(DataError):
    """The disk's: stored bytes are not what was written. The message names the object and who refers to it."""


class IllegalTransition(MlopsError, RuntimeError):
    """Ours: a state machine was asked for a step that its table does not have."""

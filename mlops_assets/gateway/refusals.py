"""What a request is told that gets no answer: a status, and where, which value, which rule, what to do.

Here belong the refusal and its JSON. A refusal repeats at most 80 characters of what was sent.
"""

from typing import Any

import msgspec

_SHOWN = 80


class Refused(Exception):
    """A request that gets no answer. `retry_after` (whole seconds) says that the same may be answered later."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        where: str = "",
        value: str = "",
        rule: str = "",
        remedy: str = "",
        retry_after: int = 0,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after, self.more = status, code, retry_after, headers
        self.told = {"where": where, "value": value, "rule": rule, "remedy": remedy}

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers of the reply beside its content type."""
        told = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.more]
        return [*told, (b"retry-after", b"%d" % self.retry_after)] if self.retry_after else told

    @property
    def body(self) -> bytes:
        """`{"error": {"code", "message", "where", "value", "rule", "remedy"}}`; what is not known is left out."""
        told = {name: text for name, text in self.told.items() if text}
        return msgspec.json.encode({"error": {"code": self.code, "message": str(self), **told}})


def malformed(where: str, value: Any, rule: str, remedy: str) -> Refused:
    """400: something in the request is not what it must be.

    >>> print(malformed("rows", 0, "must be 1 or more", "send a row"))
    rows == 0, must be 1 or more: send a row.
    """
    seen = shown(value)
    return Refused(
        400, "malformed", f"{where} == {seen}, {rule}: {remedy}.", where=where, value=seen, rule=rule, remedy=remedy
    )


def not_now(code: str, message: str, *, retry_after: int = 1) -> Refused:
    """503: nothing is wrong with the request, it may be sent again after `retry_after` seconds."""
    return Refused(503, code, message, retry_after=retry_after)


def shown(value: Any) -> str:
    """A value for a message: short, printable, valid UTF-8."""
    text = repr(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

"""Who may change something over HTTP: two roles, a token each, and how a request shows one.

An operator moves the rollout; a feed brings outcomes and events; an operator may do what a feed may. Reading needs no
token. Here belongs where tokens lie and what is said to a request without the right one; never what it asked for.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.refusals import Refused

LEAST = 16  # characters: 96 bits of base64; ours have 43
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")  # RFC 6750, b64token

Headers = Sequence[tuple[bytes, bytes]]


class Role(Enum):
    """What a token is good for."""

    OPERATOR = "operator"
    FEED = "feed"

    @property
    def variable(self) -> str:
        """The environment variable that gives its token."""
        return f"MLOPS_{self.value.upper()}_TOKEN"

    def may(self, wanted: "Role") -> bool:
        """True when this role may do what `wanted` may."""
        return self is wanted or self is Role.OPERATOR


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The two tokens. They are in no representation of this record.

    >>> Tokens(operator="o" * 16, feed="f" * 16)
    Tokens()
    """

    operator: str = field(repr=False)
    feed: str = field(repr=False)

    def __post_init__(self) -> None:
        for role in Role:
            token = getattr(self, role.value)
            if len(token) < LEAST or not _PLAIN.issuperset(token):
                raise DataError(
                    f"the {role.value} token is too short or holds odd characters, must be {LEAST} or more of "
                    "A-Z a-z 0-9 - . _ ~ + / =: set another, e.g. `openssl rand -base64 32`."
                )
        if self.operator == self.feed:
            raise DataError("the operator's token and the feed's are the same: a feed could move the rollout, set two.")

    def role_of(self, token: str) -> Role | None:
        """The role of a token, None for any other text; the time it takes tells nothing of either token."""
        given = _digest(token)
        found = None
        for role in reversed(Role):
            if hmac.compare_digest(given, _digest(getattr(self, role.value))):
                found = role
        return found

    def admit(self, headers: Headers, wanted: Role) -> Role:
        """The role of a request by its headers (lower-case names). Raises Refused, with nothing of what was sent: 401

        where no token is shown, or none of ours; 403 where the role may not do what `wanted` may, and for a request
        that a page of another site sent.
        """
        shown = [value for name, value in headers if name == b"authorization"]
        if not shown:
            raise _unknown("a token is needed: send `Authorization: Bearer <token>`.")
        scheme, _, token = shown[0].decode("latin-1").partition(" ")
        role = self.role_of(token) if len(shown) == 1 and scheme.lower() == "bearer" else None
        if role is None:
            raise _unknown("there is no such token: send `Authorization: Bearer <token>`, once.")
        if not role.may(wanted):
            raise Refused(403, "role", f"a {role.value} may not do this: it needs the {wanted.value}'s token.")
        if _of_another_site(headers):
            raise Refused(403, "origin", "the request was sent by a page of another site: send it without one.")
        return role


def tokens(environ: Mapping[str, str], serving: str) -> Tokens:
    """The tokens of a gateway: from the environment, else from files of the folder `serving`, made at the first time.

    Raises DataError when `serving` is a database and the environment has none, when a file is open to others than its
    owner, and for tokens that are too weak or the same.
    """
    for role in Role:
        if not environ.get(role.variable) and "://" not in serving and not (path := _path(serving, role)).exists():
            _make(path)
    return Tokens(**{role.value: token(environ, serving, role) for role in Role})


def token(environ: Mapping[str, str], serving: str, role: Role) -> str:
    """The token of one role, as it is: what a client shows. Raises DataError when there is none (see `tokens`)."""
    if given := environ.get(role.variable):
        return given
    if "://" in serving:
        raise DataError(f"{role.variable} is not set, and the serving place is a database, which keeps none: set it.")
    path = _path(serving, role)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise DataError(f"{path} is open to others than its owner: `chmod 600` it, or remove it for a new one.")
            return file.read(4096).decode("ascii", "replace").strip()
    except OSError as absent:
        raise DataError(
            f"{role.variable} is not set, and {path} cannot be read ({absent.strerror}): set it."
        ) from absent


def _path(serving: str, role: Role) -> Path:
    return Path(serving) / f"{role.value}.token"


def _make(path: Path) -> None:
    """Put a new token in place whole, readable by its owner alone, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_urlsafe(32).encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)  # atomic, and unlike a rename it never replaces
    finally:
        aside.unlink()


def _unknown(sentence: str) -> Refused:
    """A 401 says how to do better (RFC 9110, 11.6.1)."""
    return Refused(401, "token", sentence, headers=(("WWW-Authenticate", 'Bearer realm="mlops"'),))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _of_another_site(headers: Headers) -> bool:
    """True when a browser says that a page of another origin sent the request (Fetch standard, 3.2)."""
    found = dict(headers)
    if found.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        return True
    origin = found.get(b"origin")
    return origin is not None and urlsplit(origin.decode("latin-1")).netloc != found.get(b"host", b"").decode("latin-1")

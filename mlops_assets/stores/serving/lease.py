"""The lease of the controllers, and silence: who may raise a share, and whether anybody is heard of.

No wall clocks are compared between processes. Whoever lives counts beats; whoever watches measures by an own monotonic
clock for how long a counter has not changed.
"""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.tables import LEASE

NOBODY = ""  # the holder of a lease that was let go
# made once: that takes longer than asking
_LOOK = select(LEASE.c.holder, LEASE.c.token, LEASE.c.beats).where(LEASE.c.use_case == bindparam("asked"))
_CHANGE = update(LEASE).where(LEASE.c.use_case == bindparam("asked"))


class Lease(NamedTuple):
    """Who holds it: `token` is one more for every holder (a fence against the last), `beats` counts signs of life."""

    holder: str
    token: int
    beats: int


class Leases:
    """The lease of a use case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self) -> Lease | None:
        """The lease as it stands; None when nobody ever held it."""
        with self._database.reading() as connection:
            return read(connection, self._database.use_case)

    def take(self, holder: str, seen: Lease | None) -> Lease | None:
        """Take the lease that stands as `seen` (None: never held), which was found silent; None when it moved since."""
        with self._database.writing() as connection:
            if read(connection, self._database.use_case) != seen:
                return None
            return self._write(connection, seen, Lease(holder, seen.token + 1 if seen else 1, 1))

    def beat(self, lease: Lease) -> Lease | None:
        """A sign of life; None when the lease is another's by now."""
        with self._database.writing() as connection:
            stands = read(connection, self._database.use_case)
            if stands is None or (stands.holder, stands.token) != (lease.holder, lease.token):
                return None
            return self._write(connection, stands, stands._replace(beats=stands.beats + 1))

    def release(self, lease: Lease) -> None:
        """Let go of it, so that the next one need not wait for silence; nothing when it is another's by now."""
        with self._database.writing() as connection:
            stands = read(connection, self._database.use_case)
            if stands is not None and (stands.holder, stands.token) == (lease.holder, lease.token):
                self._write(connection, stands, stands._replace(holder=NOBODY))

    def _write(self, connection: Connection, before: Lease | None, lease: Lease) -> Lease:
        use_case = self._database.use_case
        if before is None:
            connection.execute(insert(LEASE).values(use_case=use_case, **lease._asdict()))
        else:
            connection.execute(_CHANGE, {"asked": use_case, **lease._asdict()})
        return lease


def read(connection: Connection, use_case: str) -> Lease | None:
    """The lease within a transaction."""
    row = connection.execute(_LOOK, {"asked": use_case}).one_or_none()
    return None if row is None else Lease(*row)


class Silence:
    """For how long something that counts its signs of life has not been heard, by a monotonic clock in seconds.

    Nothing is heard of before its first change: what stood there when one came may be long dead.

    >>> now = iter([0.0, 1.0, 3.0]).__next__
    >>> heard = Silence(now)
    >>> [heard.of("a", 7), heard.of("a", 8), heard.of("a", 8)]
    [inf, 0.0, 2.0]
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._met: dict[str, tuple[object, float, float]] = {}

    def of(self, name: str, sign: object) -> float:
        """Seconds since the sign of `name` changed; infinite while it was not seen to change."""
        now = self._monotonic()
        last, changed, since = self._met.get(name, (sign, -float("inf"), now))
        if last != sign:
            changed = now
        self._met[name] = (sign, changed, since)
        return now - changed

    def unchanged(self, name: str, sign: object) -> float:
        """Seconds for which the sign of `name` has been as it is, as far as it was watched: at least so long."""
        self.of(name, sign)
        _, changed, since = self._met[name]
        return self._monotonic() - max(changed, since)

"""The online store on a Redis server: one sorted set of running totals by (series, key).

A look-up is one seek for each ask, all asks of a request in one transaction. All arithmetic is that of
`totals.rewritten`: Redis only keeps and finds bytes (`members.py`), so no number ever becomes a float. How safe a
finished change is against a crash of the server is the server's `appendfsync`; all of it can be made again.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice

from mlops_assets.core.online.store import Ask, refuse_pruned
from mlops_assets.core.online.totals import Applied, Change, Total, rewritten
from mlops_assets.declare import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.online import members
from mlops_assets.stores.online.redis_server import Command, RedisServer

_FORMAT = b"1"
_PRUNED_AT_ONCE = 500  # sorted sets in one transaction of `prune`
_ONE = (b"LIMIT", b"0", b"1")  # as bytes, which the client need not encode for each ask

Where = tuple[str, bytes]  # series, key


class RedisStore:
    """An `OnlineStore` under `namespace` on the server at `url`, for any number of threads, processes and machines.

    Raises DataError where the server cannot be reached or used (the message hides user and password), DamagedError when
    it has lost the store, DeclarationError for a namespace that is no name.
    """

    def __init__(self, url: str, namespace: str) -> None:
        prefix = f"mlops:online:{check_name('namespace of the online store', namespace)}:".encode()
        self._totals = prefix + b"totals:"
        self._about, self._notes, self._names = (prefix + name for name in (b"about", b"notes", b"names"))
        self._server = RedisServer(url, namespace)
        self._server.ask([("HSETNX", self._about, "format", _FORMAT)])
        self._state()

    def __repr__(self) -> str:
        return f"RedisStore({self._server.name})"

    def look_up(self, as_of: int, asks: Sequence[Ask]) -> list[Total | None]:
        seeks = [self._last_until((series, key), members.until(t)) for series, key, t in asks]
        about, *found = self._server.ask([self._asks_state(), *seeks], at_once=True)
        refuse_pruned(as_of, self._checked(about))
        return [_total(last) for last in found]

    def apply(self, changes: Mapping[Where, Change], notes: Mapping[str, str] | None = None) -> Applied:
        return self._server.change(
            [self._set(where) for where in changes], partial(self._rewrite, changes, notes or {})
        )

    def totals(self, series: str, key: bytes, after: int, until: int) -> list[Total]:
        (found,) = self._server.ask([self._range((series, key), members.after(after), members.until(until))])
        return [members.total_of(one) for one in found]

    def prune(self, as_of: int, reach: Mapping[str, int]) -> int:
        """Readers are refused first, then totals go a part at a time: a prune that was cut short goes on when rerun."""
        if not self._server.change([self._about], partial(self._announce, as_of)):
            return 0
        gone, names = 0, self._server.scan(self._names)
        while some := list(islice(names, _PRUNED_AT_ONCE)):
            old = {where: as_of - reach[where[0]] for where in map(_where, some) if where[0] in reach}
            gone += self._server.change([self._set(where) for where in old], partial(self._forget, old))
        return gone

    @property
    def kept_since(self) -> int | None:
        return self._state()

    def note(self, name: str) -> str | None:
        (text,) = self._server.ask([("HGET", self._notes, name)])
        return None if text is None else str(text.decode())

    def entries(self) -> int:
        (count,) = self._server.ask([("HGET", self._about, "entries")])
        return int(count or 0)

    def close(self) -> None:
        """Give the connections back."""
        self._server.close()

    def _rewrite(self, changes: Mapping[Where, Change], notes: Mapping[str, str]) -> tuple[list[Command], Applied]:
        self._state()
        commands, applied, more = list[Command](), Applied(), 0
        for where, (before, tail) in self._found(changes).items():
            new = rewritten(before, tail, changes[where])
            applied += new.applied
            more += len(new.totals) - len(tail)
            there, wanted = dict.fromkeys(map(members.member, tail)), dict.fromkeys(map(members.member, new.totals))
            if gone := [one for one in there if one not in wanted]:
                commands.append(("ZREM", self._set(where), *gone))
            if come := [part for one in wanted if one not in there for part in (0, one)]:
                commands.append(("ZADD", self._set(where), *come))
            if before is None and bool(tail) != bool(wanted):
                commands.append(("SADD" if wanted else "SREM", self._names, _name(where)))
        commands.append(("HINCRBY", self._about, "entries", more))
        commands += [("HSET", self._notes, name, text) for name, text in notes.items()]
        return commands, applied

    def _found(self, changes: Mapping[Where, Change]) -> dict[Where, tuple[Total | None, list[Total]]]:
        """For each change the last total before it, and all totals from there on."""
        lasts = self._server.ask([self._last_until(where, members.END) for where in changes])
        found = {where: (_total(last), list[Total]()) for where, last in zip(changes, lasts, strict=True)}
        late = [where for where, (last, _) in found.items() if last and last[:2] >= changes[where].first]
        asks = [self._last_until(where, members.before(changes[where].first)) for where in late]
        asks += [self._range(where, members.at(changes[where].first), members.END) for where in late]
        answers = self._server.ask(asks)
        for where, before, tail in zip(late, answers[: len(late)], answers[len(late) :], strict=True):
            found[where] = (_total(before), [members.total_of(one) for one in tail])
        return found

    def _announce(self, as_of: int) -> tuple[list[Command], bool]:
        kept_since = self._state()
        if kept_since is not None and as_of < kept_since:
            return [], False
        return [("HSET", self._about, "kept_since", as_of)], True

    def _forget(self, old: Mapping[Where, int]) -> tuple[list[Command], int]:
        """Of each key everything up to an instant, but for the last of it where something comes after."""
        lasts = self._server.ask([self._last_until(where, members.until(t)) for where, t in old.items()])
        nexts = self._server.ask([self._range(where, members.after(t), members.END, *_ONE) for where, t in old.items()])
        goes: list[tuple[Where, bytes]] = []  # up to which bound
        for where, last, come in zip(old, lasts, nexts, strict=True):
            if last:
                goes.append((where, b"(" + last[0] if come else members.END))
        gone = sum(self._server.ask([("ZLEXCOUNT", self._set(where), members.START, end) for where, end in goes]))
        commands: list[Command] = [("ZREMRANGEBYLEX", self._set(where), members.START, end) for where, end in goes]
        commands += [("SREM", self._names, _name(where)) for where, end in goes if end == members.END]
        return [*commands, ("HINCRBY", self._about, "entries", -gone)], gone

    def _state(self) -> int | None:
        (about,) = self._server.ask([self._asks_state()])
        return self._checked(about)

    def _asks_state(self) -> Command:
        return ("HMGET", self._about, "format", "kept_since")

    def _checked(self, about: Sequence[bytes | None]) -> int | None:
        """`kept_since`, when the store is there and one of ours."""
        met, kept_since = about
        if met is None:
            raise DamagedError(
                f"online store {self._server.name}: it is no longer there (the server was emptied, or restarted "
                "without persistence): materialize online_features again."
            )
        if met != _FORMAT:
            raise DataError(
                f"online store {self._server.name}: format == {met.decode(errors='replace')!r}, must be "
                f"{_FORMAT.decode()!r}: name another namespace and materialize online_features there."
            )
        return None if kept_since is None else int(kept_since)

    def _set(self, where: Where) -> bytes:
        return self._totals + _name(where)

    def _range(self, where: Where, start: bytes, end: bytes, *limit: bytes) -> Command:
        return ("ZRANGE", self._set(where), start, end, b"BYLEX", *limit)

    def _last_until(self, where: Where, end: bytes) -> Command:
        return ("ZRANGE", self._set(where), end, members.START, b"BYLEX", b"REV", *_ONE)


def _name(where: Where) -> bytes:
    series, key = where
    return series.encode() + b"\0" + key  # no series has NUL in its name


def _where(name: bytes) -> Where:
    series, _, key = name.partition(b"\0")
    return series.decode(), key


def _total(found: Sequence[bytes]) -> Total | None:
    return members.total_of(found[0]) if found else None

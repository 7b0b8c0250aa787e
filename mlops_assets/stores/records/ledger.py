"""The ledger: every decision about a model, appended once, never changed; and what was live when.

Here belongs appending and reading. Whether the chain is whole is `chain.py`'s business.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.records import chain
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.records.entry import ALIAS, RETRAINING, ROLLOUT, Entry, entry_after, instant
from mlops_assets.stores.records.head import Head
from mlops_assets.stores.records.tables import LEDGER

# in the order an append reaches them; those of the head are the ones of every whole write to disk
CRASH_POINTS = (
    "record.appended",  # the row is there, not committed
    "record.committed",  # it is on disk, the head lags
    *(f"record.{step}" for step in ("temp", "write", "written", "synced", "renamed", "kept")),
)


class Ledger:
    """The ledger of a database of records."""

    def __init__(self, database: Database) -> None:
        self._database, self._head = database, Head(database.path)

    def append(
        self, *, at: str, use_case: str, kind: str, subject: str, who: str, why: str,
        evidence: Mapping[str, JSON], once: str,
    ) -> Entry:  # fmt: skip
        """Write one decision down and return its entry; the entry that stands when `once` was appended before.

        `once` names the decision among those of all use cases; told again, it may have another `at` and `who`. `at` is
        an ISO 8601 instant with its zone, `kind` one of `KINDS` but those that move a stage (`Records.set_alias` and
        `Records.tell_rollout` write them) and those about retraining (`Records.retrainings` does). Raises DataError for
        the same `once` with another decision and for a field that cannot be recorded, DamagedError when the ledger was
        cut off or rewritten.
        """
        if kind == ALIAS or kind in ROLLOUT:
            through = "set_alias" if kind == ALIAS else "tell_rollout"
            raise DataError(f"ledger: kind == {kind!r}: write it through `{through}`, it keeps the stages in step.")
        if kind in RETRAINING:
            raise DataError(
                f"ledger: kind == {kind!r}: write it through `Records.retrainings`, it keeps the decisions."
            )
        with self.appending() as connection:
            return append_in(
                connection, at=at, use_case=use_case, kind=kind, subject=subject, who=who, why=why,
                evidence=evidence, once=once,
            )  # fmt: skip

    @contextmanager
    def appending(self) -> Iterator[Connection]:
        """One transaction that may append: first the chain's end is compared with its head, at last the head follows.

        Raises DamagedError when the end is not what it was: an append would bury the evidence.
        """
        with self._database.writing() as connection:
            self._check(connection)
            yield connection
            reach("record.appended")
        reach("record.committed")
        with self._database.writing() as connection:  # with the lock, so that no head goes back
            self._settle(connection)

    def entries(self, use_case: str | None = None, *, until: str | None = None) -> list[Entry]:
        """Every entry in order, or those of a use case, or those of decisions up to an instant (ISO 8601)."""
        with self._database.reading() as connection:
            return read_entries(connection, use_case, until=until)

    def has(self, once: str) -> bool:
        """True when the decision of that name was written down."""
        with self._database.reading() as connection:
            return find(connection, once) is not None

    def at(self, moment: str) -> dict[str, dict[str, Entry]]:
        """What was live at an instant (ISO 8601): use case -> alias -> the entry that had set it."""
        return standing(self.entries(until=moment))

    def verify(self) -> list[chain.Finding]:
        """Everything that is wrong with the ledger; empty when it is whole."""
        with self._database.writing() as connection:  # with the lock, so that the head is not ahead of what is read
            return chain.findings(connection, self._head)

    def repair(self) -> None:
        """Write a lost head and make lost guards again, where nothing else is wrong: all else cannot be mended here."""
        with self._database.writing() as connection:
            kinds = {finding.kind for finding in chain.findings(connection, self._head)}
            if kinds and kinds <= set(chain.MENDABLE):
                chain.make_guards(connection)
                self._settle(connection)

    def _check(self, connection: Connection) -> None:
        if broken := chain.end_findings(connection, self._head):
            raise DamagedError(
                f"nothing was recorded: {broken[0].what}: {broken[0].remedy}. `mlops doctor` tells all that is wrong."
            )
        if self._head.read() is None:
            self._head.write(0, "")  # before the first entry: where there are entries, a head has been

    def _settle(self, connection: Connection) -> None:
        last = last_entry(connection)
        seq, hash_ = (last.seq, last.hash) if last else (0, "")
        if (seq, hash_) != self._head_or_none():
            self._head.write(seq, hash_)

    def _head_or_none(self) -> tuple[int, str] | None:
        try:
            return self._head.read()
        except DamagedError:
            return None  # it is written anew in a moment


def append_in(connection: Connection, *, once: str, at: str, evidence: Mapping[str, JSON], **told: str) -> Entry:
    """`Ledger.append` within `Ledger.appending`, of any kind."""
    new = entry_after(last_entry(connection), at=at, evidence=evidence, once=once, **told)
    stands = find(connection, once)
    if stands is None:
        connection.execute(insert(LEDGER).values(asdict(new)))
        return new
    if not stands.decides_the_same_as(new):
        raise DataError(
            f"ledger: once == {once!r} is entry {stands.seq} ({stands.kind} of {stands.subject}: {stands.why}), "
            f"must be the same decision, met {new.kind} of {new.subject}: {new.why}: "
            "give another decision a name of its own."
        )
    return stands


def find(connection: Connection, once: str) -> Entry | None:
    """The entry of that idempotency key; None when there is none."""
    row = connection.execute(select(LEDGER).where(LEDGER.c.once == once)).mappings().one_or_none()
    return None if row is None else Entry(**row)


def read_entries(
    connection: Connection, use_case: str | None = None, *, kinds: Collection[str] = (), until: str | None = None
) -> list[Entry]:
    """Entries in order: all, or those of a use case, of some kinds, of decisions up to an instant (ISO 8601)."""
    asked = select(LEDGER).order_by(LEDGER.c.seq)
    if use_case is not None:
        asked = asked.where(LEDGER.c.use_case == use_case)
    if kinds:
        asked = asked.where(LEDGER.c.kind.in_(kinds))
    if until is not None:
        asked = asked.where(LEDGER.c.at <= instant(until))
    return [Entry(**row) for row in connection.execute(asked).mappings()]


def last_entry(connection: Connection) -> Entry | None:
    """The newest entry; None in an empty ledger."""
    row = connection.execute(select(LEDGER).order_by(LEDGER.c.seq.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else Entry(**row)


def standing(entries: Iterable[Entry]) -> dict[str, dict[str, Entry]]:
    """Use case -> alias -> the entry that set it last; an alias that points nowhere is not there."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.kind == ALIAS:
            alias, version = entry.points
            aliases = found.setdefault(entry.use_case, {})
            aliases.pop(alias, None)
            if version is not None:
                aliases[alias] = entry
    return found

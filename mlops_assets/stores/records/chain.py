"""Is the ledger what was written? Each entry by its own hash, its place by the one before, the end by the head.

Here belongs what can be wrong and what to do about it. Nothing is mended. Whoever can write the database and its head
can make another whole chain: against that a copy elsewhere helps, and what MLflow and the store say of the versions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.records.entry import FIRST, Entry
from mlops_assets.stores.records.head import Head
from mlops_assets.stores.records.tables import GUARDS, LEDGER
from mlops_assets.stores.transactions import driver

MENDABLE = ("head", "guard")  # kinds of findings that may be mended where there are no others
_BACKUP = "compare with your newest backup of the records and put back what is right"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: of what kind, in words, and what to do."""

    kind: str  # changed, gap, order, head, cut, rewritten, guard
    what: str
    remedy: str


def findings(connection: Connection, head: Head) -> list[Finding]:
    """Every changed entry, gap, entry out of its place, missing guard, and what is wrong with the end."""
    found, expected, previous = [], 1, FIRST
    for entry in _entries(connection):
        where = f"entry {entry.seq} of the ledger"
        if entry.seq < expected:
            found.append(Finding("order", f"{where} was never written: it was put there", _BACKUP))
            continue
        if entry.seq > expected:
            gone = f"entries {expected} to {entry.seq - 1} of the ledger are missing"
            found.append(Finding("gap", gone, _BACKUP))
        elif entry.previous != previous:
            found.append(Finding("order", f"{where} does not follow on the one before it: one was put there", _BACKUP))
        if not _is_whole(entry):
            found.append(Finding("changed", f"{where} is not what was written: a field of it was changed", _BACKUP))
        expected, previous = entry.seq + 1, entry.hash
    return found + end_findings(connection, head) + _guards(connection)


def end_findings(connection: Connection, head: Head) -> list[Finding]:
    """What is wrong with the end: a head that is lost or damaged, entries that are gone, another ledger's file."""
    last = connection.execute(select(LEDGER.c.seq).order_by(LEDGER.c.seq.desc()).limit(1)).scalar_one_or_none() or 0
    rewrite = f"{_BACKUP}; when nothing is missing, `mlops doctor --repair` writes the head anew"
    try:
        known = head.read()
    except DamagedError as damage:
        lost = f"{str(damage).rstrip('.')}, so nobody can tell whether the ledger's end is there"
        return [Finding("head", lost, rewrite)]
    if known is None:
        lost = f"{head} is missing, so nobody can tell whether entry {last} is the ledger's last"
        return [Finding("head", lost, rewrite)] if last else []
    seq, hash_ = known
    if seq > last:
        gone = f"entries {last + 1} to {seq} of the ledger were written and are gone: it was cut off, or is an old copy"
        return [Finding("cut", gone, f"{_BACKUP}; to begin anew, move the database and its head away together")]
    with _any_bytes(connection):
        there = connection.execute(select(LEDGER.c.hash).where(LEDGER.c.seq == seq)).scalar_one_or_none() or ""
    if there != hash_:
        other = f"entry {seq} of the ledger is another than its head {head} names: it was rewritten"
        return [Finding("rewritten", other, _BACKUP)]
    return []


def _entries(connection: Connection) -> Iterator[Entry]:
    with _any_bytes(connection):
        for row in connection.execute(select(LEDGER).order_by(LEDGER.c.seq)).mappings():
            yield Entry(**row)


@contextmanager
def _any_bytes(connection: Connection) -> Iterator[None]:
    """Texts that are no longer UTF-8 are read nevertheless: they are what is looked for."""
    raw = driver(connection)
    before = raw.text_factory
    raw.text_factory = lambda met: met.decode(errors="surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = before


def _is_whole(entry: Entry) -> bool:
    try:
        return entry.computed_hash() == entry.hash
    except DataError:
        return False  # a value that no entry can hold


def _guards(connection: Connection) -> list[Finding]:
    there = dict(driver(connection).execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    lost = sorted(name for name, guard in GUARDS.items() if there.get(name) != guard)
    what = f"the ledger lost what refuses changes ({', '.join(lost)}): somebody prepared to change it"
    remedy = f"{_BACKUP}; when nothing was changed, `mlops doctor --repair` makes them again"
    return [Finding("guard", what, remedy)] if lost else []


def make_guards(connection: Connection) -> None:
    """Make the triggers again that refuse changes of the ledger."""
    for name, guard in GUARDS.items():
        driver(connection).execute(f"DROP TRIGGER IF EXISTS {name}")
        driver(connection).execute(guard)

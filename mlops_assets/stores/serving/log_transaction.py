"""One transaction of the prediction log: records are numbered, written once, and each is told what became of it."""

from typing import Any

import msgspec

from mlops_assets.stores.serving.log_records import (
    WAITING,
    WRITTEN,
    Answered,
    Failed,
    Labelled,
    Mirrored,
    Outcome,
    Record,
    Told,
    same_request,
)
from mlops_assets.stores.serving.log_session import Row, Session
from mlops_assets.stores.serving.log_tables import LAST, TABLE_OF

_KINDS: tuple[type[Record], ...] = (Answered, Mirrored, Labelled, Failed)


class Transaction:
    """The records of one transaction, numbered by kind: answers first, since the other kinds speak of them."""

    def __init__(self, session: Session, records: list[Record], begun: set[str]) -> None:
        self._session = session
        self._order = sorted(range(len(records)), key=lambda at: _KINDS.index(type(records[at])))
        self._records = records
        self.begins = {r.rollout for r in records if isinstance(r, Answered) and r.rollout} - begun

    def written(self) -> list[Outcome]:
        (last,) = self._session.rows(LAST)
        first = max(last) + 1
        outcomes: list[Outcome] = [WRITTEN] * len(self._records)
        for kind in _KINDS:
            mine = [(n, at) for n, at in enumerate(self._order, first) if type(self._records[at]) is kind]
            if not mine:
                continue
            rows: list[Row] = [(n, *msgspec.structs.astuple(self._records[at])) for n, at in mine]
            if self._session.insert(TABLE_OF[kind], rows) < len(rows):
                for n, at in mine:
                    outcomes[at] = self._met(n, self._records[at])
            if kind is Labelled:
                for _, at in mine:
                    if outcomes[at] is WRITTEN and not self._find(Answered, self._records[at]):
                        outcomes[at] = WAITING
        for rollout in sorted(self.begins):
            self._session.insert("began", [(rollout, first)])
        return outcomes

    def _met(self, n: int, record: Record) -> Outcome:
        """What became of a record some of whose kind were not written."""
        found = self._find(type(record), record)
        if not found:
            raise RuntimeError(f"{record} was neither written nor there: numbers came twice")
        if found[0][0] == n:
            return WRITTEN
        stored: Any = type(record)(**dict(zip(type(record).__struct_fields__, found[0][1:], strict=True)))
        return Outcome(Told.REPEATED if _the_same(record, stored) else Told.CONFLICT, stored)

    def _find(self, kind: type[Record], record: Record) -> list[Row]:
        if isinstance(record, Failed):
            return []
        return self._session.rows(f"SELECT * FROM {TABLE_OF[kind]} WHERE id = ?", [record.id])  # noqa: S608  ours


def _the_same(record: Record, stored: Record) -> bool:
    if isinstance(record, Answered) and isinstance(stored, Answered):
        return same_request(record, stored)
    if isinstance(record, Labelled) and isinstance(stored, Labelled):
        return record.label == stored.label
    return True  # an answer that nobody waited for: the first stands

"""The one way in for what becomes known: files and single events, to the offline history and the online store.

    event -> gate -> journal (durable: this is "accepted") -> online store
    file  -> gate -> validated_dataset -> journal (so that the same by an event is a duplicate) -> online store

Every step may be done again: what is there stays. Whoever is killed between the journal and the online store loses
nothing, the next one catches up.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from mlops_assets.core.arrivals import arrival_column
from mlops_assets.core.online import OnlineStore, changes
from mlops_assets.core.online.ordered import instant_us, ordered
from mlops_assets.core.online.series import SERIES, online_since
from mlops_assets.core.online.totals import Applied, Change
from mlops_assets.core.validation.events import event_table, judge_told, told_rows
from mlops_assets.core.validation.told import Told, by_events, complete_groups, plain, tell, typed
from mlops_assets.declare import DataError, Table, UseCase
from mlops_assets.declare.partitions import WEEK
from mlops_assets.stores.crashpoints import reach
from mlops_assets.stores.journal import Journal, State

CAUGHT_UP = "journal"  # note: the last event the online store has
CHUNK = 2000  # keys a transaction: look-ups wait for none of it, and progress shows

Lookups = Callable[[], Mapping[str, pa.Table]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one event: accepted, a duplicate, or quarantined with its reason."""

    status: Literal["accepted", "duplicate", "quarantined"]
    reason: str = ""


class WritePath:
    """The write path of one use case. `lookups` gives the validated tables that derived columns look zones up in."""

    def __init__(self, use_case: UseCase, journal: Journal, online: OnlineStore, lookups: Lookups = dict) -> None:
        self._use_case, self._journal, self._online, self._lookups = use_case, journal, online, lookups

    def accept(self, name: str, events: Sequence[Mapping[str, Any]], arrived_us: int) -> list[Outcome]:
        """Take events of one table that arrive now; one outcome for each, in order. When it returns, all of them are
        durable. `arrived_us` (us since 1970) never runs backwards: an earlier one counts as that of the last event.

        Raises DataError for a table that events cannot tell of.
        """
        table = event_table(self._use_case, name)
        outcomes: list[Outcome | None] = [None] * len(events)
        lookups = self._zones_of(table)
        with self._journal.changing():
            arrived_us = max(arrived_us, self._journal.last_arrival() or arrived_us)
            for turn in self._turns(table, events, outcomes, arrived_us):
                self._take(table, turn, events, outcomes, lookups, arrived_us)
            reach("journal.written")
        reach("journal.kept")
        self.catch_up()
        return [outcome for outcome in outcomes if outcome is not None]

    def catch_up(self) -> Applied:
        """Bring to the online store every event that the journal has and it has not."""
        before = int(self._online.note(CAUGHT_UP) or 0)
        last, rows = self._journal.touched(before)
        if before > last:
            raise DataError(
                f"{self._use_case.name}: the online store has event {before}, the journal {self._journal.path} ends at "
                f"{last}: it was lost or is an older copy. Put it back, or remove the online store and fill it anew."
            )
        merged: dict[tuple[str, bytes], Change] = {}
        for name, keys in rows.items():
            table = self._use_case.table(name)
            states = list(self._journal.states(name, keys).values())
            told = told_rows(self._use_case, table, [s.told for s in states], self._zones_of(table))
            merged.update(changes(self._use_case, table, told))
        return self._online.apply(merged, {CAUGHT_UP: str(last)}) if rows else Applied()

    def land(
        self, week: str, landed: Mapping[str, pa.Table], corrected: Mapping[str, pa.Table], notes: Mapping[str, str]
    ) -> Iterator[tuple[int, int, Applied]]:
        """Bring a week's validated tables to the online store, chunk by chunk: (keys done, keys in all, what happened).

        `corrected` are the tables applied for this week before. The notes are written with the last chunk; killed
        before, the same call does what is left. Duplicates of single events are found, not counted twice.
        """
        todo: list[tuple[tuple[str, bytes], Change]] = []
        for name, rows in landed.items():
            table = self._use_case.table(name)
            if not table.snapshot:
                with self._journal.changing():
                    self._journal.land(name, week, self._of_file(table, week, rows))
            todo.extend(changes(self._use_case, table, rows, corrected.get(name)).items())
        notes = {**notes, SERIES: online_since(self._use_case, self._online.note(SERIES), week)}
        for start in range(0, max(len(todo), 1), CHUNK):
            chunk, done = dict(todo[start : start + CHUNK]), min(start + CHUNK, len(todo))
            reach("online.chunk")
            yield done, len(todo), self._online.apply(chunk, notes if done == len(todo) else None)
        late = max(table.late_by for table in self._use_case.tables)
        self._journal.forget(self._use_case.partitions.shift(week, -1 - math.ceil(late / WEEK)))

    def _zones_of(self, table: Table) -> Mapping[str, pa.Table]:
        """The validated tables that zones of the table are read from. Raises DataError before there are any."""
        lookups = self._lookups() if table.looks_up else {}
        if absent := sorted(set(table.looks_up) - set(lookups)):
            raise DataError(
                f"{self._use_case.name}: no event can tell of {table.name} yet, its time zones are read from {absent}, "
                "of which no week is validated: materialize validated_dataset of one week first."
            )
        return lookups

    def _turns(
        self, table: Table, events: Sequence[Mapping[str, Any]], outcomes: list[Outcome | None], arrived_us: int
    ) -> Iterator[dict[bytes, int]]:
        """The events by row, one of each row a turn; those without a key are refused at once."""
        waiting: list[tuple[bytes, int]] = []
        for number, event in enumerate(events):
            try:
                waiting.append((_row_key(table, event), number))
            except DataError as error:
                outcomes[number] = self._refuse(table, event, arrived_us, str(error))
        while waiting:
            turn: dict[bytes, int] = {}
            later = []
            for key, number in waiting:
                if key in turn:
                    later.append((key, number))
                else:
                    turn[key] = number
            yield turn
            waiting = later

    def _take(
        self,
        table: Table,
        turn: Mapping[bytes, int],
        events: Sequence[Mapping[str, Any]],
        outcomes: list[Outcome | None],
        lookups: Mapping[str, pa.Table],
        arrived_us: int,
    ) -> None:
        before = self._journal.states(table.name, turn)
        fresh: list[tuple[bytes, int, Told]] = []
        for key, number in turn.items():
            known = before[key].told if key in before else Told()
            try:
                after = tell(table, known, events[number], arrived_us)
            except DataError as error:
                outcomes[number] = self._refuse(table, events[number], arrived_us, str(error))
                continue
            if after is known:
                outcomes[number] = Outcome(status="duplicate")
            else:
                fresh.append((key, number, after))
        verdicts = judge_told(self._use_case, table, [told for _, _, told in fresh], lookups, arrived_us)
        for (key, number, told), verdict in zip(fresh, verdicts, strict=True):
            if verdict.week is None:
                outcomes[number] = self._refuse(table, events[number], arrived_us, verdict.reason)
            else:
                self._journal.add(table.name, State(key, verdict.week, told, True), events[number], arrived_us)
                outcomes[number] = Outcome(status="accepted")

    def _refuse(self, table: Table, event: Mapping[str, Any], arrived_us: int, reason: str) -> Outcome:
        self._journal.refuse(table.name, event, arrived_us, reason)
        return Outcome(status="quarantined", reason=reason)

    def _of_file(self, table: Table, week: str, rows: pa.Table) -> list[State]:
        """What a file says of each row. A row that events told keeps what they told and when, and forgets what an

        earlier file said of it. Raises DataError when the rows were validated before an event of theirs was told.
        """
        columns = {name: rows[name].to_pylist() for name in rows.column_names}
        kinds = [table.kinds[name] for name in table.key]
        on_time = dict.fromkeys(sorted(complete_groups(table, frozenset(columns))))
        told = {state.row: by_events(table, state.told) for state in self._journal.told(table.name, week)}
        states = {row: State(row, week, known, True) for row, known in told.items()}
        for n in range(rows.num_rows):
            key = ordered([columns[name][n] for name in table.key], kinds)
            values = {c.name: _kept(columns[c.name][n]) for c in table.columns}
            if key not in told:
                states[key] = State(key, week, Told(values=values, arrived=on_time), False)
                continue
            mine = told[key]
            _check_arrivals(table, week, mine, {name: column[n] for name, column in columns.items()})
            further = [name for name, at in table.known_at.items() if at in on_time and at not in mine.arrived]
            if any(columns[name][n] is not None for name in further):  # else no file tells more of it
                both = Told(values={**values, **mine.values}, arrived={**on_time, **mine.arrived})
                states[key] = State(key, week, both, True)
        return list(states.values())


def _check_arrivals(table: Table, week: str, told: Told, row: Mapping[str, Any]) -> None:
    """What an event told before the week was validated has its arrival there; an on-time row beside it counts twice."""
    for group, arrived in told.arrived.items():
        met = row.get(arrival_column(group))
        there = any(row[name] is not None for name, at in table.known_at.items() if at == group)
        if there and (met is None or instant_us(met) != arrived):
            raise DataError(
                f"{table.name} of {week}: an event told of the row {[row[name] for name in table.key]} after the week "
                f"was validated. Materialize raw_data and validated_dataset of {week} again."
            )


def _row_key(table: Table, event: Mapping[str, Any]) -> bytes:
    own = {c.name: c for c in table.columns}
    values = []
    for name in table.key:
        if name not in event or event[name] is None:
            raise DataError(f"{name} is missing: an event names its row by {list(table.key)}")
        values.append(typed(own[name], plain(own[name], event[name])))
    return ordered(values, [table.kinds[name] for name in table.key])


def _kept(value: Any) -> Any:
    """A validated value in the form of `told.plain`."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value

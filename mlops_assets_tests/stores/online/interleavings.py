"""Everything that may happen to an online store, in any order, and what it must answer at each step.

A state machine for hypothesis: rows of the tiny shop come in time, late, twice, corrected; the store is pruned, closed
and opened again; and whatever came before, a question is answered alike by the store on a disk or server, the store in
memory, the feature table and the naive engine, bit for bit.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlops_assets.conformance import naive_table
from mlops_assets.core.arrivals import arrival_column, arrival_kinds
from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features import feature_table
from mlops_assets.core.online import MemoryStore, OnlineFeatures, changes, reaches
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare import ALWAYS, Last, Mean, Sum
from mlops_assets.stores.online import open_online
from mlops_assets_tests.core.features.worlds import BY_WHO, FEATURES, MOMENTS, PEOPLE, VISITS, minutes, use_case

SHOP = use_case((
    *FEATURES,
    Last(name="amount_or", **BY_WHO, column="amount", within=minutes(2), missing=-7),
    Last(name="colour_or", table="people", key=("who",), table_key=("name",), column="colour", missing="none"),
    # a person named like a shop, over longer than any other feature looks
    Sum(name="namesakes", table="visits", key=("shop",), table_key=("who",), column="amount", window=minutes(14)),
    Mean(name="mean_or", **BY_WHO, column="price", window=minutes(1), missing=-0.5),
))  # fmt: skip
NAMES = [feature.name for feature in SHOP.features]
TABLES = {"visits": VISITS, "people": PEOPLE}
Row = Mapping[str, Any]

_INSTANT = st.integers(-6, 6).map(minutes)  # after the beginning: many ties
_LATER = st.integers(-3, 17).map(minutes)  # also when all is older than any window
_NUMBER = st.none() | st.integers(-3, 3) | st.sampled_from([2**53 + 1, -(2**53) - 1])
_VISIT = st.fixed_dictionaries({
    "shop": st.sampled_from(["a", "é"]),
    "number": st.integers(-9, 9),
    "who": st.sampled_from(["Ann", "a", None]),
    "size": st.integers(-3, 3),
    "asked": _INSTANT,
    "done": _INSTANT | _INSTANT | st.none(),
    "paid": _INSTANT | _INSTANT | st.none(),
    "amount": _NUMBER,
    "happy": st.none() | st.booleans(),
    "price": st.none() | st.integers(-300, 300).map(lambda n: n / 100) | st.sampled_from([1e10 + 0.01, -0.0]),
    "note": st.none() | st.sampled_from(["x", "", "ÿ"]),
})  # fmt: skip
_FACT = st.fixed_dictionaries({
    "name": st.sampled_from(["Ann", "Cy"]),
    "since": st.integers(-3, 3),
    "colour": st.none() | st.sampled_from(["red", "blue"]),
})  # fmt: skip
_ARRIVALS = st.fixed_dictionaries({arrival_column(group): st.none() | _INSTANT for group in ("done", "paid")})


class Interleavings(RuleBasedStateMachine):
    """The store at `url` next to the one in memory and all rows that stand so far, by table and key."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._store, self._memory = url, open_online(url), MemoryStore()
        self._rows: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in TABLES}
        self._start, self._kept_since, self._steps = MOMENTS[0], None, 0

    def teardown(self) -> None:
        self._store.close()

    @initialize(start=st.sampled_from(MOMENTS), visits=st.lists(_VISIT, min_size=8, max_size=16))
    def begin(self, start: datetime, visits: list[Row]) -> None:
        self._start = start
        for visit in visits:
            self._comes("visits", visit)

    @rule(visits=st.lists(_VISIT, min_size=1, max_size=5))
    def events(self, visits: list[Row]) -> None:
        for visit in visits:
            self._comes("visits", visit)

    @rule(visit=_VISIT, arrivals=_ARRIVALS)
    def late_event(self, visit: Row, arrivals: Row) -> None:
        self._comes("visits", {**visit, **arrivals})

    @rule(fact=_FACT, arrived=st.none() | _INSTANT)
    def fact(self, fact: Row, arrived: timedelta | None) -> None:
        self._comes("people", {**fact, arrival_column(ALWAYS): arrived})

    @rule()
    def everything_again(self) -> None:
        for name, rows in self._rows.items():
            self._apply(name, list(rows.values()))

    @precondition(lambda self: self._rows["visits"])
    @rule(anew=st.lists(st.tuples(st.integers(0, 99), st.none() | _VISIT), min_size=1, max_size=3))
    def correction(self, anew: list[tuple[int, Row | None]]) -> None:
        """A row gets other values under its key, or is withdrawn."""
        old = {self._key("visits", row): (row, new) for row, new in ((self._standing("visits", n), v) for n, v in anew)}
        rows = [
            self._dated({**new, "shop": row["shop"], "number": row["number"]})
            for row, new in old.values() if new is not None
        ]  # fmt: skip
        for key in old:
            del self._rows["visits"][key]
        self._apply("visits", rows, corrected=[row for row, _ in old.values()])

    @rule(after=_LATER)
    def prune(self, after: timedelta) -> None:
        as_of = self._start + after
        gone = [store.prune(instant_us(as_of), reaches(SHOP)) for store in (self._store, self._memory)]
        self._kept_since = as_of if self._kept_since is None else max(as_of, self._kept_since)

        assert gone[0] == gone[1]
        assert self._store.kept_since == self._memory.kept_since == instant_us(self._kept_since)

    @rule()
    def restart(self) -> None:
        self._store.close()
        self._store = open_online(self._url)

    @invariant()
    def every_question_has_one_answer(self) -> None:
        """Those of every key, at every fourth minute that can still be asked; other minutes after the next step."""
        self._steps += 1
        moments = [self._start + minutes(n) for n in range(-3 + self._steps % 4, 18, 4)]
        if self._kept_since is not None:
            moments = sorted({max(moment, self._kept_since) for moment in moments})
        keys = product(moments, ("a", "é"), ("Ann", "a", None))
        requests = [
            {"asked": asked, "shop": shop, "who": who, "number": number, "size": number}
            for number, (asked, shop, who) in enumerate(keys)
        ]
        self._check(requests)

    def _check(self, requests: list[Row]) -> None:
        asked = self._table("visits", requests).sort_by([("shop", "ascending"), ("number", "ascending")])
        history = {name: self._table(name, list(rows.values())) for name, rows in self._rows.items()}
        stored, remembered = OnlineFeatures(SHOP, self._store), OnlineFeatures(SHOP, self._memory)

        offline = feature_table(SHOP, asked, history, threads=1).select(NAMES)
        tables = [stored.table(asked), remembered.table(asked), naive_table(SHOP, asked, history)]
        request = asked.slice(self._steps % asked.num_rows, 1)
        vector = stored.vector(request.to_pylist()[0])

        for table in tables:
            assert table.select(NAMES).schema.types == offline.schema.types
            assert repr(table.select(NAMES).to_pylist()) == repr(offline.to_pylist())  # 0.0 and -0.0 differ
        assert vector == remembered.vector(request.to_pylist()[0])
        assert repr(dict(vector.values)) == repr(offline.slice(self._steps % asked.num_rows, 1).to_pylist()[0])

    def _comes(self, name: str, row: Row) -> None:
        """A row under a key of its own."""
        free, last = dict(row), TABLES[name].key[-1]
        while self._key(name, free) in self._rows[name]:
            free[last] += 1
        self._apply(name, [self._dated(free)])

    def _dated(self, row: Row) -> dict[str, Any]:
        """Instants for spans after the beginning."""
        return {name: self._start + value if isinstance(value, timedelta) else value for name, value in row.items()}

    def _standing(self, name: str, which: int) -> Row:
        rows = list(self._rows[name].values())
        return rows[which % len(rows)]

    def _apply(self, name: str, rows: list[Row], corrected: list[Row] | None = None) -> None:
        before = None if corrected is None else self._table(name, corrected)
        change = changes(SHOP, TABLES[name], self._table(name, rows), before)
        once = [store.apply(change) for store in (self._store, self._memory)]
        self._rows[name] |= {self._key(name, row): row for row in rows}

        assert once[0] == once[1]

    @staticmethod
    def _key(name: str, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in TABLES[name].key)

    @staticmethod
    def _table(name: str, rows: list[Row]) -> pa.Table:
        kinds = TABLES[name].kinds | arrival_kinds(TABLES[name])
        return pa.table({n: pa.array([row.get(n) for row in rows], ARROW[kind]) for n, kind in kinds.items()})

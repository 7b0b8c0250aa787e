"""The battery: laws that every feature table keeps, on any use case, given its tables.

    for proof in battery(use_case, requests, history):
        print(proof)

Each law is a plain function that returns a `Proof` or raises `ConformanceError` with the first row and feature that
break it and both values. Here also lives the naive engine: the meaning of every feature in a dozen obvious lines of
Python over rows, which the real one must equal. No clock, no disk, no Dagster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrivals import arrival_column, arrival_kinds
from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features import at_request, feature_table, native, portable
from mlops_assets.core.online import OnlineFeatures
from mlops_assets.core.online.skew import projected
from mlops_assets.declare import ALWAYS, AtRequest, Count, DataError, Feature, Kind, Last, Sum, Table, UseCase
from mlops_assets.declare.use_case import decimals

Row = Mapping[str, Any]
Tables = Mapping[str, pa.Table]


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class ConformanceError(DataError):
    """A feature table broke a law. The message names the law, the row, the feature and both values."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A law that held: how many values were compared.

    >>> print(Proof(law="native equals portable", compared=12))
    native equals portable: 12 values compared, none differs
    """

    law: str
    compared: int

    def __str__(self) -> str:
        return f"{self.law}: {self.compared} values compared, none differs"


def battery(
    use_case: UseCase, requests: pa.Table, history: Tables, *, cuts: int = 3, sample: int = 50, seed: int = 0
) -> tuple[Proof, ...]:
    """All laws, in order. Raises ConformanceError at the first that is broken; arguments as in `feature_table`."""
    return (
        nothing_lost(use_case, requests, history),
        order_blind(use_case, requests, history, seed=seed),
        forms_agree(use_case, requests, history),
        future_blind(use_case, requests, history, cuts=cuts),
        naive_agrees(use_case, requests, history, sample=sample, seed=seed),
        served_agrees(use_case, requests, history, sample=sample, seed=seed),
    )


def nothing_lost(use_case: UseCase, requests: pa.Table, history: Tables) -> Proof:
    """Every request is there once, with its label as it came, in the order of its key."""
    key, law = list(use_case.request_table.key), "no request is lost and none doubled"
    names = list(dict.fromkeys([*key, use_case.requests.as_of, use_case.label.column]))
    made = feature_table(use_case, requests, history)
    asked = requests.select(names).sort_by([(name, "ascending") for name in key])
    if made.num_rows != asked.num_rows:
        raise ConformanceError(f"{use_case.name}: {law}: {asked.num_rows} requests became {made.num_rows} rows.")
    return _same(use_case, law, asked, made, names)


def order_blind(
    use_case: UseCase, requests: pa.Table, history: Tables, *, threads: Sequence[int] = (1, 2), seed: int = 0
) -> Proof:
    """The order of the rows, their chunks and the number of threads change nothing."""
    made, compared, law = feature_table(use_case, requests, history), 0, "row order, chunks and threads change nothing"
    rng = np.random.default_rng(seed)
    for count in threads:
        mixed = {name: _mixed(rows, rng) for name, rows in history.items()}
        again = feature_table(use_case, _mixed(requests, rng), mixed, threads=count)
        compared += _same(use_case, law, made, again, made.column_names).compared
    return Proof(law=law, compared=compared)


def forms_agree(use_case: UseCase, requests: pa.Table, history: Tables) -> Proof:
    """The engine's own as-of join and the portable form give one table, bit for bit."""
    one, other = (feature_table(use_case, requests, history, form=form) for form in (native, portable))
    return _same(use_case, "native equals portable", one, other, one.column_names)


def future_blind(use_case: UseCase, requests: pa.Table, history: Tables, *, cuts: int = 3) -> Proof:
    """Dropping or altering every value not yet known changes no feature.

    At each of `cuts` instants (spread over the as_of of the requests, first and last included) all values known later
    are dropped, then altered, in the requests too; the features of all requests asked by then must stay.
    """
    as_of, compared, law = use_case.requests.as_of, 0, "what is not yet known changes nothing"
    made = feature_table(use_case, requests, history)
    moments = pc.unique(requests[as_of]).sort()
    for place in sorted({round(p) for p in np.linspace(0, len(moments) - 1, cuts)}) if len(moments) else ():
        cut = moments[place]
        expected = made.filter(pc.less_equal(made[as_of], cut))
        for alter in (False, True):
            past = {name: _as_of(use_case.table(name), rows, cut, alter) for name, rows in history.items()}
            mine = _as_of(use_case.request_table, requests.filter(pc.less_equal(requests[as_of], cut)), cut, alter)
            found = feature_table(use_case, mine, past)
            compared += _same(use_case, law, expected, found, [f.name for f in use_case.features]).compared
    return Proof(law=law, compared=compared)


def naive_agrees(use_case: UseCase, requests: pa.Table, history: Tables, *, sample: int = 50, seed: int = 0) -> Proof:
    """The naive engine, row by row, gives the same values for `sample` requests (all, when there are fewer)."""
    made = feature_table(use_case, requests, history)
    asked = requests.sort_by([(name, "ascending") for name in use_case.request_table.key])
    rows = np.sort(np.random.default_rng(seed).permutation(asked.num_rows)[:sample])
    asked, made = asked.take(pa.array(rows, pa.int64())), made.take(pa.array(rows, pa.int64()))
    expected = naive_table(use_case, asked, history)
    return _same(use_case, "the naive engine agrees", expected, made, expected.column_names)


def served_agrees(use_case: UseCase, requests: pa.Table, history: Tables, *, sample: int = 50, seed: int = 0) -> Proof:
    """The online store that `history` projects to serves the values of the feature table, all at once and one by one.

    For `sample` requests (all, when there are fewer), in the order asked.
    """
    made, law = feature_table(use_case, requests, history), "what is served is what is trained on"
    key = [(name, "ascending") for name in use_case.request_table.key]
    rows = pa.array(np.sort(np.random.default_rng(seed).permutation(made.num_rows)[:sample]), pa.int64())
    asked, made = requests.sort_by(key).take(rows), made.take(rows)
    order = pc.sort_indices(asked[use_case.requests.as_of])
    asked, made = asked.take(order), made.take(order)
    online = OnlineFeatures(use_case, projected(use_case, history))
    vectors = [online.vector(request).values for request in asked.to_pylist()]
    columns = {f.name: pa.array([v[f.name] for v in vectors], ARROW[use_case.kind_of(f)]) for f in use_case.features}
    one_by_one = pa.table({name: asked[name] for name in use_case.request_table.key} | columns)
    names = [f.name for f in use_case.features]
    compared = sum(_same(use_case, law, made, served, names).compared for served in (online.table(asked), one_by_one))
    return Proof(law=law, compared=compared)


def naive_table(use_case: UseCase, requests: pa.Table, history: Tables) -> pa.Table:
    """The key and every feature of these requests, in their order, computed row by row."""
    asked, columns = requests.to_pylist(), {}
    rows_of = {name: history[name].select(_read(use_case, name, history[name])).to_pylist() for name in history}
    for feature in use_case.features:
        if isinstance(feature, AtRequest):
            each = [at_request(use_case, feature, requests.slice(row, 1)) for row in range(requests.num_rows)]
            columns[feature.name] = [values[0].as_py() for values in each]
            continue
        by_key: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows_of[feature.table]:
            by_key.setdefault(tuple(row[name] for name in feature.table_key), []).append(row)
        keys = [tuple(request[name] for name in feature.key) for request in asked]
        values = [
            None if None in key else naive(use_case, feature, request[use_case.requests.as_of], by_key.get(key, []))
            for key, request in zip(keys, asked, strict=True)
        ]
        columns[feature.name] = [feature.missing if value is None else value for value in values]
    made = {f.name: pa.array(columns[f.name], ARROW[use_case.kind_of(f)]) for f in use_case.features}
    return pa.table({name: requests[name] for name in use_case.request_table.key} | made)


def _read(use_case: UseCase, name: str, rows: pa.Table) -> list[str]:
    """The columns of a table that the naive engine looks at."""
    table = use_case.table(name)
    mine = [f for f in use_case.features if not isinstance(f, AtRequest) and f.table == name]
    read = [*table.key, *(c for f in mine for c in (*f.table_key, f.column, table.known_at[f.column]))]
    late = [column for column in arrival_kinds(table) if column in rows.column_names]
    return [column for column in dict.fromkeys(read) if column != ALWAYS] + late


def naive(use_case: UseCase, feature: Feature, as_of: Any, rows: Sequence[Row]) -> Any:
    """The value of a looked-up feature at `as_of`, from the rows of its key: what each feature means, by definition."""
    assert not isinstance(feature, AtRequest)  # noqa: S101  narrowing for the type checker only
    table, column = use_case.table(feature.table), feature.column
    at = table.known_at[column]
    known = [row for row in rows if row[column] is not None and (at == ALWAYS or row[at] is not None)]
    known = [row for row in known if (seen := _seen(row, at)) is None or seen <= as_of]
    if at != ALWAYS:
        age = feature.within if isinstance(feature, Last) else feature.window
        known = [row for row in known if _seen(row, at) > as_of - (age or timedelta())]
    if isinstance(feature, Last):
        known.sort(key=lambda row: (_seen(row, at) or _LONG_AGO, [(row[k] is None, row[k] or 0) for k in table.key]))
        return known[-1][column] if known else None
    if isinstance(feature, Count):
        return len(known)
    scale = 10 ** (decimals(table, column) or 0)
    total = sum(round(row[column] * scale) for row in known)
    if isinstance(feature, Sum):
        return total / scale if table.kinds[column] is Kind.FLOAT else total
    return total / (len(known) * scale) if known else None


def _seen(row: Row, at: str) -> Any:
    """The instant from which a row's value may be seen: known then, or arrived later; None for a fact of always."""
    instants = [row.get(arrival_column(at)), row[at] if at != ALWAYS else None]
    return max((instant for instant in instants if instant is not None), default=None)


def _same(use_case: UseCase, law: str, expected: pa.Table, found: pa.Table, names: Sequence[str]) -> Proof:
    """Raises at the first row, then feature, in which two tables of the same requests differ."""
    for name in names:
        one, other = expected[name].combine_chunks(), found[name].combine_chunks()
        if one.equals(other):
            continue
        if one.type != other.type:
            raise ConformanceError(f"{use_case.name}: {law}, but {name!r} is {one.type} here and {other.type} there.")
        pairs: Iterator[tuple[Any, Any]] = zip(one.to_pylist(), other.to_pylist(), strict=True)
        row, (wanted, met) = next((row, pair) for row, pair in enumerate(pairs) if pair[0] != pair[1])
        key = {k: found[k][row].as_py() for k in use_case.request_table.key}
        raise ConformanceError(
            f"{use_case.name}: {law}, but for the request {key} feature {name!r} is {wanted!r} here and {met!r} there."
        )
    return Proof(law=law, compared=len(names) * expected.num_rows)


def _mixed(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The same rows in another order and in other chunks."""
    rows = rows.take(pa.array(rng.permutation(rows.num_rows), pa.int64()))
    cut = rows.num_rows // 3
    return pa.concat_tables([rows.slice(0, cut), rows.slice(cut, 0), rows.slice(cut)])


_OTHER: Mapping[Kind, tuple[Any, Any]] = {
    Kind.INT: (424_242, 0),
    Kind.CLOCK: (1234, 0),
    Kind.FLOAT: (4242.0, 0.0),
    Kind.STRING: ("altered", ""),
    Kind.BOOL: (True, False),
}


def _as_of(table: Table, rows: pa.Table, cut: pa.Scalar, alter: bool) -> pa.Table:
    """The rows as seen at `cut`: what is known later, or never, is null, or altered and known later still."""
    tells, seen = set(table.known_at.values()), rows
    for place, (name, at) in enumerate(table.known_at.items()):
        at = name if name in tells else at  # an instant that makes others known is itself the question
        if at == ALWAYS or table.known_at[name] == ALWAYS or name in table.key:
            continue
        column, moment = rows[name], rows[at]
        later = pc.fill_null(pc.greater(moment, cut), True)
        if not alter:
            other = pa.scalar(None, column.type)
        elif table.kinds[name] is Kind.INSTANT:
            other = pc.add(cut, pa.scalar(timedelta(minutes=place + 1), pa.duration("us")))
        else:
            one, two = (pa.scalar(value, column.type) for value in _OTHER[table.kinds[name]])
            other = pc.if_else(pc.fill_null(pc.equal(column, one), False), two, one)
        seen = seen.set_column(rows.column_names.index(name), name, pc.if_else(later, other, column))
    return seen

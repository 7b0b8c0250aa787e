"""The one primitive: the as-of lookup, written in Ibis, in two forms that give the same answer bit for bit.

An *ask* is (q, k, t): question number, key, instant. An *event* is (k, t, seq, v): key, instant at which it became
known, its row in the looked-up table, the number it adds. The answer to q is of the last instant <= t at which anything
became known of k: how many events there had been (n), what they add up to (s), the greatest row of that instant (seq).
Everything is int64, so no engine has a type, a null, a NaN, a time zone or a rounding to disagree about.

Here belong the relational expressions. They know no feature, no use case, no data.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

type_of_asks = {"q": "int64", "k": "int64", "t": "int64"}
type_of_events = {"k": "int64", "t": "int64", "seq": "int64", "v": "int64"}

Form = Callable[["ir.Table", "ir.Table"], "ir.Table"]


def totals(events: "ir.Table") -> "ir.Table":
    """Events folded to one row per (k, t), then running totals: (k, t, seq, n, s), unique in (k, t).

    Events of one key that become known at one instant are one row: the look-up has one answer, whatever the order
    in which an engine meets them. Sums are of whole numbers, so their order does not matter either.
    """
    import ibis

    folded = events.group_by(["k", "t"]).aggregate(
        seq=events.seq.max(), n=events.v.count(), s=events.v.sum()
    )  # fmt: skip
    so_far = ibis.cumulative_window(group_by=folded.k, order_by=folded.t)
    return folded.select("k", "t", "seq", n=folded.n.sum().over(so_far), s=folded.s.sum().over(so_far))


def native(asks: "ir.Table", known: "ir.Table") -> "ir.Table":
    """The engine's own as-of join (DuckDB, Snowflake, ClickHouse): (q, n, s, seq), nulls where nothing was known.

    Right only because `totals` makes (k, t) unique: on ties DuckDB answers 12 times in 12 runs differently.
    """
    joined = asks.asof_join(known, on=asks.t >= known.t, predicates="k")
    return joined.select("q", "n", "s", "seq")


def portable(asks: "ir.Table", known: "ir.Table") -> "ir.Table":
    """The same from what every SQL engine has: a union, two windows over rows, one equi-join. O(n log n) on hot keys.

    How many known rows stand before an ask, in the total order (t, event first, number), is the rank of the row to
    take. Spark has no as-of join, and `last(ignore nulls)` compiles to silently wrong SQL on several engines.
    """
    import ibis

    whole = ibis.literal(0, "int64")
    asked = asks.select(k=asks.k, t=asks.t, is_ask=whole + 1, is_known=whole, q=asks.q)
    given = known.select(k=known.k, t=known.t, is_ask=whole, is_known=whole + 1, q=known.seq)
    line = asked.union(given, distinct=False)
    before = ibis.cumulative_window(group_by=line.k, order_by=[line.t, line.is_ask, line.q])
    line = line.select("q", "k", "is_ask", rank=line.is_known.sum().over(before))
    wanted = line.filter(line.is_ask == 1)
    place = ibis.row_number().over(ibis.window(group_by=known.k, order_by=known.t)) + 1
    ranked = known.select("k", "seq", "n", "s", rank=place.cast("int64"))
    joined = wanted.left_join(ranked, [wanted.k == ranked.k, wanted.rank == ranked.rank])
    return joined.select(q=wanted.q, n=ranked.n, s=ranked.s, seq=ranked.seq)


@cache
def sql(form: Form, dialect: str = "duckdb") -> str:
    """The whole lookup in SQL over the tables `asks` and `events`: it is one text for every use case."""
    import ibis  # here, not above: serving imports this room for its row functions and needs no query compiler

    asks, events = ibis.table(type_of_asks, name="asks"), ibis.table(type_of_events, name="events")
    return str(ibis.to_sql(form(asks, totals(events)), dialect=dialect))

"""The tiny shop behind a write path, and a process that tells it events and can be killed.

Run as a program it tells visits, one event a line on stdout when it is accepted, or lands the week's file:
`python -m mlops_assets_tests.stores.shop <folder> tell <first> <end>` or `... <folder> land`.
"""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlops_assets.core.online import OnlineStore
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.online.series import encoded, online_series
from mlops_assets.core.online.totals import Total
from mlops_assets.core.validation import validate
from mlops_assets.core.validation.events import told_table
from mlops_assets.stores import write_path
from mlops_assets.stores.journal import Journal
from mlops_assets.stores.online import open_online
from mlops_assets.stores.write_path import WritePath
from mlops_assets_tests.core.features.worlds import NOON, PEOPLE, VISITS, rows, use_case, visit

Row = dict[str, Any]
DAILY = dataclasses.replace(VISITS, day="asked", late_by=timedelta(days=1), max_quarantined_share=0.9, min_rows=0)
SHOP = use_case(visits=DAILY)
WEEK = "2013-07-08"
NOON_US = instant_us(NOON)
GROUPS = {
    "always": ("who", "size", "asked"), "done": ("done", "amount", "happy"), "paid": ("paid", "price", "note"),
}  # fmt: skip
COUNT = 12  # visits of the week that the program tells


def event(row: Row, *groups: str) -> Row:
    """What an event tells: the row's key and whole groups of its columns."""
    return {n: row.get(n) for n in (*DAILY.key, *(n for g in groups for n in GROUPS[g]))}


def at(minute: float) -> int:
    """Microseconds since 1970 of a minute after noon."""
    return NOON_US + round(minute * 60_000_000)


def visits(count: int = COUNT) -> list[Row]:
    """The week's visits, of two people."""
    return [
        visit(n, n, n + 2, n + 3, who=("Ann", "Bob")[n % 2], amount=n, happy=n % 3 == 0, price=n / 4, note="x")
        for n in range(count)
    ]


def validated(journal: Journal, *landed: Row) -> pa.Table:
    """What the gate makes of a file with these rows and of what events told of the week."""
    told = told_table(DAILY, [state.told for state in journal.told("visits", WEEK)])
    file = rows(DAILY, *landed).select([c.name for c in DAILY.columns])
    return validate(SHOP, {"visits": file, "people": rows(PEOPLE)}, WEEK, {"visits": told})["visits"].clean


def land(way: WritePath, table: pa.Table, corrected: pa.Table | None = None) -> None:
    """Bring the week's validated visits online."""
    for _ in way.land(WEEK, {"visits": table}, {} if corrected is None else {"visits": corrected}, {"landed": WEEK}):
        pass


def content(store: OnlineStore) -> dict[tuple[str, bytes], list[Total]]:
    """Every total of the shop's people in the store."""
    found = {}
    for kept in online_series(SHOP).values():
        if kept.series.table != "visits":
            continue
        asked = rows(DAILY, *(visit(0, who=who, shop=shop) for who in ("Ann", "Bob", "Cy") for shop in ("a", "é")))
        for key in encoded(asked, kept.series.table_key, DAILY):
            found[kept.name, key] = store.totals(kept.name, key, -(2**62), 2**62)
    return found


@contextmanager
def opened(folder: Path) -> Iterator[tuple[WritePath, Journal, OnlineStore]]:
    """The write path of the shop whose files are in a folder."""
    with closing(open_online(str(folder / "shop.db"))) as store, closing(Journal(folder / "journal.db")) as journal:
        yield WritePath(SHOP, journal, store), journal, store


def main(folder: str, what: str, first: str = "0", end: str = "0") -> None:
    write_path.CHUNK = 4
    with opened(Path(folder)) as (way, journal, _):
        if what == "land":
            land(way, validated(journal, *visits()))
            return
        for number in range(int(first), int(end)):
            row = visits()[number]
            for groups in (("always",), ("done", "paid")):
                (outcome,) = way.accept("visits", [event(row, *groups)], at(number + 2 * len(groups)))
                sys.stdout.write(f"{number} {outcome.status}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

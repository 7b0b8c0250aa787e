"""When a value arrived, where that was after the instant at which it became known.

A landed file tells what became known when: its values count from their known_at on. An event sent by itself has an
arrival too, and a value that arrives late was not known before: it counts from the later of the two instants. A table
whose rows came late says so in one more column for each group (`arrived@dep_utc`); null, or no such column: on time.
"""

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.declare import Kind, Table

ARRIVED = "arrived@"  # no declared name holds an @


def arrival_column(group: str) -> str:
    """The column that says when the values known at instant column `group` (or ALWAYS) arrived.

    >>> arrival_column("dep_utc")
    'arrived@dep_utc'
    """
    return f"{ARRIVED}{group}"


def groups(table: Table) -> dict[str, tuple[str, ...]]:
    """Instant column or ALWAYS -> the landed columns known then, in declared order; what an event must tell at once."""
    found: dict[str, list[str]] = {}
    for column in table.columns:
        found.setdefault(column.known_at, []).append(column.name)
    return {group: tuple(names) for group, names in found.items()}


def arrival_kinds(table: Table) -> dict[str, Kind]:
    """Every arrival column the table may have, with its kind (all are INSTANT)."""
    return {arrival_column(group): Kind.INSTANT for group in dict.fromkeys(table.known_at.values())}


ARRIVAL_TYPE = ARROW[Kind.INSTANT]

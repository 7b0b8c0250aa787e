"""Which columns of a stored drift report are worth a look: the same for the page and for the picture of the weeks."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]  # a column of DriftReport.to_json()


def fault_of(row: Row) -> str:
    """The kind of feed fault a column is in ("" = none); of a report older than those, a stable column that moved.

    >>> fault_of({"fault": "unit"}), fault_of({"stable": True, "verdict": "DRIFT"})
    ('unit', 'moved')
    """
    return str(row["fault"]) if "fault" in row else "moved" if row["stable"] and row["verdict"] == "DRIFT" else ""


def is_flagged(row: Row) -> bool:
    """Whether a column is in a feed fault, drifted, or past its watch level."""
    return bool(row["verdict"] == "DRIFT" or row["watch"] or fault_of(row))

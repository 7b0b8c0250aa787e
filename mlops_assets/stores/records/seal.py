"""Is a row of the lineage what was written? Its seal is over every column that is written once: not stage and share.

Here belongs sealing a row and checking it. The large documents are sealed by their hash, `contents`, so that a row that
is read without them is checked nevertheless. Whoever writes the seal too can forge a row, as the ledger's chain can be.
"""

from collections.abc import Mapping
from typing import Any

from mlops_assets.core.versions import record_version
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.records.model_version import DOCUMENTS, STAGES

_MOVING = ("stage", "share")  # follow the ledger
SEALS = ("contents", "seal")


def sealed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row with its seals."""
    found = dict(columns) | {"contents": _contents(columns)}
    return found | {"seal": _seal(found)}


def is_whole(row: Mapping[str, Any]) -> bool:
    """True when a row is what was written, by column; where it was read without its documents, as far as it was."""
    try:
        documents = row.get(DOCUMENTS[0]) is None or _contents(row) == row["contents"]
        return bool(documents and _seal(row) == row["seal"])
    except DataError:
        return False  # a value that no row can hold


def check(row: Mapping[str, Any]) -> None:
    """Raises DamagedError for a row that is not what was written, and for a stage or share that cannot be."""
    name = f"{row['use_case']}@{row['version']}"
    if not is_whole(row):
        raise DamagedError(
            f"the lineage of {name} is not what was written, its seal is broken: `mlops doctor --repair` writes it "
            "anew from the store and the registry."
        )
    if row["stage"] not in STAGES or not isinstance(row["share"], float) or not 0.0 <= row["share"] <= 1.0:
        raise DamagedError(
            f"the lineage of {name} has stage {row['stage']!r} and share {row['share']!r}, which cannot be: "
            "`mlops doctor --repair` brings them in step with the ledger."
        )


def _contents(row: Mapping[str, Any]) -> str:
    return record_version({name: row[name] for name in DOCUMENTS})


def _seal(row: Mapping[str, Any]) -> str:
    skipped = (*_MOVING, *DOCUMENTS, "seal")
    # the database names its columns by a subclass of str
    return record_version({str(name): value for name, value in row.items() if name not in skipped})

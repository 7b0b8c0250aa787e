"""Small JSON files that tell when a bit of them is not what was written.

Here belongs the sealed form: one line of canonical JSON, `{"blake3": <hash of the record>, "record": {...}}`. It knows
no refs and no disk. The line is compared whole, so a change between the fields is found like one inside them.
"""

import json
from typing import Any

from mlops_assets.core.versions import canonical_json, record_version
from mlops_assets.declare.errors import DamagedError, DataError


def sealed(record: dict[str, Any]) -> bytes:
    """The bytes of a record under its seal. Raises `DataError` for what is not JSON."""
    return canonical_json({"blake3": record_version(record), "record": record}) + b"\n"


def unsealed(data: bytes, where: str) -> dict[str, Any]:
    """The record of sealed bytes. Raises `DamagedError` naming `where` unless they are exactly what `sealed` wrote.

    >>> unsealed(sealed({"generation": 3}), "refs/x")
    {'generation': 3}
    """
    try:
        record = json.loads(data)["record"]
        if isinstance(record, dict) and sealed(record) == data:
            return record
    except (ValueError, KeyError, TypeError, RecursionError, DataError):
        pass  # whatever it is now, it is not a sealed record: said below, in one sentence
    raise DamagedError(
        f"{where} ({len(data)} bytes) is not the record that was written there, its seal is broken: "
        "run `mlops fsck`, then the step again."
    )

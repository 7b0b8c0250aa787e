"""Data versions: what a table, a record, a blob *is*, as 64 hexadecimal characters of blake3.

Here belongs the definition of the version and nothing else; it is pure (no clock, disk, network). A version is of the
logical content, so it survives another Parquet writer, another engine, another machine, another order of rows, and
changes with one value. blake3: https://github.com/BLAKE3-team/BLAKE3-specs.

The bytes that are hashed for a table, in this order, each text or buffer after its length (8 bytes, little-endian):
a tag, the schema as JSON `[[name, type], ...]`, the number of rows; then for each column one digest over its validity
bitmap (empty when nothing is null), its offsets (texts: 4 bytes each, 8 from 2 GiB on) and its values.
"""

import json
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from blake3 import blake3

from mlops_assets.core.columns import clean, is_text, normalised, validity
from mlops_assets.core.row_order import row_order
from mlops_assets.declare.errors import DataError

type JSON = object
_TABLE_TAG = b"mlops_assets/table/1"
_RECORD_TAG = b"mlops_assets/record/1"

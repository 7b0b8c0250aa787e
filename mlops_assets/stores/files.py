"""Files that come from outside: Parquet and CSV, read once, refused clearly.

Here belongs the reading of one file into one table. It judges no values (the gate does) and knows no partitions
(`landing.py` does).
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import PurePath

import fsspec
import pyarrow as pa
import pyarrow.csv as pacsv

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.parquet import parquet_table

# unquoted, these spell "no value"; NaN is a number here and stays one, and quoted text is always text
NULL_SPELLINGS = ("", "NA", "NULL", "null")


def read_table(path_or_url: str | os.PathLike[str], *, columns: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """The table of a `.parquet` or `.csv` file at a path or fsspec URL.

    `columns` gives the types of CSV columns (others are inferred); Parquet carries its own. Raises `DataError` naming
    the file, what was met and what to do when it is missing, empty, cut off, damaged, or of another format.
    """
    where = os.fspath(path_or_url)
    return parsed_table(file_bytes(where), where, columns=columns)


def file_bytes(path_or_url: str | os.PathLike[str]) -> bytes:
    """The bytes of a file at a path or fsspec URL. Raises `DataError` when it is missing or cannot be read."""
    where = os.fspath(path_or_url)
    try:
        fs, path = fsspec.core.url_to_fs(where)
        return bytes(fs.cat_file(path))
    except FileNotFoundError as missing:
        raise DataError(f"file {where!r} does not exist: put it there or correct the path.") from missing
    except (OSError, ValueError, ImportError) as unreadable:
        raise DataError(
            f"file {where!r} cannot be read ({unreadable}): correct the path, its permissions, or install its driver."
        ) from unreadable


def parsed_table(data: bytes, where: str, *, columns: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """The table in a file's bytes; the ending of `where` says which format. Raises `DataError` like `read_table`.

    >>> parsed_table(b"tail,delay\\nN836UA,64\\n,NA\\n", "late.csv", columns={"delay": pa.int16()}).to_pydict()
    {'tail': ['N836UA', None], 'delay': [64, None]}
    """
    ending = PurePath(where).suffix.lower()
    if ending == ".parquet":
        return parquet_table(data, f"file {where!r}")
    if ending == ".csv":
        return _csv_table(data, where, columns or {})
    raise DataError(f"file {where!r} ends with {ending!r}, must be '.parquet' or '.csv': convert it.")


def file_sha256(path_or_url: str | os.PathLike[str]) -> str:
    """The sha256 of a file's bytes as 64 hexadecimal characters, as `sha256sum` prints it. Raises `DataError`."""
    return hashlib.sha256(file_bytes(path_or_url)).hexdigest()


def _csv_table(data: bytes, where: str, columns: Mapping[str, pa.DataType]) -> pa.Table:
    if not data.strip():
        raise DataError(
            f"file {where!r} is empty ({len(data)} bytes), must begin with a row of column names: copy it again."
        )
    convert = pacsv.ConvertOptions(
        column_types=dict(columns),
        null_values=list(NULL_SPELLINGS),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pacsv.ParseOptions(newlines_in_values=True)
    read = pacsv.ReadOptions(use_threads=False)
    try:
        return pacsv.read_csv(pa.BufferReader(data), read_options=read, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError, ValueError) as refused:
        raise DataError(
            f"file {where!r} cannot be read as CSV ({refused}): correct the file or the declared types."
        ) from refused

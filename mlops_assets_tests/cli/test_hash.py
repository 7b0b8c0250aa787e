"""`mlops hash`: the data version of a file, whoever wrote it."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from mlops_assets.core.versions import table_version
from mlops_assets.stores.assets import AssetStore
from mlops_assets_tests.cli.conftest import SHIPPED, WEEKS, Backfilled, Mlops

TABLE = pa.table({
    "tail": ["N836UA", None, "", "ü,\"\n"],
    "delay_min": [64, None, -3, 0],
    "precip": [0.1, float("nan"), None, -0.0],
    "late": [True, False, None, True],
})  # fmt: skip


def version(mlops: Mlops, file: Path) -> str:
    answer = mlops("hash", str(file))
    assert (answer.code, answer.err) == (0, "")
    found, name = answer.out.rstrip("\n").split("  ")
    assert name == str(file)
    return found


def test_the_line_is_version_and_file_as_other_sum_tools_print_it(mlops: Mlops, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")

    assert version(mlops, tmp_path / "a.parquet") == table_version(TABLE)


def test_whoever_writes_the_file_it_is_the_same_table(mlops: Mlops, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pq.write_table(
        TABLE.take([3, 1, 0, 2]), tmp_path / "b.parquet", compression="zstd", row_group_size=1, version="1.0"
    )
    pacsv.write_csv(TABLE, tmp_path / "c.csv")

    assert len({version(mlops, tmp_path / name) for name in ("a.parquet", "b.parquet", "c.csv")}) == 1
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("name", ["airports", "planes"])
def test_a_table_written_as_csv_has_the_same_version_where_csv_can_tell_the_types(
    mlops: Mlops, tmp_path: Path, name: str
) -> None:
    shipped = pq.read_table(SHIPPED / f"{name}.parquet")
    wide = [f.with_type(pa.int64()) if pa.types.is_integer(f.type) else f for f in shipped.schema]
    pq.write_table(shipped.cast(pa.schema(wide)), tmp_path / f"{name}.parquet")
    pacsv.write_csv(shipped, tmp_path / f"{name}.csv")

    assert version(mlops, tmp_path / f"{name}.csv") == version(mlops, tmp_path / f"{name}.parquet")


def test_one_value_more_or_less_is_another_version(mlops: Mlops, tmp_path: Path) -> None:
    other = TABLE.set_column(1, "delay_min", pa.array([64, None, -3, 1]))
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pq.write_table(other, tmp_path / "b.parquet")

    assert version(mlops, tmp_path / "a.parquet") != version(mlops, tmp_path / "b.parquet")


@pytest.mark.parametrize("table", ["flights", "weather", "planes", "airports"])
def test_it_is_the_version_the_asset_has_for_that_table(mlops: Mlops, backfilled: Backfilled, table: str) -> None:
    ref = AssetStore(backfilled.folder / "store").latest("flight_delays/raw_data", WEEKS[0])
    assert ref is not None
    landed = ref.about["files"][table]
    file = backfilled.folder / "landing" / "flight_delays" / landed["file"]

    answer = mlops("hash", str(file), "--json")

    assert answer.json["data_version"] == ref.parts[table].version
    assert answer.json["sha256"] == landed["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_json_is_one_document_and_has_the_bytes_own_hash_beside_it(mlops: Mlops, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(TABLE, file)

    assert mlops("hash", str(file), "--json").json == {
        "file": str(file),
        "data_version": table_version(TABLE),
        "rows": 4,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize("file", ["a [b].parquet", "[red]a[/red].parquet", "ü.parquet"])
def test_a_name_is_printed_as_it_is(mlops: Mlops, tmp_path: Path, file: str) -> None:
    path = tmp_path / file.replace("/", "-")
    pq.write_table(TABLE, path)

    assert version(mlops, path) == table_version(TABLE)


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.parquet", None, "does not exist: put it there or correct the path."),
        ("text.parquet", b"year,month\n1,2\n", "must be a Parquet file"),
        ("empty.parquet", b"", "is empty"),
        ("empty.csv", b"", "is empty (0 bytes), must begin with a row of column names: copy it again."),
        ("half.csv", b"a,b\n1,2\n3\n", "cannot be read as CSV"),
        ("sheet.xlsx", b"PK", "ends with '.xlsx', must be '.parquet' or '.csv': convert it."),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(
    mlops: Mlops, tmp_path: Path, json: tuple[str, ...], name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    answer = mlops("hash", str(tmp_path / name), *json)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"refused: file '{tmp_path / name}' ")
    assert answer.err.count("\n") == 1
    assert "Traceback" not in answer.err
    assert said in answer.err


def test_a_file_cut_off_in_the_middle_is_refused_and_not_hashed_in_part(mlops: Mlops, tmp_path: Path) -> None:
    data = (SHIPPED / "planes.parquet").read_bytes()
    for keep in (1, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.parquet").write_bytes(data[:keep])
        answer = mlops("hash", str(tmp_path / "cut.parquet"))

        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)

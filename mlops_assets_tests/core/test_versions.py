"""The data version: equal for every spelling of one content, different for any other content."""

import datetime as dt
import decimal
import json
import math
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlops_assets.core.columns import normalised
from mlops_assets.core.versions import blob_version, canonical, canonical_json, record_version, table_version
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.files import parsed_table

ONES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INSTANTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
VALUES = {  # type -> its values; few of each, so that ties and equal rows are common
    pa.int8(): st.integers(-3, 3),
    pa.int16(): st.sampled_from([-(2**15), -1, 0, 2**15 - 1]),
    pa.int32(): st.integers(-3, 3),
    pa.int64(): st.sampled_from([-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1]),
    pa.uint8(): st.integers(0, 3),
    pa.uint64(): st.sampled_from([0, 1, 2**63, 2**64 - 1]),
    pa.float32(): st.sampled_from([0.0, -0.0, 1.5, -1.5, math.inf, -math.inf, math.nan]),
    pa.float64(): st.sampled_from([0.0, -0.0, 0.1, -5e-324, math.inf, -math.inf, math.nan]),
    pa.bool_(): st.booleans(),
    pa.string(): TEXTS,
    pa.binary(): st.binary(max_size=4),
    pa.date32(): st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    pa.timestamp("us"): INSTANTS,
    pa.timestamp("us", "UTC"): INSTANTS.map(lambda t: t.replace(tzinfo=dt.UTC)),
    pa.time64("us"): st.times(),
    pa.duration("us"): st.timedeltas(dt.timedelta(-5), dt.timedelta(5)),
    pa.decimal128(12, 2): st.decimals(-(10**9), 10**9, places=2),
    pa.decimal128(30, 4): st.decimals(-(10**25), 10**25, places=4),
    pa.null(): st.none(),
}
DUCKDB_LACKS = (pa.duration("us"), pa.null())  # its interval is another thing; it writes null columns as int32


@st.composite
def tables(draw, kinds=tuple(VALUES), max_rows=12, nulls=True):
    rows = draw(st.integers(0, max_rows))
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    arrays = []
    for kind in columns:
        value = st.none() | VALUES[kind] if nulls else VALUES[kind]
        arrays.append(pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), kind))
    return pa.table(arrays, [f"c{n}" for n in range(len(arrays))])


def shuffled(table, seed):
    return table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))


def rows_of(table):
    """The oracle: rows as plain values, -0.0 as 0.0, every NaN the same."""

    def plain(value):
        if isinstance(value, float):
            return "nan" if math.isnan(value) else value + 0.0
        return value

    return Counter(tuple(map(plain, row.values())) for row in table.to_pylist())


@given(tables(kinds=tuple(k for k in VALUES if k != pa.timestamp("us"))), st.data())
@settings(ONES, max_examples=150)
def test_two_tables_have_one_version_when_and_only_when_they_hold_the_same_rows(table, data):
    other = table
    for _ in range(data.draw(st.integers(0, 2))):  # replace a value of some row by one of another row
        if table.num_rows:
            place, column = (
                data.draw(st.integers(0, table.num_rows - 1)),
                data.draw(st.integers(0, table.num_columns - 1)),
            )
            values = other.column(column).to_pylist()
            values[place] = data.draw(st.sampled_from(values) | VALUES[table.schema.field(column).type])
            other = other.set_column(
                column, table.column_names[column], pa.array(values, table.schema.field(column).type)
            )

    assert (table_version(table) == table_version(shuffled(other, 1))) == (rows_of(table) == rows_of(other))


def sort_key(row):
    """The oracle of the canonical order: nulls last, NaN after the numbers."""
    key = []
    for value in row.values():
        nan = isinstance(value, float) and math.isnan(value)
        plain = value.encode() if isinstance(value, str) else value
        key.append((2,) if value is None else (1,) if nan else (0, plain))
    return key


@given(tables(max_rows=30))
@settings(ONES, max_examples=150)
def test_rows_come_in_the_order_that_a_naive_sort_gives(table):
    rows = canonical(table).to_pylist()

    assert repr(rows) == repr(
        [
            {k: v + 0.0 if isinstance(v, float) else v for k, v in row.items()}
            for row in sorted(table.to_pylist(), key=sort_key)
        ]
    )
    assert canonical(canonical(table)).equals(canonical(table)) or "nan" in repr(rows)


@pytest.mark.parametrize("rows", [1, 2, 17, 5_000])
@pytest.mark.parametrize("distinct", [1, 3, 10**9])
def test_sorting_many_columns_of_many_ties_is_the_order_of_arrow(rows, distinct):
    draw = np.random.default_rng(rows)
    table = pa.table({f"c{n}": draw.integers(-distinct, distinct, rows) * 2**31 for n in range(5)})
    ours, arrows = canonical(table), table.sort_by([(name, "ascending") for name in table.column_names])

    assert ours.equals(arrows)


# --- the same content, spelled otherwise


@given(
    tables(),
    st.integers(0, 99),
    st.sampled_from([1, 3, 1000]),
    st.booleans(),
    st.sampled_from(["1.0", "2.0"]),
    st.sampled_from(["none", "snappy", "zstd"]),
)
@ONES
def test_any_way_that_arrow_writes_parquet_keeps_the_version(table, seed, group, dictionary, page, compression):
    sink = pa.BufferOutputStream()
    pq.write_table(
        shuffled(table, seed),
        sink,
        row_group_size=group,
        use_dictionary=dictionary,
        data_page_version=page,
        compression=compression,
    )

    assert table_version(pq.read_table(sink.getvalue())) == table_version(table)


@given(tables(kinds=(pa.int64(), pa.int8(), pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us"), pa.date32())))
@ONES
def test_pandas_writing_parquet_keeps_the_version(tmp_path_factory, table):
    file = tmp_path_factory.mktemp("pandas") / "t.parquet"
    table.to_pandas(types_mapper=pd.ArrowDtype).to_parquet(file)

    assert table_version(pq.read_table(file)) == table_version(table)


@given(tables(kinds=(pa.int64(), pa.int32(), pa.float64(), pa.bool_(), pa.string()), nulls=False))
@ONES
def test_a_plain_numpy_frame_keeps_the_version(table):
    assume(table.num_rows)  # pandas has no type for the texts of an empty frame
    assume("nan" not in repr(table.to_pylist()))  # nor a NaN that is not a null: Table.from_pandas makes it one

    assert table_version(pa.Table.from_pandas(table.to_pandas())) == table_version(table)


@given(tables(kinds=tuple(k for k in VALUES if k not in DUCKDB_LACKS)), st.integers(0, 99))
@ONES
def test_duckdb_writing_parquet_keeps_the_version(tmp_path_factory, table, seed):
    assume(not any("\0" in (v or "") for c in table.columns if c.type == pa.string() for v in c.to_pylist()))
    file = tmp_path_factory.mktemp("duckdb") / "t.parquet"
    given_table = shuffled(table, seed)
    with duckdb.connect() as engine:
        engine.register("given_table", given_table)
        engine.sql(f"COPY given_table TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")

    assert table_version(pq.read_table(file)) == table_version(table)


@given(tables(kinds=(pa.int64(), pa.int16(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"))))
@ONES
def test_csv_with_declared_types_keeps_the_version(table):
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink)
    assume(table.num_columns > 1)  # a row of one null is an empty line, which CSV cannot tell from none
    again = parsed_table(
        bytes(sink.getvalue()), "t.csv", columns=dict(zip(table.column_names, table.schema.types, strict=True))
    )

    assert table_version(again) == table_version(table)


@given(tables(kinds=(pa.string(), pa.binary(), pa.int32(), pa.float64(), pa.decimal128(12, 2))), st.data())
@ONES
def test_how_arrow_holds_the_values_in_memory_does_not_matter(table, data):
    def held(array):
        kind = array.type
        forms = [array, array.dictionary_encode(), pa.concat_arrays([array, array]).slice(len(array))]
        if kind in (pa.string(), pa.binary()):
            wide, view = (
                (pa.large_string(), pa.string_view()) if kind == pa.string() else (pa.large_binary(), pa.binary_view())
            )
            forms += [array.cast(wide), array.cast(view)]
        if kind == pa.decimal128(12, 2):
            forms += [array.cast(pa.decimal64(12, 2)), array.cast(pa.decimal256(12, 2))]
        return data.draw(st.sampled_from(forms))

    other = pa.table([held(column.combine_chunks()) for column in table.columns], table.column_names)
    other = other.replace_schema_metadata({"pandas": "anything"})
    cut = data.draw(st.integers(0, table.num_rows))
    chunked = pa.concat_tables([other.slice(0, cut), other.slice(cut)]).unify_dictionaries()

    assert table_version(other) == table_version(chunked) == table_version(table)


def test_garbage_under_nulls_does_not_count():
    mask = pa.array([True, False, True]).buffers()[1]
    whole = pa.array([1, 99, 3]).buffers()[1]
    texts = pa.array(["a", "garbage", "c"])
    numbers = pa.Array.from_buffers(pa.int64(), 3, [mask, whole])
    words = pa.Array.from_buffers(pa.string(), 3, [mask, *texts.buffers()[1:]])
    flags = pa.Array.from_buffers(pa.bool_(), 3, [mask, pa.array([True, True, False]).buffers()[1]])

    met = table_version(pa.table({"n": numbers, "w": words, "f": flags}))

    assert met == table_version(pa.table({"n": [1, None, 3], "w": ["a", None, "c"], "f": [True, None, False]}))


def test_every_nan_is_one_nan_and_minus_zero_is_zero():
    odd = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x8000000000000000], dtype=np.uint64).view(np.float64)

    assert table_version(pa.table({"x": odd})) == table_version(pa.table({"x": [math.nan, math.nan, 0.0]}))


def test_an_instant_is_itself_in_any_unit_and_zone():
    utc = pa.array([1_373_457_600_000_000], pa.timestamp("us", "UTC"))
    forms = [pa.timestamp("s", "UTC"), pa.timestamp("ms", "America/New_York"), pa.timestamp("ns", "Asia/Tokyo")]

    assert {table_version(pa.table({"t": utc.cast(form)})) for form in forms} == {table_version(pa.table({"t": utc}))}


# --- other content


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(pa.array([0]), pa.array([None], pa.int64()), id="a null is not a zero"),
        pytest.param(pa.array([""]), pa.array([None], pa.string()), id="a null is not an empty text"),
        pytest.param(pa.array([False]), pa.array([None], pa.bool_()), id="a null is not false"),
        pytest.param(pa.array([math.nan]), pa.array([None], pa.float64()), id="a null is not NaN"),
        pytest.param(pa.array([1], pa.int32()), pa.array([1], pa.int64()), id="int32 is not int64"),
        pytest.param(pa.array([1], pa.uint64()), pa.array([1], pa.int64()), id="unsigned is not signed"),
        pytest.param(pa.array([1.0], pa.float32()), pa.array([1.0]), id="float is not double"),
        pytest.param(pa.array([1.0]), pa.array([1]), id="a float is not an integer"),
        pytest.param(pa.array(["1"]), pa.array([b"1"]), id="a text is not bytes"),
        pytest.param(pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC")), id="naive not UTC"),
        pytest.param(pa.array([0], pa.timestamp("ns")), pa.array([1], pa.timestamp("ns")), id="one nanosecond counts"),
        pytest.param(pa.array([1], pa.decimal128(5, 2)), pa.array([1], pa.decimal128(5, 3)), id="a scale is a type"),
        pytest.param(pa.array(["a", "bc"]), pa.array(["ab", "c"]), id="texts do not run together"),
        pytest.param(pa.array([1, 1]), pa.array([1]), id="a doubled row counts"),
        pytest.param(pa.array([1, 1, 2]), pa.array([1, 2, 2]), id="how often a row is there counts"),
        pytest.param(pa.array([], pa.int64()), pa.array([], pa.int32()), id="an empty table has types"),
        pytest.param(pa.nulls(2), pa.nulls(3), id="a column of nulls has a length"),
    ],
)  # fmt: skip
def test_it_tells_apart(one, other):
    assert table_version(pa.table({"x": one})) != table_version(pa.table({"x": other}))


@given(tables())
@ONES
def test_names_and_their_order_count(table):
    renamed = table.rename_columns([*table.column_names[:-1], "other"])
    framed = pa.table({"ab": pa.array([1]), "c": pa.array([2])}), pa.table({"a": pa.array([1]), "bc": pa.array([2])})

    assert table_version(renamed) != table_version(table)
    assert table_version(framed[0]) != table_version(framed[1])
    if table.num_columns > 1:
        assert table_version(table.select(table.column_names[::-1])) != table_version(table)


def test_a_value_moved_to_another_column_counts():
    assert table_version(pa.table({"a": ["x"], "b": [""]})) != table_version(pa.table({"a": [""], "b": ["x"]}))


def test_a_table_without_columns_has_no_rows_either():
    two = pa.table({"x": [1, 2]}).select([])

    assert table_version(two) == table_version(pa.table({})) != table_version(pa.table({"x": pa.array([], pa.int8())}))


# --- what has no version


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.int8()),
        pa.struct({"a": pa.int8()}),
        pa.map_(pa.string(), pa.int8()),
        pa.month_day_nano_interval(),
        pa.uuid(),
    ],
)
def test_a_nested_column_is_refused_by_name_and_type(kind):
    with pytest.raises(DataError, match=r"'legs'.*no data version"):
        table_version(pa.table({"legs": pa.nulls(1, kind)}))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="more than one column named 'x'"):
        table_version(pa.table([pa.array([1]), pa.array([2])], ["x", "x"]))


def test_an_instant_beyond_its_normal_type_is_refused():
    with pytest.raises(DataError, match="'t'"):
        table_version(pa.table({"t": pa.array([2**62], pa.timestamp("s"))}))


# --- records and blobs


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    )
)
@ONES
def test_a_record_read_back_has_its_version(value):
    assert record_version(json.loads(canonical_json(value))) == record_version(value)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        (1,),
        {1: 2},
        {1},
        b"x",
        dt.date(2013, 7, 8),
        np.float64(1),
        decimal.Decimal(1),
        "\ud800",
        {"a": [0, {"b": -math.inf}]},
    ],
)
def test_what_is_not_json_is_refused(value):
    with pytest.raises(DataError, match="record"):
        record_version(value)


def test_a_record_that_contains_itself_is_refused():
    loop: list = []
    loop.append(loop)

    with pytest.raises(DataError, match="contains itself"):
        record_version(loop)


def test_one_and_true_and_one_point_zero_are_three_values():
    assert len({record_version(1), record_version(True), record_version(1.0), record_version("1")}) == 4


def test_the_versions_of_today_are_the_versions_of_tomorrow():
    """A golden table: when one of these changes, every stored version changes its name, and needs a new tag."""
    table = pa.table({
        "tail": ["N836UA", None, ""],
        "delay": pa.array([64, None, -3], pa.int16()),
        "at": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
        "share": [0.1, math.nan, None],
        "late": [True, None, False],
        "paid": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")]),
    })  # fmt: skip

    assert table_version(table) == "831e3779fa963f7c5d97e6a5447d83285ee2383d6ec487e4c3ea103bdc458f64"
    assert (
        record_version({"a": [1, 1.5, None, True, "ü"]})
        == "2b31db37357ce1628c77277931e5c7811abb0adc85cb0af01231ec0b7686a33d"
    )
    assert (
        blob_version(b"abc") == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    )  # blake3's own vector


def test_a_normal_column_is_not_copied():
    column = pa.chunked_array([pa.array([1, 2, 3])])

    assert normalised("x", column).buffers()[1].address == column.chunk(0).buffers()[1].address

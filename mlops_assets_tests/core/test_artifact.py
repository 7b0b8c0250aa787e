"""An artifact is called by the content of its parts, and by nothing else."""

import math

import pyarrow as pa
import pytest

from mlops_assets.core.artifact import Artifact, Blob
from mlops_assets.declare.errors import DataError

FLIGHTS = pa.table({"tail": ["N836UA", "N1"], "delay_min": [64, None]})
MODEL = Blob(data=b"one spelling", version="digest-1", suffix=".skops")


def test_the_order_of_rows_and_parts_is_not_part_of_the_version():
    one = Artifact(tables={"a": FLIGHTS, "b": FLIGHTS})
    other = Artifact(tables={"b": FLIGHTS.take([1, 0]), "a": FLIGHTS})

    assert one.version == other.version


def test_facts_about_it_are_not_part_of_the_version():
    assert Artifact(tables={"a": FLIGHTS}, about={"run": "a1"}).version == Artifact(tables={"a": FLIGHTS}).version


def test_a_blob_is_known_by_the_version_it_carries_and_not_by_its_bytes():
    other = Blob(data=b"another spelling of it", version="digest-1", suffix=".skops")

    assert Artifact(blobs={"model": MODEL}).version == Artifact(blobs={"model": other}).version


@pytest.mark.parametrize(
    "other",
    [
        Artifact(tables={"b": FLIGHTS}, records={"r": 1}),
        Artifact(tables={"a": FLIGHTS.slice(1)}, records={"r": 1}),
        Artifact(tables={"a": FLIGHTS}, records={"r": 1.0}),
        Artifact(tables={"a": FLIGHTS}, blobs={"r": MODEL}),
        Artifact(tables={"a": FLIGHTS}),
        Artifact(),
    ],
)
def test_a_name_a_kind_and_a_value_are_part_of_the_version(other):
    assert Artifact(tables={"a": FLIGHTS}, records={"r": 1}).version != other.version


def test_tables_are_kept_in_canonical_order():
    assert Artifact(tables={"a": FLIGHTS}).tables["a"]["tail"].to_pylist() == ["N1", "N836UA"]


def test_an_artifact_cannot_be_changed():
    made = Artifact(tables={"a": FLIGHTS})

    with pytest.raises(TypeError):
        made.tables["b"] = FLIGHTS


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"tables": {"../a": FLIGHTS}}, "artifact part == '../a'"),
        ({"tables": {"a": FLIGHTS}, "records": {"a": 1}}, "'a' is named in two kinds"),
        ({"tables": {"a": FLIGHTS.to_pandas()}}, "'a' is a DataFrame, must be a pyarrow.Table"),
        ({"tables": {"a": pa.table({"x": [[1]]})}}, "artifact part 'a': column 'x'"),
        ({"about": {"loss": math.nan}}, "must be finite"),
    ],
)
def test_a_bad_part_is_refused_by_name(parts, says):
    with pytest.raises(DataError, match=says):
        Artifact(**parts)


@pytest.mark.parametrize("bad", [{"version": "a/b"}, {"version": ""}, {"suffix": "skops"}, {"suffix": "./x"}])
def test_a_bad_blob_is_refused(bad):
    with pytest.raises(DataError, match="blob"):
        Blob(**{"data": b"", "version": "v", "suffix": ".x"} | bad)

"""The key of an action, and the words for what differs between two."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.actions import Action, Change, changes, sentence
from mlops_assets.declare import DataError

OLD = Action(
    asset="flight_delays/trained_model",
    partition="2013-02-11",
    code={"mlops_assets.core.fitting.fit_rows": "function:3e25", "mlops_assets.core.metrics.EPSILON": "constant:11"},
    config={"model.seed": 7, "features": ["a", "b"], "label.unit": ""},
    libraries={"scikit-learn": "1.9.0", "python": "3.11"},
    inputs={"flight_delays/feature_table@2013-02-11": "3e25f00d"},
)


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("code", {**OLD.code, "mlops_assets.core.fitting.fit_rows": "function:9abc"},
         "function core.fitting.fit_rows changed"),
        ("code", {**OLD.code, "mlops_assets.core.metrics.EPSILON": "constant:12"},
         "constant core.metrics.EPSILON changed"),
        ("code", {**OLD.code, "shop.features.Rate": "class:1"}, "class shop.features.Rate added"),
        ("code", {"mlops_assets.core.fitting.fit_rows": "function:3e25"}, "constant core.metrics.EPSILON removed"),
        ("code", {**OLD.code, "mlops_assets.graph (on import)": "module:1"}, "module graph (on import) added"),
        ("config", {**OLD.config, "model.seed": 8}, "config model.seed: 7 -> 8"),
        ("config", {**OLD.config, "model.seed": 7.0}, "config model.seed: 7 -> 7.0"),
        ("config", {**OLD.config, "features": ["b", "a"]}, 'config features: ["a","b"] -> ["b","a"]'),
        ("config", {**OLD.config, "model.search": None}, "config model.search added: null"),
        ("config", {k: v for k, v in OLD.config.items() if k != "model.seed"}, "config model.seed removed: 7"),
        ("libraries", {**OLD.libraries, "scikit-learn": "1.9.1"}, "library scikit-learn: 1.9.0 -> 1.9.1"),
        ("inputs", {"flight_delays/feature_table@2013-02-11": "9abcf00d"},
         "input flight_delays/feature_table@2013-02-11: 3e25.. -> 9abc.."),
        ("inputs", {**OLD.inputs, "landing/planes.parquet": "11223344"}, "input landing/planes.parquet added: 1122.."),
    ],
)  # fmt: skip
def test_one_difference_is_one_sentence_and_another_key(part: str, value: Any, said: str) -> None:
    new = dataclasses.replace(OLD, **{part: value})

    assert [sentence(change) for change in changes(OLD, new)] == [said]
    assert new.key != OLD.key
    assert (new.code_version != OLD.code_version) == (part != "inputs")


def test_an_action_has_no_changes_from_itself() -> None:
    assert changes(OLD, dataclasses.replace(OLD)) == []


def test_asset_and_partition_are_part_of_the_key_alone() -> None:
    other = dataclasses.replace(OLD, partition="2013-02-18")

    assert other.key != OLD.key
    assert other.code_version == OLD.code_version
    assert changes(OLD, other) == []
    assert dataclasses.replace(OLD, asset="parking/trained_model").key != OLD.key


def test_changes_come_code_first_then_config_libraries_inputs_by_name() -> None:
    new = Action(
        asset=OLD.asset, partition=OLD.partition, code={"b": "function:1", "a": "class:1"}, config={}, libraries={},
        inputs={},
    )  # fmt: skip
    found = changes(OLD, new)

    kinds = [change.kind for change in found]
    assert kinds == sorted(kinds, key=["code", "config", "library", "input"].index)
    assert [change.name for change in found if change.kind == "code"][:2] == ["a", "b"]
    assert found == changes(OLD, dataclasses.replace(new, code=dict(reversed(new.code.items()))))


def test_the_recipe_gives_the_action_back() -> None:
    again = Action(asset=OLD.asset, partition=OLD.partition, inputs=OLD.inputs, **OLD.recipe)

    assert (again, again.key) == (OLD, OLD.key)


def test_what_has_no_version_has_no_key() -> None:
    with pytest.raises(DataError, match="must be finite"):
        _ = dataclasses.replace(OLD, config={"x": float("nan")}).key


parts = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["function:1", "function:2"]), max_size=4)


@given(st.tuples(parts, parts, parts, parts), st.tuples(parts, parts, parts, parts))
def test_keys_differ_exactly_where_there_are_changes(one: Any, two: Any) -> None:
    old, new = (
        Action(asset="a", partition="p", code=code, config=config, libraries=libraries, inputs=inputs)
        for code, config, libraries, inputs in (one, two)
    )

    assert (old.key == new.key) == (changes(old, new) == [])
    assert (old.code_version == new.code_version) == (one[:3] == two[:3])
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert changes(new, old) == [
        Change(kind=c.kind, name=c.name, what=turned[c.what], before=c.after, after=c.before)  # type: ignore[arg-type]
        for c in changes(old, new)
    ]

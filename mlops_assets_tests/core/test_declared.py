"""The configuration of a step: every field of the declaration, at a path that says where it stands."""

import dataclasses
import datetime as dt
import functools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from mlops_assets.core.declared import SPEED, TEXTS, config, entries_of, functions
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare import AtRequest, Compute, DeclarationError, Estimator, Kind, UseCase
from mlops_assets.declare.visible import visible
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING

BOTH = pytest.mark.parametrize("use_case", [FLIGHT_DELAYS, PARKING], ids=lambda use_case: use_case.name)


def fields_below(path: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Naive: (path, "Class.field", value) of every field of every record, found by walking `dataclasses.fields`."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            below = f"{path}.{field.name}".removeprefix(".")
            found = getattr(value, field.name)
            yield below, f"{type(value).__name__}.{field.name}", found
            yield from fields_below(below, found)
    elif isinstance(value, tuple):
        for place, element in enumerate(value):
            yield from fields_below(f"{path}[{getattr(element, 'name', place)}]", element)


@BOTH
def test_the_configuration_covers_every_field_but_texts_and_speed(use_case: UseCase) -> None:
    found = config(use_case)

    for path, field, value in fields_below("", use_case):
        left_out = field in SPEED or field.partition(".")[2] in TEXTS
        held = path in found or f"{path}.class" in found
        assert held != left_out, path
        if value is None or type(value) in (bool, int, float, str):
            assert left_out or (found[path] == value and type(found[path]) is type(value))


@BOTH
def test_docs_bring_texts_for_people_and_nothing_else(use_case: UseCase) -> None:
    told, plain = config(use_case, docs=True), config(use_case)

    assert plain.items() <= told.items()
    assert {path.rpartition(".")[2].partition("[")[0] for path in told.keys() - plain.keys()} == TEXTS
    assert told["tables[flights].doc" if use_case is FLIGHT_DELAYS else "tables[readings].doc"].startswith("a ")
    assert not [path for path in told if path.endswith(("threads", "checkpoint_every"))]


@BOTH
def test_the_configuration_is_json_and_the_same_every_time(use_case: UseCase) -> None:
    assert canonical_json(config(use_case)) == canonical_json(config(use_case))


def test_the_fields_that_only_say_how_fast_exist() -> None:
    fields = {field for _, field, _ in fields_below("", FLIGHT_DELAYS)}

    assert fields >= SPEED
    assert {field.partition(".")[2] for field in fields} >= TEXTS


def test_paths_and_values_read_as_they_are_declared() -> None:
    found = config(FLIGHT_DELAYS)

    assert found["tables"] == ["flights", "weather", "planes", "airports"]
    assert found["tables[flights].columns"][:2] == ["year", "month"]
    assert found["tables[flights].columns[arr_delay].ge"] == -180
    assert found["tables[flights].columns[arr_delay].kind"] == "int"
    assert found["tables[flights].late_by"] == 3 * 86_400_000_000
    assert found["features[tail_delay_7d].class"] == "mlops_assets.declare.features.Mean"
    assert found["features[weekday].fn"] == "mlops_assets.use_cases.flight_delays.weekday"
    assert found["model.estimator.params[learning_rate]"] == 0.05
    assert found["model.excluded"] == ["temp", "dewp", "pressure", "dest"]


def test_the_order_of_named_elements_is_a_value() -> None:
    turned = dataclasses.replace(FLIGHT_DELAYS, features=FLIGHT_DELAYS.features[::-1])
    before, after = config(FLIGHT_DELAYS), config(turned)

    assert {path for path in before if before[path] != after[path]} == {"features"}


def test_the_configuration_of_a_restricted_copy_is_that_of_its_fields() -> None:
    whole = config(FLIGHT_DELAYS)
    found = config(visible(FLIGHT_DELAYS, ("name", "model.seed", "promotion")))

    assert found.items() <= whole.items()
    assert set(found) == {
        path for path in whole if path in ("class", "name", "model.class", "model.seed") or path.startswith("promotion")
    }


@dataclasses.dataclass(frozen=True)
class Holder:
    """Any value, to be walked."""

    value: Any


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.1 + 0.2, 0.30000000000000004),
        (math.inf, "inf"),
        (True, True),
        (None, None),
        (dt.timedelta(minutes=1), 60_000_000),
        (dt.date(2013, 1, 7), "2013-01-07"),
        (dt.datetime(2013, 1, 7, 5, tzinfo=dt.UTC), "2013-01-07T05:00:00+00:00"),
        (Kind.INT, "int"),
        ((), []),
        ((1, "a", None, Kind.INT), [1, "a", None, "int"]),
        ({}, []),
        (len, "builtins.len"),
    ],
    ids=repr,
)
def test_each_kind_of_value_has_one_spelling(value: object, said: object) -> None:
    found = config(Holder(value))["value"]

    assert (found, type(found)) == (said, type(said))


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", 1j, {"a": {3}}, (Kind.INT, [b"x"]), {1: 2}], ids=lambda v: type(v).__name__
)
def test_anything_else_is_refused_with_its_path(value: object) -> None:
    with pytest.raises(DeclarationError, match=r"^value"):
        config(Holder(value))


def test_two_values_of_one_path_are_refused() -> None:
    with pytest.raises(DeclarationError, match=r"value\[a\]\[b\] is the path of two values"):
        config(Holder({"a": {"b": 1}, "a][b": 2}))


def test_the_order_and_the_keys_of_a_mapping_are_values() -> None:
    assert config(Holder({"b": 1, "a": (2, 3)})) == {
        "class": f"{__name__}.Holder", "value": ["b", "a"], "value[b]": 1, "value[a]": [2, 3],
    }  # fmt: skip


# --- functions -----------------------------------------------------------------------------------------------------


def plain(x: float, n: int = 1) -> float:
    return x + n


def adder(n: Any) -> Callable[[float], float]:
    def add(x: float) -> float:
        return x + n

    return add


def repeated(times: int) -> Callable[[int], int]:
    def again(left: int) -> int:
        return again(left - 1) if left else times

    return again


double = lambda x: 2 * x  # noqa: E731  a lambda of the top level is what is tested


@functools.cache
def cached(x: float) -> float:
    return x


def wrapped(function: Callable[[float], float], by: float) -> Callable[[float], float]:
    @functools.wraps(function)
    def more(x: float) -> float:
        return function(x) + by

    return more


def chosen(name: str) -> Callable[[str], bool]:
    if name == "told":

        def check(x: str) -> bool:
            """Told."""
            return x in {"a", "b"} and any(y == x for y in x)

    elif name == "plain":

        def check(x: str) -> bool:
            return x in {"a", "b"} and any(y == x for y in x)

    elif name == "other":

        def check(x: str) -> bool:
            return x in {"a", "c"} and any(y == x for y in x)

    else:

        def check(x: str) -> bool:
            return x in {"a", "b"} and any(y != x for y in x)

    return check


class Shop:
    rate = staticmethod(lambda x: x)

    @classmethod
    def price(cls, x: float) -> float:
        return x

    def total(self, x: float) -> float:
        return x


@pytest.mark.parametrize(
    ("function", "entry"),
    [
        (plain, "plain"),
        (adder(1), "adder"),
        (repeated(2), "repeated"),
        (double, ""),
        (Shop.rate, "Shop"),
        (Shop.price, "Shop.price"),
        (functools.partial(plain, n=2), "plain"),
        (cached, "cached"),
        (Shop, "Shop"),
    ],
    ids=["function", "nested", "nested twice", "lambda", "lambda of a class", "method", "partial", "cached", "class"],
)
def test_the_entry_of_a_function_is_the_top_level_definition_around_it(function: object, entry: str) -> None:
    assert entries_of(function) == [f"{__name__}.{entry}".rstrip(".")]


def test_what_a_nested_function_holds_is_in_the_configuration() -> None:
    one, two = config(Holder(adder(1))), config(Holder(adder(2)))

    assert one["value"] == two["value"] == f"{__name__}.adder.<locals>.add"
    assert (one["value.closure[n]"], two["value.closure[n]"]) == (1, 2)


def test_of_two_nested_functions_of_one_name_each_is_its_own() -> None:
    found = {name: config(Holder(chosen(name))) for name in ("told", "plain", "other", "inner")}

    assert len({said["value"] for said in found.values()}) == 1
    assert found["told"] == found["plain"]  # a docstring is no code
    assert len({said["value.code"] for said in found.values()}) == 3


def test_what_a_nested_function_does_is_the_same_in_every_process() -> None:
    asked = "from mlops_assets_tests.core.test_declared import *; print(config(Holder(chosen('plain')))['value.code'])"
    told = {
        subprocess.run(
            [sys.executable, "-c", asked], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    assert told == {f"{config(Holder(chosen('plain')))['value.code']}\n"}


def test_defaults_that_a_lambda_was_given_while_running_are_in_the_configuration() -> None:
    one, two = (config(Holder(lambda x, n=n, *, m=n: x + n + m)) for n in (1, 2))

    assert (one["value.defaults"], two["value.defaults"]) == ([1], [2])
    assert (one["value.kwdefaults[m]"], two["value.kwdefaults[m]"]) == (1, 2)


def test_arguments_of_a_partial_are_in_the_configuration() -> None:
    found = config(Holder(functools.partial(plain, 0.5, n=2)))

    assert (found["value"], found["value.args"], found["value.keywords[n]"]) == (f"{__name__}.plain", [0.5], 2)


def test_a_function_held_by_a_function_is_an_entry_too() -> None:
    assert entries_of(Holder(adder(double))) == [__name__, f"{__name__}.Holder", f"{__name__}.adder"]


@pytest.mark.parametrize(
    "function",
    [adder(object()), adder({1}), Shop().total, "x".join, wrapped(plain, 1), functools.cache(double), str.join],
    ids=["object held", "set held", "bound", "builtin bound", "other name", "cached lambda", "builtin"],
)
def test_a_function_that_holds_what_cannot_be_told_is_refused(function: object) -> None:
    with pytest.raises(DeclarationError, match="make it a top-level function"):
        config(Holder(function))
    with pytest.raises(DeclarationError, match="make it a top-level function"):
        entries_of(Holder(function))


def test_functions_come_in_declared_order_each_once() -> None:
    names = [function.__name__ for function in functions(FLIGHT_DELAYS)]

    assert names == [
        "outcome_known", "is_late", "is_missing", "same", "minute_of_day", "weekday", "minutes_between",
    ]  # fmt: skip
    assert functions(Holder((functools.partial(plain, 1), plain, len))) == [plain, len]


def test_entries_of_a_declaration_are_its_functions_and_its_classes() -> None:
    asked = AtRequest(name="x", fn=plain, reads=("y",), kind=Kind.INT)

    assert entries_of((asked, Compute(fn=len, reads=("y",)))) == [
        "builtins.len", "mlops_assets.declare.derived.Compute", "mlops_assets.declare.features.AtRequest",
        "mlops_assets.declare.kinds.Kind", f"{__name__}.plain",
    ]  # fmt: skip


def test_parameters_of_an_estimator_are_walked_like_the_rest() -> None:
    params: Mapping[str, Any] = {"alpha": 0.5, "fit": None, "shape": (1, 2), "how": {"a": 1}}
    found = config(Estimator(path="sklearn.x.Y", params=params))

    assert found["params"] == ["alpha", "fit", "shape", "how"]
    assert (found["params[shape]"], found["params[how][a]"]) == ([1, 2], 1)

"""A feature that cannot be true, or would see a value too early, is refused when it is written."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.declare import (
    ALWAYS,
    AtRequest,
    Column,
    Compute,
    Count,
    DeclarationError,
    Derived,
    Feature,
    Kind,
    Last,
    Mean,
    Plus,
    Rate,
    Sum,
    days,
    hours,
)
from mlops_assets_tests.core.features.worlds import BY_WHO, PEOPLE, VISITS, doubled, minutes, use_case

LAST = Last(name="x", **BY_WHO, column="amount", within=minutes(5))
COUNT = Count(name="x", **BY_WHO, column="amount", window=minutes(5))
TWICE = AtRequest(name="x", fn=doubled, reads=("size",), kind=Kind.INT)
COLOUR = Last(name="x", table="people", key=("who",), table_key=("name",), column="colour")


def refusal(feature: Feature, **changes: Any) -> str:
    """What the shop says to this feature."""
    with pytest.raises(DeclarationError) as refused:
        use_case((feature,), **changes)
    return str(refused.value)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (replace(LAST, table="gone"), "table == 'gone', names nothing that is declared: use one of ['people', 'visit"),
        (replace(LAST, column="gone"), "column == 'gone', names nothing that is declared: use one of ['amount', 'ask"),
        (replace(LAST, key=("gone",), table_key=("who",)), "key == 'gone', names nothing"),
        (replace(LAST, table_key=("gone",)), "table_key == 'gone', names nothing"),
        (replace(TWICE, reads=("gone",)), "reads == 'gone', names nothing"),
        (replace(LAST, within=None), "within == None, 'amount' is known at 'done': a value with an instant needs an a"),
        (replace(COLOUR, within=hours(1)), "'colour' is known at 'always': a value with an instant needs an age lim"),
        (replace(COUNT, column="size"), "column == 'size', is known ALWAYS, so no event makes it known: a window cou"),
        (Sum(name="x", **BY_WHO, column="size", window=hours(1)), "column == 'size', is known ALWAYS"),
        (Mean(name="x", **BY_WHO, column="size", window=hours(1)), "column == 'size', is known ALWAYS"),
        (Rate(name="x", **BY_WHO, column="amount", window=hours(1)), "column == 'amount', is int: Rate is the share "),
        (Sum(name="x", **BY_WHO, column="note", window=hours(1)), "column == 'note', is string: only numbers add up"),
        (Mean(name="x", **BY_WHO, column="done", window=hours(1)), "column == 'done', is instant: only numbers add"),
        (replace(LAST, column="done"), "column == 'done', is instant, a feature is a number, a text or a bool: derive"),
        (replace(TWICE, kind=Kind.INSTANT), "kind == 'instant', a feature is a number, a text or a bool: derive the"),
    ],
)
def test_a_feature_that_cannot_be_true_is_refused_with_place_value_rule_and_remedy(feature: Feature, said: str) -> None:
    told = refusal(feature)

    assert told.startswith("shop.features['x']: ")
    assert said in told
    assert told.endswith(".")


@pytest.mark.parametrize("kind", [Sum, Mean])
def test_a_float_without_decimal_places_is_not_added_up(kind: type[Sum] | type[Mean]) -> None:
    loose = tuple(replace(c, decimals=None) if c.name == "price" else c for c in VISITS.columns)
    told = refusal(kind(name="x", **BY_WHO, column="price", window=hours(1)), visits=replace(VISITS, columns=loose))

    assert "column == 'price', is a FLOAT without decimals: float sums depend on their order" in told
    assert use_case((kind(name="x", **BY_WHO, column="price", window=hours(1)),))


def test_a_derived_float_has_no_decimal_places_and_is_not_added_up() -> None:
    half = Derived(name="half", kind=Kind.FLOAT, known_at="done", rule=Compute(fn=doubled, reads=("amount",)))
    told = refusal(Sum(name="x", **BY_WHO, column="half", window=hours(1)), visits=replace(VISITS, derived=(half,)))

    assert "is a FLOAT without decimals" in told


@pytest.mark.parametrize(
    "feature",
    [
        AtRequest(name="x", fn=doubled, reads=("size", "amount"), kind=Kind.INT),
        Last(name="x", table="people", key=("amount",), table_key=("since",), column="colour"),
        Count(name="x", table="visits", key=("amount",), column="happy", window=minutes(5)),
    ],
    ids=["read", "key", "key of a window"],
)
def test_a_column_of_the_request_known_after_it_is_asked_is_a_leak(feature: Feature) -> None:
    assert refusal(feature) == (
        "shop.features['x'] reads 'amount' of the request, known at 'done', after the question is asked at 'asked': "
        "that is a leak. Look it up (Last, Mean, ...) or drop it."
    )


def test_what_is_known_at_the_very_instant_of_asking_may_be_read() -> None:
    mood = Column(name="mood", kind=Kind.INT, known_at="asked")
    declared = use_case((replace(TWICE, reads=("mood",)),), replace(VISITS, columns=(*VISITS.columns, mood)))

    assert declared.kind_of(declared.features[0]) is Kind.INT


DESK = Column(name="desk", kind=Kind.STRING, known_at="paid", nullable=True)
WITH_DESK = replace(VISITS, columns=(*VISITS.columns, DESK))


@pytest.mark.parametrize("feature", [replace(LAST, table_key=("desk",)), replace(COUNT, table_key=("desk",))])
def test_a_key_that_is_known_after_the_value_it_finds_is_a_leak(feature: Feature) -> None:
    assert refusal(feature, visits=WITH_DESK) == (
        "shop.features['x'] finds 'amount', known at 'done', by the key 'desk', known at 'paid': a row could be found "
        "before its key is known, that is a leak. Key it by columns known 'always' or at 'done'."
    )


def test_a_fact_known_always_is_not_found_by_a_key_known_later() -> None:
    told = refusal(replace(LAST, column="size", within=None, table_key=("desk",)), visits=WITH_DESK)

    assert "finds 'size', known at 'always', by the key 'desk', known at 'paid'" in told
    assert told.endswith("Key it by columns known 'always'.")


def test_a_key_known_with_the_value_it_finds_is_no_leak() -> None:
    assert use_case((replace(LAST, column="note", table_key=("desk",)),), WITH_DESK)


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "CON", "nul.txt", "é", "ａ", "x" * 300, "", ".", "a b", "a\0"])
def test_a_name_that_could_be_a_path_is_refused_for_every_kind_of_feature(name: str) -> None:
    for feature in (LAST, COUNT, TWICE):
        with pytest.raises(DeclarationError, match=r"^feature == .*rename it\.$") as refused:
            replace(feature, name=name)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("feature", "changes", "said"),
    [
        (LAST, {"key": ()}, r"feature 'x': key == \(\), must name a column of the request: say whose value it is"),
        (LAST, {"table_key": ("who", "shop")}, r"table_key == \('who', 'shop'\), must pair with key == \('who',\)"),
        (LAST, {"within": timedelta(0)}, "feature 'x': within == .*must be positive"),
        (LAST, {"within": -hours(1)}, "feature 'x': within == .*must be positive"),
        (COUNT, {"window": timedelta(0)}, "feature 'x': window == .*must be positive"),
        (TWICE, {"kind": "int"}, r"feature 'x': kind == 'int', names nothing that is declared: use one of \['Kind"),
    ],
)
def test_a_feature_that_is_wrong_in_itself_is_refused_before_any_table_is_seen(
    feature: Feature, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DeclarationError, match=said):
        replace(feature, **changes)


def test_keys_pair_with_columns_of_the_same_name_unless_said_otherwise() -> None:
    assert (LAST.key, LAST.table_key) == (("who",), ("who",))
    assert (COLOUR.key, COLOUR.table_key) == (("who",), ("name",))


PRICED = replace(LAST, column="price")
MEAN = Mean(name="x", **BY_WHO, column="amount", window=hours(1))


@pytest.mark.parametrize(
    ("feature", "missing"),
    [(LAST, -1), (PRICED, 0.0), (replace(LAST, column="happy"), False), (COLOUR, ""), (MEAN, 0.5)],
    ids=["int", "float", "bool", "string", "mean"],
)
def test_a_value_the_feature_could_have_may_stand_where_nothing_is_known(feature: Last | Mean, missing: Any) -> None:
    (declared,) = use_case((replace(feature, missing=missing),)).features

    assert not isinstance(declared, AtRequest)
    assert (declared.missing, type(declared.missing)) == (missing, type(missing))


@pytest.mark.parametrize(
    ("feature", "missing", "kind"),
    [
        (LAST, 1.5, "int"), (LAST, True, "int"), (LAST, "0", "int"),
        (PRICED, float("nan"), "float"), (PRICED, float("inf"), "float"), (PRICED, False, "float"),
        (replace(LAST, column="happy"), 0, "bool"), (COLOUR, 0, "string"), (MEAN, "0.5", "float"),
    ],
)  # fmt: skip
def test_a_missing_value_of_another_kind_is_refused(feature: Last | Mean, missing: Any, kind: str) -> None:
    told = refusal(replace(feature, missing=missing))

    assert told == f"shop.features['x']: missing == {missing!r}, is no {kind}: give a value the feature could have."


@pytest.mark.parametrize("kind", [Count, Sum])
def test_an_empty_window_counts_and_adds_up_to_0_and_to_nothing_else(kind: type[Count] | type[Sum]) -> None:
    with pytest.raises(DeclarationError, match="feature 'x': missing == 0, an empty window counts and adds up to 0"):
        kind(name="x", **BY_WHO, column="amount", window=hours(1), missing=0)


@pytest.mark.parametrize("feature", [LAST, COUNT, TWICE], ids=["Last", "Count", "AtRequest"])
def test_features_are_frozen(feature: Feature) -> None:
    with pytest.raises(FrozenInstanceError):
        feature.name = "other"  # type: ignore[misc]  # the point of the test


def test_what_a_feature_is_follows_from_what_it_reads() -> None:
    priced: Any = {**BY_WHO, "window": days(1)}
    declared = use_case()
    kinds = {
        TWICE: Kind.INT,
        LAST: Kind.INT,
        COLOUR: Kind.STRING,
        COUNT: Kind.INT,
        Sum(name="x", **priced, column="amount"): Kind.INT,
        Sum(name="x", **priced, column="happy"): Kind.INT,
        Sum(name="x", **priced, column="price"): Kind.FLOAT,
        Mean(name="x", **priced, column="amount"): Kind.FLOAT,
        Rate(name="x", **priced, column="happy"): Kind.FLOAT,
    }

    assert {f: declared.kind_of(f) for f in kinds} == kinds


def test_a_derived_instant_makes_a_value_known_like_a_landed_one() -> None:
    told = Derived(name="told", rule=Plus(of="asked", minutes=30), known_at="told")
    columns = tuple(replace(c, known_at="told") if c.name == "amount" else c for c in VISITS.columns)

    assert use_case((COUNT,), replace(VISITS, columns=columns, derived=(told,)))


def test_a_snapshot_is_looked_up_without_an_age() -> None:
    assert PEOPLE.snapshot
    assert PEOPLE.known_at["colour"] == ALWAYS
    assert use_case((COLOUR,)).lookback_weeks == 0

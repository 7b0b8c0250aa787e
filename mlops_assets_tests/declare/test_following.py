"""A table that follows later rows tells nothing early, or is refused when it is written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.declare import ALWAYS, Column, Compute, DeclarationError, Derived, Following, Kind, Plus, Table

NEXT = Following(column="n", by=("who",), at="at", after=timedelta(minutes=5), within=timedelta(minutes=5))
WHEN = Derived(name="next_at", rule=NEXT.moment, known_at="next_at")
WHAT = Derived(name="next_n", rule=NEXT, kind=Kind.INT, known_at="next_at")
READINGS = Table(
    name="readings",
    landing="readings/{partition}.parquet",
    key=("who", "at"),
    day="at",
    columns=(
        Column(name="who", kind=Kind.STRING, known_at=ALWAYS),
        Column(name="at", kind=Kind.INSTANT, known_at=ALWAYS),
        Column(name="n", kind=Kind.INT, known_at="at"),
        Column(name="paid_at", kind=Kind.INSTANT, known_at="paid_at"),
        Column(name="paid", kind=Kind.INT, known_at="paid_at"),
    ),
    derived=(WHEN, WHAT),
)


def doubled(value: Any) -> Any:
    """Twice the value."""
    return value


def computed(name: str, **how: Any) -> Derived:
    return Derived(name=name, rule=Compute(fn=doubled, reads=("next_n",)), **{"kind": Kind.INT, **how})


def test_a_value_of_a_later_row_is_known_at_that_rows_instant() -> None:
    table = replace(READINGS, derived=(WHEN, WHAT, computed("twice", known_at="next_at")))

    assert (table.known_at["next_n"], table.known_at["next_at"]) == ("next_at", "next_at")
    assert table.following == ("next_at", "next_n", "twice")


@pytest.mark.parametrize("known_at", [ALWAYS, "at", "paid_at"])
def test_a_value_of_a_later_row_is_never_known_before_it(known_at: str) -> None:
    with pytest.raises(
        DeclarationError, match=r"derived\['next_n'\]: known_at == .*is known at the 'at' of the row fo"
    ):
        replace(READINGS, derived=(WHEN, replace(WHAT, known_at=known_at)))
    with pytest.raises(
        DeclarationError, match=r"derived\['next_at'\]: known_at == .*is known at the 'at' of the row f"
    ):
        replace(READINGS, derived=(replace(WHEN, known_at=known_at),))
    with pytest.raises(
        DeclarationError, match=r"derived\['twice'\]: known_at == .*it reads \['next_n'\], of a later ro"
    ):
        replace(READINGS, derived=(WHEN, WHAT, computed("twice", known_at=known_at)))


def test_the_instant_of_another_search_says_nothing_of_this_one() -> None:
    sooner = replace(WHEN, rule=replace(NEXT.moment, after=timedelta(minutes=1)))

    with pytest.raises(DeclarationError, match=r"derive that instant by the same Following\(column='at', \.\.\.\)"):
        replace(READINGS, derived=(sooner, WHAT))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"column": "paid"}, "reads == 'paid (known at paid_at)', a row is found at its 'at', when this is not known"),
        ({"by": ("who", "paid")}, "reads == 'paid (known at paid_at)', a row is found at its 'at'"),
        ({"column": "gone"}, "reads == 'gone', names nothing that is declared"),
        ({"at": "n"}, "at == 'n', names nothing that is declared: use one of ['at', 'next_at', 'paid_at']"),
    ],
)
def test_a_search_reads_what_is_known_when_the_row_is_found(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        replace(READINGS, derived=(WHEN, replace(WHAT, rule=replace(NEXT, **changes))))

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"by": ()}, "by == (), must name a column: say whose later row it is."),
        ({"by": "who"}, "by == 'who', must be a tuple of names: write ('who',)."),
        ({"after": timedelta(0)}, "after == datetime.timedelta(0), must be a span above 0 and at most a week"),
        ({"after": timedelta(days=8)}, "must be a span above 0 and at most a week: it looks at later rows of one week"),
        ({"within": timedelta(minutes=-1)}, "within == datetime.timedelta("),
        ({"within": 5}, "within == 5, must be a span"),
    ],
)
def test_a_search_looks_forward_within_a_week(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        replace(NEXT, **wrong)

    assert str(refused.value).startswith("Following: ")
    assert said in str(refused.value)


def test_the_kind_is_that_of_the_column_followed() -> None:
    with pytest.raises(DeclarationError, match=r"derived\['next_n'\]: kind == 'float', 'n' is int: give it that kind"):
        replace(READINGS, derived=(WHEN, replace(WHAT, kind=Kind.FLOAT)))


def test_no_row_is_judged_by_a_later_rows_value() -> None:
    later = Derived(name="later", rule=Plus(of="next_at", minutes=5), known_at="later")
    moved = Derived(name="moved", rule=Compute(fn=doubled, reads=("next_at",)), known_at="moved")
    again = Derived(name="again", rule=replace(NEXT, column="next_n"), kind=Kind.INT, known_at="next_at")

    for wrong in (later, moved, again):
        with pytest.raises(DeclarationError, match="only a Compute that gives no instant may read it"):
            replace(READINGS, derived=(WHEN, WHAT, wrong))
    with pytest.raises(DeclarationError, match="day == 'next_at', names nothing that is declared"):
        replace(READINGS, day="next_at")

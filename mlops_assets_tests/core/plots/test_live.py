"""The live metric of a replay: gaps are gaps, better is above, and the policy it is about is boldest."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.account import Account
from mlops_assets.core.gain import NEVER
from mlops_assets.core.plots.lanes import axis_of
from mlops_assets.core.plots.live import lines_of, live_metric, rounds
from mlops_assets_tests.core.accounts import account

YEAR = account()
AXIS = axis_of([YEAR.begin, YEAR.end])
FINITE = st.floats(-1e6, 1e6)


def drawn(told: Account) -> str:
    return live_metric(told, told.policies[0], AXIS, "log loss in nats")


def paths(picture: str, kind: str) -> list[str]:
    """The metric, then the gain."""
    return re.findall(rf'<path d="([^"]*)" class="line {kind}"', picture)


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]


def test_every_policy_and_comparator_is_a_line_and_only_the_own_is_bold() -> None:
    picture = drawn(YEAR)

    assert [line.kind for line in lines_of(YEAR)] == ["l0", "l1", "never", "l3"]
    assert [len(paths(picture, kind)) for kind in ("l0 own", "l1", "never", "l3")] == [2, 2, 2, 2]


def test_a_week_without_labels_is_a_gap() -> None:
    path = paths(drawn(YEAR), "l0 own")[0]

    assert path.count("M") == 2 and len(heights(path)) == 43


def test_a_better_week_lies_above_never_again_whichever_way_is_better() -> None:
    for told in (YEAR, replace(YEAR, metric="auc", higher=True)):
        picture = drawn(told)
        never, every = heights(paths(picture, "never")[1]), heights(paths(picture, "l3")[1])

        assert len(set(never)) == 1
        assert sum(every) < sum(never)  # y counts downwards


def test_a_week_says_all_its_figures_when_it_is_pointed_at() -> None:
    week = YEAR.policies[0].weeks[3]
    own, never = week.metrics["log_loss"], YEAR.against[0].weeks[week.week]["log_loss"]

    assert f"<title>{week.week}: drift {own:.4g} · " in drawn(YEAR)
    assert f"{NEVER} {never:.4g}" in drawn(YEAR)
    assert "<title>2013-08-19: no labels</title>" in drawn(YEAR)


def test_where_a_model_became_champion_is_marked_and_the_baseline_is_not() -> None:
    assert re.findall(r'class="under">(v\d+)<', drawn(YEAR)) == ["v1", "v2", "v4", "v6"] * 2


def test_without_never_again_there_is_no_gain_to_draw() -> None:
    assert "gain over" not in drawn(replace(YEAR, against=YEAR.against[1:]))


def test_without_any_figure_it_says_so() -> None:
    assert "no labels" in drawn(replace(YEAR, metric="brier"))


@given(FINITE, FINITE, st.integers(1, 6))
def test_ticks_are_few_and_within(one: float, other: float, most: int) -> None:
    low, high = min(one, other), max(one, other)
    found = rounds(low, high, most)
    rim = 1e-9 * max(abs(low), abs(high), 1.0)

    assert len(found) <= most
    assert all(low - rim <= tick <= high + rim for tick in found)

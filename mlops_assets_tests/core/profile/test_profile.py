"""The reference profile: the same bytes for the same rows, an exact round trip, and honest bins."""

import json
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.profile import ReferenceProfile, build_profile
from mlops_assets.core.profile.bins import NumericBins
from mlops_assets.declare.drift import DriftPolicy, Monitored
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets_tests.core.profile.world import POLICY, WATCHED, reference, reference_rows

values = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([-0.0, 0.0])), min_size=1, max_size=80)
names = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), min_size=1, max_size=80)


def profiled(column: list[Any], kind: Any = "numeric", window: list[str] | None = None) -> ReferenceProfile:
    return build_profile(
        {"x": pd.Series(column, dtype="float64" if kind == "numeric" else object)},
        window=window or ["W01"] * len(column),
        columns=[Monitored(name="x", kind=kind)],
        prediction="x",
        policy=DriftPolicy(min_rows=1),
    )


def written(profile: ReferenceProfile) -> str:
    return json.dumps(profile.to_json(), allow_nan=False)


@given(st.data(), st.sampled_from(["numeric", "category"]))
def test_row_order_changes_no_byte(data: st.DataObject, kind: str) -> None:
    column: list[Any] = data.draw(values if kind == "numeric" else names)
    windows = [f"W{data.draw(st.integers(1, 4))}" for _ in column]
    turned = data.draw(st.permutations(range(len(column))))

    assert written(profiled(column, kind, windows)) == written(
        profiled([column[i] for i in turned], kind, [windows[i] for i in turned])
    )


@given(st.data(), st.sampled_from(["numeric", "category"]))
def test_a_profile_read_back_is_the_profile_that_was_written(data: st.DataObject, kind: str) -> None:
    profile = profiled(data.draw(values if kind == "numeric" else names), kind)

    read = ReferenceProfile.from_json(json.loads(written(profile)))

    assert read == profile
    assert written(read) == written(profile)
    assert ReferenceProfile.from_json(profile.to_json()) == profile


@given(values, st.integers(2, 4))
def test_duplicating_every_row_keeps_the_bins_and_multiplies_the_counts(column: list[float | None], times: int) -> None:
    once, often = profiled(column).column("x"), profiled(column * times).column("x")

    assert often.bins == once.bins
    assert often.counts == tuple(times * count for count in once.counts)


@settings(max_examples=60)
@given(st.floats(0, 1), st.integers(0, 1000))
def test_any_share_of_missing_values_is_a_bin_of_that_share(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column = np.where(rng.random(300) < share, np.nan, rng.normal(size=300))

    profile = profiled(column.tolist()).column("x")

    assert profile.counts[-1] == np.isnan(column).sum()
    assert sum(profile.counts) == profile.rows == 300


def test_ten_deciles_hold_a_tenth_each_and_every_edge_is_an_observed_value() -> None:
    column = np.random.default_rng(3).normal(size=10_000)
    profile = profiled(column.tolist()).column("x")
    assert isinstance(profile.bins, NumericBins)

    assert profile.counts == (1000,) * 10 + (0, 0)
    assert len(profile.bins.points) <= 512
    assert set(profile.bins.points) <= set(column.tolist())
    assert profile.bins.scale == pytest.approx(1, abs=0.03)
    assert profile.bins.points[profile.bins.low] == np.sort(column)[49]


def test_ties_share_an_edge_and_few_values_get_a_bin_each() -> None:
    assert profiled([0.0] * 700 + list(range(1, 301))).column("x").counts[0] == 700
    few = profiled([0.0] * 30 + [1.0] * 70).column("x")

    assert (few.bins.labels, few.counts) == (("0", "1", "unseen", "missing"), (30, 70, 0, 0))


def test_rare_categories_are_known_without_a_bin_of_their_own() -> None:
    profile = profiled(["a"] * 5000 + ["b"] * 4995 + ["rare"] * 5, "category").column("x")
    live = profile.bins.tally("x", pd.Series(["a", "rare", "new", None, "a"]))

    assert profile.bins.labels == ("a", "b", "other known", "unseen", "missing")
    assert live.bins.tolist() == [2, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "live",
    [
        pd.Series(["a", None, "b", "a"], dtype="category"),
        pd.Series(["a", None, "b", "a"], dtype="string"),
        np.array(["a", None, "b", "a"], dtype=object),
    ],
    ids=["category", "string", "object"],
)
def test_a_category_counts_the_same_in_every_array_type(live: Any) -> None:
    profile = profiled(["a", "b"], "category").column("x")

    assert profile.bins.tally("x", pd.Series(live)).bins.tolist() == [2, 1, 0, 0, 1]


def test_an_integer_category_that_met_a_null_is_still_the_same_category() -> None:
    profile = profiled([1, 2, 2], "category").column("x")

    assert profile.bins.tally("x", pd.Series([1.0, np.nan, 2.0])).bins.tolist() == [1, 1, 0, 0, 1]


def test_the_threshold_is_the_references_own_restlessness() -> None:
    profile = reference()
    temp, hour, distance = (profile.column(name) for name in ("temp", "hour", "distance"))

    assert temp.restlessness > 0.2
    assert temp.threshold == pytest.approx(1.5 * temp.restlessness)
    assert temp.restless_window in profile.windows
    assert hour.threshold == POLICY.floor
    assert distance.threshold == POLICY.stable_alarm
    assert profile.calibrated


def test_the_largest_stray_equals_a_slow_twin_that_leaves_each_window_out() -> None:
    rows, windows = reference_rows()
    column = reference().column("temp")
    assert isinstance(column.bins, NumericBins)
    edges = [column.bins.points[edge] for edge in column.bins.edges or ()]
    strays = []
    for left_out in np.unique(windows):
        inside = np.searchsorted(edges, rows.loc[windows == left_out, "temp"])
        outside = np.searchsorted(edges, rows.loc[windows != left_out, "temp"])
        q, p = (np.bincount(side, minlength=10) + 0.5 for side in (inside, outside))
        q, p = q / q.sum(), p / p.sum()
        strays.append(float(np.sum((q - p) * np.log(q / p))) - 9 * (1 / len(inside) + 1 / len(outside)))

    assert column.restlessness == pytest.approx(max(strays), abs=1e-9)


def test_a_name_that_only_one_window_knows_strays_like_an_unseen_one() -> None:
    calm = profiled(["a", "b"] * 100, "category", ["W1", "W1", "W2", "W2"] * 50).column("x")
    fleet = profiled(["a", "b"] * 50 + ["a", "new"] * 50, "category", ["W1"] * 100 + ["W2"] * 100).column("x")

    assert calm.restlessness == 0
    assert fleet.restlessness > 1


def test_fewer_than_eight_windows_are_uncalibrated_and_small_windows_do_not_count() -> None:
    assert not reference(weeks=7).calibrated
    assert reference(weeks=8).calibrated
    assert reference(policy=DriftPolicy(min_rows=3001)).windows == ()


def test_what_feed_faults_are_measured_against_equals_a_slow_twin() -> None:
    column = [None, 1.0, 1.0, 3.0, 2.0, 2.0, None, None, 2.0, 8.0]
    profile = profiled(column, window=["W1"] * 4 + ["W2"] * 6).column("x")

    assert profile.missing_by_window == (1 / 4, 2 / 6)
    assert profile.held_most == 1 / 2  # the two 1.0 of W1, and the three 2.0 of W2
    assert profile.rise_most == 1 / 2  # neither is in the other window
    assert profile.sizes == pytest.approx(((5 / 3) / (14 / 4), (14 / 4) / (5 / 3)))


def test_a_single_window_says_nothing_of_rises_and_a_category_nothing_of_size() -> None:
    alone, names = profiled([1.0, 2.0]).column("x"), profiled(["a", "b"], "category").column("x")

    assert (alone.held_most, alone.rise_most, alone.sizes) == (1.0, 1.0, None)
    assert names.sizes is None


def test_windows_next_to_nothing_beside_another_have_a_size_that_can_be_written() -> None:
    profile = profiled([1.0, 2e-313], window=["W1", "W2"])

    assert profile.column("x").sizes == (2e-313, sys.float_info.max)
    assert ReferenceProfile.from_json(json.loads(written(profile))) == profile


def test_a_profile_of_format_1_is_read_with_bounds_that_nothing_exceeds() -> None:
    document = reference().to_json()
    new = ("missing_by_window", "held_most", "rise_most", "sizes", "feed")
    columns = [{name: value for name, value in column.items() if name not in new} for column in document["columns"]]

    read = ReferenceProfile.from_json({**document, "format": 1, "columns": columns}).column("temp")

    assert [getattr(read, name) for name in new] == [(), 1.0, 1.0, None, ""]
    assert read.counts == reference().column("temp").counts


def test_another_policy_judges_the_same_reference() -> None:
    strict = DriftPolicy(floor=0.1, watch=0.05, calibration=1.0)

    assert reference().judged_by(strict) == reference(policy=strict)


def test_no_rows_are_kept() -> None:
    profile = reference()

    assert len(written(profile)) < 100_000
    assert all(len(column.cells) <= 2 * 512 + 1 for column in profile.columns)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"x": [1.0, np.inf]}, "1 infinite"),
        ({"x": ["a", "b"]}, "holds string values"),
        ({"x": [1.0, 2.0, 3.0]}, "has 3 rows, window has 2"),
        ({"y": [1.0, 2.0]}, "column 'x' is missing"),
    ],
)
def test_a_column_that_cannot_be_profiled_is_refused_with_its_reason(frame: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_profile(
            frame, window=["a", "b"], columns=[Monitored(name="x", kind="numeric")], prediction="x", policy=POLICY
        )


def test_no_rows_an_identifier_and_an_unknown_format_are_refused() -> None:
    with pytest.raises(DataError, match="0 rows"):
        profiled([])
    with pytest.raises(DataError, match="identifier"):
        profiled([f"id {row}" for row in range(10_001)], "category")
    with pytest.raises(DataError, match="format == 99"):
        ReferenceProfile.from_json({**reference().to_json(), "format": 99})


def test_the_score_must_be_watched_and_no_column_twice() -> None:
    rows, windows = reference_rows(weeks=1)
    with pytest.raises(DeclarationError, match="watch the score too"):
        build_profile(rows, window=windows, columns=WATCHED, prediction="proba", policy=POLICY)
    with pytest.raises(DeclarationError, match="watched once"):
        build_profile(rows, window=windows, columns=[*WATCHED, WATCHED[0]], prediction="score", policy=POLICY)

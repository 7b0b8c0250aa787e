"""Missing values: beyond what the reference's windows had, proven, and said once for a join."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.drift.faults import FaultKind
from mlops_assets.core.drift.faults.looking import at_least
from mlops_assets.core.drift.faults.missing import allowed, missing_faults, surge
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets_tests.core.drift.faults.world import POLICY, look, reference


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    return reference()


def holed(rows: int, share: float, *, value: float = 100.0) -> pd.Series:
    column = np.full(rows, value)
    column[: round(rows * share)] = np.nan
    return pd.Series(column)


def test_thirty_percent_of_nulls_is_a_surge_and_the_usual_share_is_none(profile: ReferenceProfile) -> None:
    found = surge(look(profile, "delay", holed(2000, 0.3)))

    assert found is not None
    assert (found.now, found.before) == (0.3, 0.0)
    assert surge(look(profile, "seats", holed(2000, 0.19))) is None
    assert surge(look(profile, "seats", holed(2000, 0.42))) is not None


def test_a_few_rows_prove_no_surge(profile: ReferenceProfile) -> None:
    verdicts = [surge(look(profile, "delay", holed(rows, 0.3))) is None for rows in (20, 50, 500)]

    assert verdicts == [True, True, False]


def test_a_column_whose_nulls_come_and_go_needs_more_and_one_odd_window_does_not_count() -> None:
    gusts = [0.48, 0.70, 0.56, 0.43, 0.52, 0.50, 0.66, 0.39]  # wind_gust of the first eight shipped weeks
    history = [0.33, 0.05, 0.01, 0.00, 0.01, 0.01, 0.09, 0.03]  # flight_late_28d of the same weeks

    assert allowed(gusts, POLICY) > 0.91
    assert 0.15 < allowed(history, POLICY) < 0.3
    assert allowed([0.0] * 8, POLICY) == pytest.approx(0.15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_what_is_allowed_is_a_share_that_knows_no_order_and_is_never_below_the_usual_one(shares: list[float]) -> None:
    bound = allowed(shares, POLICY)

    assert np.median(shares) - 1e-12 <= bound <= 1
    assert allowed(sorted(shares), POLICY) == bound


def test_columns_of_one_feed_that_go_missing_together_are_one_join(profile: ReferenceProfile) -> None:
    gone = [surge(look(profile, name, holed(2000, 0.98))) for name in ("year", "seats")]
    alone = surge(look(profile, "delay", holed(2000, 0.4)))

    join, feed = missing_faults([found for found in (*gone, alone) if found is not None])

    assert (join.kind, join.columns) == (FaultKind.JOIN, ("seats", "year"))
    assert join.sentence == "seats, year (planes by tailnum): 98 % missing, 17 % before: the join stopped matching"
    assert (feed.kind, feed.columns) == (FaultKind.MISSING, ("delay",))
    assert feed.sentence == "delay (flights by origin): 40 % missing, 0 % before: the feed lost its values"


@given(st.integers(1, 5000), st.floats(0.001, 0.2), st.data())
def test_a_lower_bound_is_below_the_share_and_rises_with_the_count(
    rows: int, level: float, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, rows))

    assert 0 <= at_least(count, rows, level) <= count / rows
    assert count == rows or at_least(count, rows, level) <= at_least(count + 1, rows, level)

"""A sensor that hangs, told from a column that always was concentrated."""

import numpy as np
import pytest

from mlops_assets.core.drift.faults.stuck import stuck
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets_tests.core.drift.faults.world import look, reference, week


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    return reference()


@pytest.mark.parametrize("value", [71.2, 30.0, -999.0, 1e6], ids=["a known value", "between", "below all", "above all"])
def test_a_constant_is_named_wherever_it_lies(profile: ReferenceProfile, value: float) -> None:
    fault = stuck(look(profile, "temp", np.full(2000, value)))

    assert fault is not None
    assert f"'temp' [°F]: 100 % of the rows are {value:.6g}, " in fault.sentence


def test_half_a_window_is_enough_and_a_fifth_is_not(profile: ReferenceProfile) -> None:
    healthy = week(np.random.default_rng(5))["temp"].to_numpy()
    found = []
    for share in (0.2, 0.5):
        hung = healthy.copy()
        hung[: int(share * len(hung))] = 61.2
        found.append(stuck(look(profile, "temp", hung)) is not None)

    assert found == [False, True]


def test_a_dry_week_is_not_a_hanging_rain_gauge(profile: ReferenceProfile) -> None:
    assert stuck(look(profile, "rain", np.zeros(2000))) is None
    assert stuck(look(profile, "rain", np.full(2000, 0.13))) is not None


def test_many_values_in_one_gap_of_the_sketch_are_not_one_value(profile: ReferenceProfile) -> None:
    assert stuck(look(profile, "temp", 1000 + np.arange(2000.0))) is None


def test_one_category_that_fills_the_window_is_stuck_and_a_few_rows_prove_nothing(profile: ReferenceProfile) -> None:
    fault = stuck(look(profile, "carrier", ["UA"] * 2000))

    assert fault is not None
    assert fault.sentence == "'carrier': 100 % of the rows are 'UA', 50 % before: the feed repeats one value"
    assert stuck(look(profile, "carrier", ["EV"] * 4)) is None

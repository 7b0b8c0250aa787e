"""A clock in another zone, named by its whole hours."""

import numpy as np
import pytest

from mlops_assets.core.drift.faults.clock import shifted
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets_tests.core.drift.faults.world import look, reference, week


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    return reference()


@pytest.mark.parametrize("hours", [4, 5, -3, 9])
def test_utc_for_local_is_so_many_hours_wrapped_at_midnight(profile: ReferenceProfile, hours: int) -> None:
    minute = week(np.random.default_rng(4))["minute"]

    fault = shifted(look(profile, "minute", (minute + 60 * hours) % 1440))

    assert fault is not None
    assert f"shifted by {60 * hours:+d} min ({hours:+d} h)" in fault.sentence


def test_what_no_whole_hour_explains_is_no_clock(profile: ReferenceProfile) -> None:
    minute = week(np.random.default_rng(4))["minute"]

    assert shifted(look(profile, "minute", minute * 60)) is None
    assert shifted(look(profile, "minute", np.full(2000, 700.0))) is None
    assert shifted(look(profile, "minute", (minute + 300) % 1440, moved=False)) is None


def test_only_a_stable_column_of_time_has_a_clock(profile: ReferenceProfile) -> None:
    later = week(np.random.default_rng(4))

    assert shifted(look(profile, "delay", later["delay"] + 300)) is None
    assert shifted(look(profile, "distance", later["distance"] + 300)) is None

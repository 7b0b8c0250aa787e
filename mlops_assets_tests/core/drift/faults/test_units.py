"""Changes of unit: named on stable columns, on columns of round values, and where the size leaves no doubt."""

import numpy as np
import pytest

from mlops_assets.core.drift.faults.conversions import conversions_of
from mlops_assets.core.drift.faults.units import rescaled
from mlops_assets.core.profile import ReferenceProfile
from mlops_assets_tests.core.drift.faults.world import look, reference, week


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    return reference()


@pytest.mark.parametrize(
    ("name", "factor", "offset", "said"),
    [
        ("distance", 1.609344, 0.0, "'distance' [mile]: values x 1.609, as if in kilometres"),
        ("distance", 1.609, 0.0, "'distance' [mile]: values x 1.609, as if in kilometres"),
        ("distance", 5280.0, 0.0, "'distance' [mile]: values x 5280, as if in feet"),
        ("distance", 12.3, 0.0, "'distance' [mile]: scale x 12.3, no known change of unit"),
        ("minute", 60.0, 0.0, "'minute' [min]: values x 60, as if in seconds"),
        ("delay", 60.0, 0.0, "'delay' [min]: values x 60, as if in seconds"),
        ("delay", 1 / 60, 0.0, "'delay' [min]: values x 0.01667, as if in hours"),
        ("delay", 500.0, 0.0, "'delay' [min]: scale x 4"),
        ("late", 100.0, 0.0, "'late': values x 100, as if in percent"),
        ("temp", 1 / 1.8, -32 / 1.8, "'temp' [°F]: values x 0.5556 -17.78, as if in degrees Celsius"),
        ("wind", 0.868976, 0.0, "'wind' [mph]: values x 0.869, as if in knots"),
        ("wind", 1.609344, 0.0, "'wind' [mph]: values x 1.609, as if in km/h"),
        ("rain", 25.4, 0.0, "'rain' [inch]: values x 25.4, as if in millimetres"),
    ],
)
def test_a_change_of_unit_is_named(
    profile: ReferenceProfile, name: str, factor: float, offset: float, said: str
) -> None:
    healthy = week(np.random.default_rng(8), mood=0.2)[name]

    fault = rescaled(look(profile, name, healthy * factor + offset))

    assert fault is not None
    assert fault.sentence.startswith(said)


@pytest.mark.parametrize("mood", [-2.0, -0.5, 0.0, 1.0, 4.0])
def test_the_world_in_another_mood_is_no_change_of_unit(profile: ReferenceProfile, mood: float) -> None:
    later = week(np.random.default_rng(9), mood=mood)

    assert [name for name in later if name not in ("carrier", "score") and rescaled(look(profile, name, later[name]))
            and not profile.column(name).stable] == []  # fmt: skip


@pytest.mark.parametrize("values", [[], [np.nan] * 50, [0.0] * 2000], ids=["no rows", "all missing", "all zero"])
def test_a_window_without_size_has_no_scale(profile: ReferenceProfile, values: list[float]) -> None:
    for name in ("delay", "late", "distance", "rain"):
        assert rescaled(look(profile, name, np.array(values, dtype=float))) is None


def test_undoing_a_conversion_gives_back_what_went_in() -> None:
    values = np.array([-40.0, 0.0, 12.5, 2475.0])
    for unit in ("mile", "°F", "hPa", "min", "%", "", "mph", "inch", "kt", "h", "s", "kg"):
        for known in conversions_of(unit):
            assert known.undone(values * known.factor + known.offset) == pytest.approx(values)
    assert conversions_of("parsec") == ()
    assert conversions_of(" Miles ") == conversions_of("mile")

"""Who answers: the same unit the same arm, and a share that rises only adds units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.rollout.router import answering, assigned, unit_hash
from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Arm
from mlops_assets_tests.core.rollout.ladder import USE_CASE, climbed

UNITS = [f"N{number}".encode() for number in range(20_000)]


def canary(share: float) -> Row:
    return Row(use_case=USE_CASE, share=share, challenger=4, champion=3)


@given(st.text(max_size=20), st.binary(max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_share_that_rises_only_adds_units(salt: str, unit: bytes, one: float, other: float) -> None:
    """Invariant 7: nobody flips back."""
    place, low, high = unit_hash(salt, unit), min(one, other), max(one, other)

    assert 0.0 <= place < 1.0 and unit_hash(salt, unit) == place
    assert assigned(canary(low), place) is not Arm.CHALLENGER or assigned(canary(high), place) is Arm.CHALLENGER
    assert assigned(canary(1.0), place) is Arm.CHALLENGER and assigned(canary(0.0), place) is Arm.CHAMPION


def test_places_are_uniform_and_new_for_every_salt() -> None:
    one, other = (np.array([unit_hash(salt, unit) for unit in UNITS]) for salt in ("a", "b"))

    for share in (0.05, 0.25, 0.5):
        error = 4 * (share * (1 - share) / len(UNITS)) ** 0.5
        assert (one < share).mean() == pytest.approx(share, abs=error)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / len(UNITS) ** 0.5


def test_the_place_of_a_unit_is_the_same_for_ever() -> None:
    assert (unit_hash("70d46175af101cc8", b"N836UA"), unit_hash("", b"")) == (0.008508492080455565, 0.3733432274855778)


def test_salt_and_unit_are_not_one_text() -> None:
    assert unit_hash("ab", b"c") != unit_hash("a", b"bc")


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("place", [0.0, 0.1, 0.4, 0.999])
def test_without_a_controller_the_champion_answers_everything(steps: int, place: float) -> None:
    """Invariants 3 and 11: shadow answers nobody, and neither does a challenger that nobody watches."""
    row = climbed(steps).row

    assert answering(row, place, alive=False) is Arm.CHAMPION
    assert answering(row, place, alive=True) is assigned(row, place)
    assert assigned(row, place) is (Arm.CHALLENGER if place < row.share else Arm.CHAMPION)


def test_two_rollouts_try_their_challenger_on_other_units() -> None:
    first = climbed(2, standing=climbed(5, version=1)).row
    second = climbed(2, version=8, standing=climbed(5)).row

    assert first.salt != second.salt

"""Jensen-Shannon: equal to scipy's, bounded, and an eighth of PSI for small shifts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from mlops_assets.core.drift.js import js_distance, js_divergence
from mlops_assets.core.drift.psi import psi

counts = st.lists(st.integers(0, 5000), min_size=10, max_size=10).filter(any)


@given(counts, counts)
def test_it_equals_scipys_is_symmetric_and_at_most_one(reference: list[int], live: list[int]) -> None:
    p, q = np.array(reference) / sum(reference), np.array(live) / sum(live)

    distance = js_distance(reference, live)

    assert distance == pytest.approx(float(np.nan_to_num(jensenshannon(p, q, base=2))), abs=1e-7)
    assert distance == pytest.approx(js_distance(live, reference), abs=1e-7)
    assert 0 <= distance <= 1 + 1e-12


def test_for_a_small_shift_eight_times_the_divergence_is_psi() -> None:
    reference, live = [10_000] * 10, [10_000 + 300 * (bin_ - 5) for bin_ in range(10)]

    assert 8 * js_divergence(reference, live) == pytest.approx(psi(reference, live), rel=0.01)


def test_nothing_in_common_is_distance_one_and_nothing_changed_is_zero() -> None:
    assert js_distance([5, 0], [0, 9]) == pytest.approx(1)
    assert js_distance([5, 3], [10, 6]) == 0

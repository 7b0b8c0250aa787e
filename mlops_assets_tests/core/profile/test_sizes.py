"""The size of a column's numbers, from its sketch."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.profile.binning import binned_numbers
from mlops_assets.core.profile.bins import NumericBins
from mlops_assets.core.profile.sizes import cell_values, size_of


def sketched(values: np.ndarray) -> tuple[NumericBins, np.ndarray]:
    made = binned_numbers("x", pd.Series(values), np.zeros(len(values), dtype=np.int64), 1)
    assert isinstance(made.bins, NumericBins)
    return made.bins, made.cells[0]


def test_it_is_the_mean_absolute_value_without_the_tails() -> None:
    values = np.random.default_rng(1).normal(-3, 10, 20_000)
    bins, cells = sketched(np.append(values, 1e9))

    assert size_of(bins, cells) == pytest.approx(np.abs(values).mean(), rel=0.01)


def test_every_cell_has_a_value_and_no_rows_have_no_size() -> None:
    bins, cells = sketched(np.array([1.0, 3.0]))

    assert cell_values(bins).tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert size_of(bins, 0 * cells) is None

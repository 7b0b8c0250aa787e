"""What validation allows: the textbook's bounds, by blocks or by rows, whatever the order of the rows."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, t

from mlops_assets.core.performance import Level, reference_level
from mlops_assets.declare import ConceptPolicy, Task, days
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets_tests.core.performance.worlds import stormy_days

ERROR = ConceptPolicy(loss="error")
ROWS = ConceptPolicy(loss="error", block=None)


def validation(losses: np.ndarray) -> pd.DataFrame:
    """Judged rows of so many days: of label 1, answered wrong where the loss is 1."""
    count, per_day = losses.shape
    named = [(pd.Timestamp("2013-02-11") + pd.Timedelta(days=day)).date().isoformat() for day in range(count)]
    return pd.DataFrame({"block": np.repeat(named, per_day), "label": True, "prediction": 1.0 - losses.ravel()})


def test_of_equal_days_bound_and_effect_are_the_textbooks() -> None:
    losses = stormy_days(np.random.default_rng(1), 14, 300, 0.2, 10.0)
    level = reference_level(ERROR, Task.CLASSIFICATION, validation(losses))
    of_day, rows = losses.mean(axis=1), losses.size
    by_day = of_day.std(ddof=1) / math.sqrt(14)
    ratio = by_day**2 / (losses.var(ddof=1) / rows)

    assert level.mean == pytest.approx(losses.mean())
    assert level.bound == pytest.approx(losses.mean() + t.ppf(0.95, 13) * by_day)
    assert level.effect == pytest.approx(ratio * 13 / chi2.ppf(0.05, 13))
    assert (level.rows, level.blocks) == (rows, 14)


def test_the_bounds_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    levels = [
        reference_level(ERROR, Task.CLASSIFICATION, validation(stormy_days(random, 14, 200, 0.2, 8.0)))
        for _ in range(200)
    ]

    assert np.mean([level.bound >= 0.2 for level in levels]) == pytest.approx(0.95, abs=0.05)
    assert np.mean([level.effect >= 8.0 for level in levels]) == pytest.approx(0.95, abs=0.06)


def test_independent_outcomes_have_no_effect_and_an_error_over_rows() -> None:
    losses = stormy_days(np.random.default_rng(3), 3, 300, 0.2, 10.0)
    level = reference_level(ROWS, Task.CLASSIFICATION, validation(losses))

    assert level.effect == 1
    assert level.bound == pytest.approx(losses.mean() + t.ppf(0.95, 899) * losses.std(ddof=1) / 30)


def test_the_order_of_rows_changes_nothing_and_json_keeps_every_bit() -> None:
    rows = validation(stormy_days(np.random.default_rng(4), 14, 100, 0.2, 5.0))
    for policy in (ERROR, ROWS, ConceptPolicy(loss="brier")):
        level = reference_level(policy, Task.CLASSIFICATION, rows)

        assert reference_level(policy, Task.CLASSIFICATION, rows.sample(frac=1, random_state=1)) == level
        assert Level.from_json(level.to_json()) == level


def test_a_faultless_validation_allows_what_so_many_rows_could_hide() -> None:
    level = reference_level(ERROR, Task.CLASSIFICATION, validation(np.zeros((14, 100))))

    assert (level.mean, level.effect) == (0, 1)
    assert level.bound == pytest.approx(1 - 0.05 ** (1 / 1400))


def test_days_join_to_the_declared_blocks() -> None:
    rows = validation(stormy_days(np.random.default_rng(5), 42, 20, 0.2, 2.0))

    assert reference_level(ConceptPolicy(loss="error", block=days(7)), Task.CLASSIFICATION, rows).blocks == 6


def test_what_is_no_reference_is_refused() -> None:
    rows = validation(np.zeros((14, 10)))
    with pytest.raises(DataError, match="lie in 4 blocks, must be at least 5"):
        reference_level(ERROR, Task.CLASSIFICATION, rows[:40])
    with pytest.raises(DataError, match="no column \\['label'\\]"):
        reference_level(ERROR, Task.CLASSIFICATION, rows.drop(columns="label"))
    with pytest.raises(DataError, match="column 'block' holds 'monday', must be an ISO date"):
        reference_level(ERROR, Task.CLASSIFICATION, rows.assign(block="monday"))
    with pytest.raises(DataError, match="as high as 1 of the most an answer counts"):
        reference_level(ERROR, Task.CLASSIFICATION, validation(np.ones((14, 10))))
    with pytest.raises(DeclarationError, match="loss == 'error', must be one of"):
        reference_level(ERROR, Task.REGRESSION, rows)

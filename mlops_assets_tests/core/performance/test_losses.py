"""What an answer costs: between 0 and 1, whatever is answered; what is no label is refused in words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.performance import scaled_losses
from mlops_assets.declare import ConceptPolicy
from mlops_assets.declare.errors import DataError

ERROR, BRIER = ConceptPolicy(loss="error"), ConceptPolicy(loss="brier")
ABSOLUTE = ConceptPolicy(loss="absolute", most=10.0)


def test_the_losses_are_their_textbooks_formulas_over_the_bound() -> None:
    assert scaled_losses(ERROR, [1, 0, 1, 0], [0.6, 0.6, 0.5, 0.5]).tolist() == [0, 1, 1, 0]
    assert scaled_losses(BRIER, [1, 0], [0.75, 0.75]).tolist() == [0.0625, 0.5625]
    assert scaled_losses(ABSOLUTE, [3, 3, 3], [1, 3, 99]).tolist() == [0.2, 0, 1]


def test_an_answer_that_is_none_costs_all() -> None:
    for policy in (ERROR, BRIER, ABSOLUTE):
        assert scaled_losses(policy, [0, 0, 0], [math.nan, math.inf, -math.inf]).tolist() == [1, 1, 1]
    assert scaled_losses(ERROR, [0, 1], [-0.1, 1.1]).tolist() == [1, 1]


@pytest.mark.parametrize("policy", [ERROR, BRIER, ABSOLUTE])
@given(label=st.booleans(), answer=st.floats())
def test_every_answer_costs_between_0_and_1(policy: ConceptPolicy, label: bool, answer: float) -> None:
    (loss,) = scaled_losses(policy, [label], [answer])

    assert 0 <= loss <= 1


@pytest.mark.parametrize(
    ("policy", "label", "said"),
    [
        (ERROR, 2.0, r"column 'label' holds 2.0 \(1 of 2 rows\), must be 0 or 1"),
        (BRIER, math.nan, r"column 'label' holds nan \(1 of 2 rows\), must be 0 or 1"),
        (ABSOLUTE, math.inf, r"column 'label' holds inf \(1 of 2 rows\), must be a finite number"),
    ],
)
def test_a_label_the_task_cannot_have_is_refused_by_column_value_and_rule(
    policy: ConceptPolicy, label: float, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        scaled_losses(policy, [0.0, label], [0.5, 0.5])


def test_lengths_shapes_and_words_are_refused() -> None:
    with pytest.raises(DataError, match="2 labels and 1 predictions"):
        scaled_losses(ERROR, [0, 1], [0.5])
    with pytest.raises(DataError, match="column 'prediction' has shape"):
        scaled_losses(ERROR, [0], np.zeros((1, 1)))
    with pytest.raises(DataError, match="column 'label' holds a value that is no number"):
        scaled_losses(ERROR, ["late"], [0.5])

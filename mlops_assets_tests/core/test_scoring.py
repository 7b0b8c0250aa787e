"""A fitted model that answers, or says why it does not."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.scoring import Scorer
from mlops_assets.declare import DataError, Kind, Task

WEIGHT = Encoder(features=("weight",), kinds=(Kind.FLOAT,), categories={})
ROWS = np.array([[1.0], [2.0], [3.0], [4.0]])


@pytest.mark.parametrize(
    ("estimator", "task"), [(Ridge(), Task.REGRESSION), (LogisticRegression(), Task.CLASSIFICATION)]
)
def test_a_linear_model_that_meets_a_null_is_named_with_what_to_do(estimator: BaseEstimator, task: Task) -> None:
    scorer = Scorer(estimator=estimator.fit(ROWS, [0, 1, 0, 1]), encoder=WEIGHT, task=task)

    assert np.isfinite(scorer.predict_encoded(ROWS)).all()
    with pytest.raises(
        DataError,
        match=rf"^{type(estimator).__name__} refused to answer 2 rows \(Input X contains NaN\.\): declare an estimator "
        r"that takes nulls \(histogram trees\), or derive features that have none\.$",
    ):
        scorer.predict_encoded(np.array([[1.0], [np.nan]]))


def test_rows_of_other_features_are_refused_in_words() -> None:
    scorer = Scorer(estimator=Ridge().fit(ROWS, [0, 1, 0, 1]), encoder=WEIGHT, task=Task.REGRESSION)
    with pytest.raises(DataError, match=r"Ridge refused .* 2 features.*: give it the features it was trained on\."):
        scorer.predict_encoded(np.ones((3, 2)))

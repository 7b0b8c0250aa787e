"""A model that answers its probe otherwise than at its training is refused before it answers anybody."""

import pytest

from mlops_assets.core.fitting import fit
from mlops_assets.core.probe import ROWS, check_probe, probe
from mlops_assets.declare import DataError
from mlops_assets_tests.core.tiny import WEEKS, use_case, week

FRAMES = {name: week(place) for place, name in enumerate(WEEKS[:4])}


def test_the_model_that_was_trained_passes_and_so_does_its_baseline() -> None:
    model = fit(use_case(), FRAMES)
    rows = probe(FRAMES[WEEKS[3]], model.scorer, model.baseline)

    assert len(rows) == ROWS
    check_probe(rows, model.scorer)
    check_probe(rows, model.baseline, answer="baseline")


def test_another_model_is_refused_with_the_row_and_both_answers() -> None:
    model, other = fit(use_case(), FRAMES), fit(use_case(seed=8, max_rows=300), FRAMES)
    rows = probe(FRAMES[WEEKS[3]], model.scorer, model.baseline)

    with pytest.raises(DataError, match=r"otherwise than when it was trained \(row \d+"):
        check_probe(rows, other.scorer)
    with pytest.raises(DataError, match="otherwise"):
        check_probe(rows.assign(prediction=rows["prediction"] + 2**-52), model.scorer)


def test_an_empty_probe_proves_nothing() -> None:
    model = fit(use_case(), FRAMES)
    rows = probe(FRAMES[WEEKS[3]], model.scorer, model.baseline)

    with pytest.raises(DataError, match="0 rows"):
        check_probe(rows.iloc[:0], model.scorer)

"""The verdict on a model that was trained again: bit for bit, but for BLAS on other kernels; never by half."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from mlops_assets.core.actions import Action
from mlops_assets.core.ingredients import Ingredient
from mlops_assets.core.reproduction import (
    TOLERANCE,
    Reproduction,
    Result,
    Side,
    judge,
    largest_difference,
    on_blas,
)
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import table_version

MODEL, TRIAL = "shop/trained_model@2013-01-07", "shop/trial@2013-01-07.t00"
ACTION = Action(
    asset="shop/trained_model", partition="2013-01-07", code={}, config={"model.seed": 1}, libraries={},
    inputs={TRIAL: "a" * 64},
)  # fmt: skip
HASWELL, NEHALEM = ("openblas 0.3.30 Haswell",), ("openblas 0.3.30 Nehalem",)


def result(*predictions: float, digest: str = "d" * 64, keys: str = "ab") -> Result:
    rows = pa.table({"key": list(keys), "prediction": list(predictions)})
    return Result(digest=digest, encoder="e" * 64, predictions=rows, predictions_version=table_version(rows))


def side(made: Result | None, kernels: tuple[str, ...] | None = HASWELL, tried: str = "a", seed: int = 1) -> Side:
    action = replace(ACTION, inputs={TRIAL: tried * 64}, config={"model.seed": seed})
    return Side(actions={MODEL: action}, kernels=kernels, result=made)


WHOLE = result(0.25, 0.5)
NEAR = result(0.25, 0.5 + TOLERANCE / 2, digest="0" * 64)
FAR = result(0.25, 0.5 + 3 * TOLERANCE, digest="0" * 64)


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("kernels", [HASWELL, NEHALEM, None])
def test_equal_bits_pass_wherever_they_were_made(blas: bool, kernels: tuple[str, ...] | None) -> None:
    found = judge(side(WHOLE, kernels), side(WHOLE), blas=blas)

    assert (found.verdict, found.reasons, found.how) == (Verdict.PASS, (), "bit for bit")


def test_a_tree_model_must_be_the_same_bit_for_bit_on_any_kernel() -> None:
    found = judge(side(WHOLE, HASWELL), side(NEAR, NEHALEM), blas=False)

    assert found.verdict is Verdict.FAIL
    assert found.reasons == (
        f"model digest: {'d' * 12} recorded, {'0' * 12} here",
        "predictions on the validation rows differ by at most 5e-10",
    )


def test_a_model_on_blas_may_differ_in_its_last_bits_on_other_kernels_and_that_is_said() -> None:
    found = judge(side(WHOLE, HASWELL), side(NEAR, NEHALEM, tried="b"), blas=True)

    assert (found.verdict, found.reasons) == (Verdict.PASS, ())
    assert found.how == "predictions differ by at most 5e-10 on other CPU kernels, allowed is 1e-09"


@pytest.mark.parametrize(
    ("recorded", "here", "said"),
    [
        (side(WHOLE), side(NEAR), "model digest:"),  # the same kernels
        (side(WHOLE, None), side(NEAR), "which CPU kernels the recorded model was fitted on is unknown"),
        (side(WHOLE), side(FAR, NEHALEM), "allowed is 1e-09"),
        (side(WHOLE), side(result(0.25, 0.5, keys="ac"), NEHALEM), "of other rows"),
        (side(WHOLE), side(NEAR, NEHALEM, seed=2), "config model.seed: 1 recorded, 2 here"),
    ],
    ids=["same kernels", "unknown kernels", "too far", "other rows", "another seed"],
)
def test_other_kernels_excuse_nothing_else(recorded: Side, here: Side, said: str) -> None:
    found = judge(recorded, here, blas=True)

    assert found.verdict is Verdict.FAIL
    assert any(said in reason for reason in found.reasons)


def test_an_ingredient_that_differs_fails_though_the_result_is_equal() -> None:
    found = judge(side(WHOLE), side(WHOLE, seed=2), blas=False)

    assert (found.verdict, found.reasons) == (Verdict.FAIL, ("config model.seed: 1 recorded, 2 here",))


def test_values_and_libraries_are_named_before_code_which_is_often_much() -> None:
    here = replace(ACTION, code={"mlops_assets.core.a": "function:1"}, config={"model.seed": 2}, libraries={"x": "1"})
    found = judge(side(WHOLE), replace(side(WHOLE), actions={MODEL: here}), blas=False)

    assert [reason.split()[0] for reason in found.reasons] == ["config", "library", "function"]


def test_a_trial_that_comes_to_another_result_fails() -> None:
    found = judge(side(WHOLE), side(WHOLE, tried="b"), blas=False)

    assert found.reasons == (f"result of {TRIAL}: {'a' * 12} recorded, {'b' * 12} here",)


def test_an_encoder_that_learned_something_else_fails() -> None:
    found = judge(side(WHOLE), side(replace(WHOLE, encoder="9" * 64)), blas=False)

    assert found.reasons == (f"encoder: {'e' * 12} recorded, {'9' * 12} here",)


def test_what_is_amiss_on_either_side_fails_and_is_said_first() -> None:
    recorded, here = replace(side(None), amiss=("x is damaged",)), replace(side(None, seed=2), amiss=("y is refused",))

    found = judge(recorded, here, blas=False)

    assert found.reasons == ("x is damaged", "config model.seed: 1 recorded, 2 here", "y is refused")


def test_what_was_damaged_fails_though_a_result_is_there() -> None:
    assert judge(replace(side(WHOLE), amiss=("x",)), side(WHOLE), blas=False).verdict is Verdict.FAIL


def test_rows_are_compared_before_predictions() -> None:
    assert largest_difference(WHOLE.predictions, NEAR.predictions) == pytest.approx(TOLERANCE / 2)
    assert largest_difference(WHOLE.predictions, result(0.25, 0.5, keys="ac").predictions) is None
    assert largest_difference(WHOLE.predictions.slice(0, 0), WHOLE.predictions.slice(0, 0)) == 0.0


def test_every_linear_class_that_may_be_stored_is_on_blas_and_no_other() -> None:
    from mlops_assets.core.checked_models import checkers

    found = {f"{kind.__module__}.{kind.__name__}" for kind in checkers()}

    assert {path.rpartition(".")[2] for path in found if on_blas(path)} == {
        "LogisticRegression", "LinearRegression", "Ridge", "Lasso", "ElasticNet"
    }  # fmt: skip


def test_a_reproduction_is_the_same_after_a_round_trip_through_json() -> None:
    made = Reproduction(
        name="shop@1", partition="2013-01-07", action_key="k", trained_model="t", verdict="FAIL", sentence="no",
        reasons=("because",), notes=("by the way",), code="here", digest_recorded="d", digest_here=None,
        predictions_recorded="p", predictions_here=None,
        ingredients=(Ingredient(name="seed", recorded="1", here="2", same=False),),
    )  # fmt: skip

    assert Reproduction.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert not made.passed

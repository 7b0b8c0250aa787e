"""The e-detector: as fast and as quiet as design says, one stream whatever its chunks, silent of a better model."""

import json
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.performance import Detector, Level
from mlops_assets.declare import ConceptPolicy
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.core.performance.worlds import LEVEL, stormy_days

POLICY = ConceptPolicy(loss="error")  # of a level of .10 the alternatives are .13, .16, .2, .3, .5
START = Detector.start(POLICY, LEVEL)


def start(*, patience: int = 20_000, effect: float = 1.0, bound: float = 0.1) -> Detector:
    """A detector without evidence."""
    level = Level(mean=bound, bound=bound, effect=effect, rows=10_000, blocks=14)
    return Detector.start(ConceptPolicy(loss="error", patience=patience), level)


def errors(share: float, count: int, seed: int) -> npt.NDArray[np.float64]:
    return (np.random.default_rng(seed).random(count) < share).astype(np.float64)


def naive(detector: Detector, losses: npt.NDArray[np.float64]) -> tuple[list[int], float]:
    """The definition, label by label: alarms, and the mean of R at the end."""
    r, alarms, p = np.zeros(len(detector.alternatives)), [], detector.level
    a = np.array(detector.alternatives)
    for count, loss in enumerate(losses, 1):
        r = (r + 1) * (1 + (a - p) / (p * (1 - p)) * (loss - p)) ** (1 / detector.effect)
        if r.mean() >= detector.patience:
            alarms, r = [*alarms, count], np.zeros(len(a))
    return alarms, float(r.mean())


def test_the_bet_on_a_zero_or_one_is_the_likelihood_ratio() -> None:
    wrong, right = START.fold([1.0]), START.fold([0.0])

    assert START.alternatives == pytest.approx((0.13, 0.16, 0.2, 0.3, 0.5))
    assert np.exp(np.add(wrong.growth, wrong.total)) == pytest.approx([a / 0.1 for a in START.alternatives])
    assert np.exp(np.add(right.growth, right.total)) == pytest.approx([(1 - a) / 0.9 for a in START.alternatives])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=300), st.sampled_from([1.0, 3.5]), st.sampled_from([2, 50, 20_000]))
def test_it_is_its_definition_label_by_label(losses: list[float], effect: float, patience: int) -> None:
    before = start(patience=patience, effect=effect)
    after = before.fold(losses)
    alarms, mean = naive(before, np.array(losses))

    assert list(after.alarms) == alarms
    assert after.evidence == pytest.approx(max(0.0, math.log(max(mean, 1)) / math.log(patience)), abs=1e-9)


def test_over_ten_thousand_labels_it_still_is_its_definition() -> None:
    losses = errors(0.11, 20_000, 3)
    after = start(patience=10**9, effect=4.0).fold(losses)

    _, mean = naive(start(patience=10**9, effect=4.0), losses)
    assert after.evidence == pytest.approx(math.log(mean) / math.log(10**9), rel=1e-9)


@pytest.mark.parametrize(("share", "median", "tolerance"), [(0.15, 395, 40), (0.30, 54, 6)])
def test_more_errors_are_found_after_as_many_labels_as_design_says(share: float, median: int, tolerance: int) -> None:
    found = [START.fold(errors(share, 10 * median, seed)).alarms[0] for seed in range(400)]

    assert np.median(found) == pytest.approx(median, abs=tolerance)


def test_it_is_silent_when_the_model_improves() -> None:
    for seed in range(20):
        before = START.fold(errors(0.1, 200, seed))
        after, most = before.followed(errors(0.05, 20_000, seed + 100))

        assert after.alarms == before.alarms == ()
        assert after.evidence < 0.5 and most < 1


@pytest.mark.parametrize("effect", [1.0, 10.0])
def test_at_the_level_itself_false_alarms_are_at_least_as_far_apart_as_the_patience(effect: float) -> None:
    labels, patience = 1_000_000, 500
    alarms = len(start(patience=patience, effect=effect).fold(errors(0.1, labels, 7)).alarms)

    assert alarms <= labels / patience * 1.05  # two standard errors of so many renewals
    assert alarms > 0


@pytest.mark.parametrize("effect", [5.0, 25.0])
def test_days_that_share_a_storm_alarm_no_more_often_than_the_patience_says_and_without_their_effect_far_more(
    effect: float,
) -> None:
    days, per_day, patience, streams = 100, 200, 2_000, 30
    storms = [stormy_days(np.random.default_rng(seed), days, per_day, 0.1, effect).ravel() for seed in range(streams)]
    allowed = streams * days * per_day / patience

    thinned, plain = (
        sum(len(start(patience=patience, effect=each).fold(losses).alarms) for losses in storms)
        for each in (effect, 1.0)
    )
    assert thinned <= allowed
    assert plain > 1.5 * allowed


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 9_000), max_size=6), st.sampled_from([0.05, 0.12, 0.6]))
def test_chunks_change_nothing_to_the_bit(seed: int, cuts: list[int], share: float) -> None:
    random = np.random.default_rng(seed)
    losses = np.where(random.random(9_000) < share, random.random(9_000), 0.0)
    whole, chunked = start(patience=1_000, effect=1.7).fold(losses), start(patience=1_000, effect=1.7)
    for part in np.split(losses, sorted(cuts)):
        chunked = chunked.fold(part)

    assert chunked == whole


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=50))
def test_json_keeps_every_bit(losses: list[float]) -> None:
    detector = start(effect=3.3).fold(losses)

    assert Detector.from_json(json.loads(json.dumps(detector.to_json(), allow_nan=False))) == detector


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=400), st.data())
def test_a_right_answer_made_wrong_never_lowers_the_evidence(wrong: list[bool], data: st.DataObject) -> None:
    losses = np.array(wrong, dtype=np.float64)
    more = losses.copy()
    more[data.draw(st.integers(0, len(wrong) - 1))] = 1.0
    patient = start(patience=10**300, effect=2.0)

    assert patient.fold(more).evidence >= patient.fold(losses).evidence - 1e-12


def test_a_million_labels_of_any_kind_overflow_nothing() -> None:
    for share in (0.0, 0.1, 0.02):
        after = start(patience=10**300, effect=1.0).fold(errors(share, 1_000_000, 1))

        assert np.isfinite(np.add(after.growth, after.total)).all()
        assert after.alarms == ()
    assert len(start(patience=10**300).fold(np.ones(100_000)).alarms) > 100


def test_levels_near_0_and_1_have_alternatives_between_them_and_1() -> None:
    for bound in (1e-12, 0.3, 0.9, 1 - 1e-9):
        detector = start(bound=bound)

        assert all(bound < alternative < 1 for alternative in detector.alternatives)
        assert detector.fold(np.zeros(1_000)).fold(np.ones(10)).labels == 1_010


def test_another_policy_or_level_is_another_question() -> None:
    moved = START.fold([1.0, 0.0])

    assert moved.continues(POLICY, LEVEL)
    assert not moved.continues(ConceptPolicy(loss="error", patience=7), LEVEL)
    assert not start(bound=0.2).continues(POLICY, LEVEL)


def test_what_is_no_loss_is_refused_and_no_losses_change_nothing() -> None:
    with pytest.raises(DataError, match=r"loss 1 == 1\.5, must lie in 0 \.\. 1"):
        START.fold([0.0, 1.5])
    with pytest.raises(DataError, match="loss 0 == nan"):
        START.fold([math.nan])
    assert START.fold([]) == START

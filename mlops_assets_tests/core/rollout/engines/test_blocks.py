"""Which model loses more, by blocks: the looks and the alarm, also on days that are wild or resemble each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_assets.core.rollout.engines.blocks import LUCK, Block, last_look, log_alarm
from mlops_assets.declare import DataError

ALARM = math.log(2 / 0.05)  # what `quality.py` asks of the alarm at alpha = .05


def days(differences, champion=0.48, pairs=900):
    """Blocks whose mean losses differ by these."""
    return [Block(pairs, pairs * champion, pairs * (champion + float(d))) for d in differences]


def test_a_look_at_equal_blocks_is_students_t_of_their_means():
    means = np.array([0.003, -0.001, 0.002, 0.004, 0.0, 0.001])
    look = last_look(days(means), first=6, alpha=0.1)
    error = means.std(ddof=1) / math.sqrt(6)

    assert look.mean == pytest.approx(means.mean())
    assert look.upper == pytest.approx(means.mean() + stats.t.ppf(0.95, 5) * error)
    assert look.lower == pytest.approx(means.mean() - stats.t.ppf(0.975, 5) * error)


@pytest.mark.parametrize(("done", "seen"), [(13, None), (14, 14), (27, 14), (28, 28), (55, 28), (56, 56), (200, 112)])
def test_looks_are_at_the_declared_numbers_of_blocks_and_later_blocks_wait_for_the_next(done, seen):
    random = np.random.default_rng(0).normal(size=done)
    look = last_look(days(random), first=14, alpha=0.05)

    assert (look and look.blocks) == seen
    if seen:
        assert look == last_look(days(random[:seen]), first=14, alpha=0.05)


def test_one_block_that_holds_nearly_all_pairs_makes_nothing_sure():
    even = days([0.001, -0.001] * 7)
    odd = [block._replace(pairs=9, champion=4.3, challenger=4.5) for block in even[:-1]] + [even[-1]]
    look = last_look(odd, first=14, alpha=0.05)

    assert look.upper - look.lower > 4 * (0.02)


@pytest.mark.parametrize("broken", [Block(0, 0.0, 0.0), Block(5, math.nan, 1.0), Block(5, 1.0, math.inf)])
def test_a_block_without_losses_is_refused(broken):
    with pytest.raises(DataError, match="block"):
        last_look([*days([0.0] * 13), broken], first=14, alpha=0.05)
    with pytest.raises(DataError, match="block"):
        log_alarm([*days([0.0] * 13), broken], 0.003)


@pytest.mark.parametrize("differences", [[0.2, 0.5, 0.3], [-0.1, 0.3, 0.2], [0.02, 0.01, 0.03]])
def test_the_alarm_is_the_bayes_factor_of_its_priors(differences):
    guess = LUCK * 0.48
    x = np.array(differences)

    sigma = np.geomspace(1e-4, 100, 2000)[:, None]
    size = np.linspace(0, 16, 1601)
    prior = stats.invgamma.pdf(sigma**2, 0.5, scale=guess**2 / 2) * 2 * sigma  # sigma^2 ~ guess^2 / chi2(1)
    sizes = 2 * stats.norm.pdf(size, 0, 2.0)
    null = np.prod([stats.norm.pdf(one, 0, sigma) for one in x], axis=0) * prior
    other = np.prod([stats.norm.pdf(one, size * sigma, sigma) for one in x], axis=0) * prior * sizes
    ratio = np.trapezoid(np.trapezoid(other, size, axis=1), sigma[:, 0]) / np.trapezoid(null[:, 0], sigma[:, 0])
    found = log_alarm(days(differences), 0.0)
    before = log_alarm(days(differences[:2]), 0.0)

    assert found == pytest.approx(max(before, math.log(ratio)), abs=2e-3)


@given(st.floats(-50, 50), st.floats(1e-6, 10))
def test_no_two_blocks_convict_whatever_is_in_them_unless_both_are_plainly_worse(wild, champion):
    assert log_alarm(days([wild], champion), 0.003) == 0
    assert log_alarm(days([wild, -abs(wild)], champion), 0.003) < ALARM


@pytest.mark.parametrize(("worse", "blocks"), [(0.25, 4), (0.5, 3), (1.0, 3)])
def test_a_model_that_answers_nonsense_is_found_in_three_or_four_blocks(worse, blocks):
    luck = np.random.default_rng(2).normal(0, 0.06, (200, 20))
    found = [next((n for n in range(1, 21) if log_alarm(days(worse + run[:n]), 0.003) >= ALARM), 99) for run in luck]

    assert np.median(found) <= blocks


def storms(random, runs, count):
    """Independent days of which every tenth is ten times as wild."""
    return random.normal(size=(runs, count)) * np.where(random.random((runs, count)) < 0.1, 10, 1)


def lasting(random, runs, count, memory):
    """Days that resemble the day before."""
    found = random.normal(size=(runs, count))
    for at in range(1, count):
        found[:, at] = memory * found[:, at - 1] + math.sqrt(1 - memory**2) * found[:, at]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "scale", "most"),
    [
        ("normal", 0.06, 0.02),  # the luck that is guessed
        ("normal", 0.3, 0.03),  # five times as much
        ("normal", 30.0, 0.035),  # a guess that is no help at all: the worst case
        ("heavy", 0.06, 0.02),
        ("storms", 0.02, 0.02),
        ("lasting", 0.02, 0.01),  # the flights: days differ by .003 to .02, and resemble the day before by .1 to .2
        ("lasting", 0.06, 0.04),
    ],
)
def test_false_alarms_stay_below_half_of_alpha_while_the_guess_of_the_luck_is_any_good(kind, scale, most):
    random = np.random.default_rng(7)
    drawn = {
        "normal": lambda: random.normal(size=(1500, 56)),
        "heavy": lambda: random.standard_t(3, size=(1500, 56)),
        "storms": lambda: storms(random, 1500, 56),
        "lasting": lambda: lasting(random, 1500, 56, 0.2),
    }[kind]()
    alarms = np.mean([log_alarm(days(0.003 + scale * run, champion=0.48), 0.003) >= ALARM for run in drawn])

    assert alarms <= most


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "most"), [(0.0, 0.05), (0.1, 0.07), (0.2, 0.1)])
def test_looks_certify_a_model_at_the_margin_in_at_most_alpha_if_days_do_not_resemble_each_other(memory, most):
    """Where they do, more: a memory of .1 makes 5 % into 6, one of .2 into 8. Declare longer blocks for such data."""
    drawn = 0.003 + 0.006 * lasting(np.random.default_rng(8), 3000, 56, memory)
    wrong = np.mean([any(last_look(days(run[:n]), 14, 0.05).upper < 0.003 for n in (14, 28, 56)) for run in drawn])

    assert wrong <= most

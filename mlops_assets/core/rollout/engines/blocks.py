"""Which model loses more, when outcomes of one block (a day, a week) share their luck: blocks are what is counted.

Two ways to look, each valid however often the other is used:
- **Looks** declared beforehand, at `first` complete blocks, at twice as many, and so on: bounds of the mean difference
  by the jackknife over blocks and Student's t (as the promotion gate, `core/paired.py`), each look with half the error
  of the one before, so that all of them together err at most `alpha` (Bonferroni).
- An **alarm** after every complete block, for a challenger that is plainly worse: a Bayes factor of a normal mean with
  unknown variance, which is a test martingale under its prior (Gönen et al. 2005; Wang & Ramdas 2024, "Anytime-valid
  t-tests"). The variance is unknown but not unguessable: `LUCK` of the champion's own loss counts as one block's worth
  of knowledge. So no single block convicts, whatever is in it; a model that answers nonsense is found after three.
  Of 2.5 % false alarms that are allowed, .9 % come where the guess is right, and all where it is far too small; days
  that resemble each other (a correlation of .2) make 3.4 % of them (simulated in the tests).

Days of the shipped flights differ in the loss of two models by .003 to .02 and are correlated by -.1 to .2. With two
models of equal rank, 14 days certify .003 in half of all cases, in nine of ten when they differ by their seed alone.

A block is complete when the next but one has begun: until then its last labels are on their way, and the late ones
among them are not like the others. A label that comes later still counts in its block.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlops_assets.core.paired import jackknife_error
from mlops_assets.declare.errors import DataError

LUCK = 1 / 8  # of the champion's mean loss: by how much two sound models' losses of one day may well differ
_SPREAD = 2.0  # of the differences looked for, in standard deviations of a block


class Block(NamedTuple):
    """The pairs of one block: how many, and the sums of both models' losses."""

    pairs: int
    champion: float
    challenger: float


class Look(NamedTuple):
    """What was seen at the last look: after so many `blocks`, the mean difference (challenger - champion), its bounds.

    `lower` at `alpha / 2`, `upper` at `alpha` of this look's share, one-sided each.
    """

    blocks: int
    mean: float
    lower: float
    upper: float


def last_look(blocks: Sequence[Block], first: int, alpha: float) -> Look | None:
    """The last declared look that these complete blocks, in order of time, have reached; None before the first.

    The upper bounds of all looks together miss with a chance of at most `alpha`, the lower ones of `alpha / 2`.

    >>> days = [Block(100, 50.0, 49.0), Block(100, 50.0, 51.0)] * 8
    >>> last_look(days[:13], first=14, alpha=0.05) is None
    True
    >>> last_look(days, first=14, alpha=0.05).blocks
    14
    """
    if first < 2 or len(blocks) < first:
        return None
    doubled = (len(blocks) // first).bit_length() - 1
    seen = _arrays(blocks[: first << doubled])
    counts, sums = seen[:, 0], seen[:, 2] - seen[:, 1]
    mean = float(sums.sum() / counts.sum())
    error = jackknife_error((sums.sum() - sums) / (counts.sum() - counts))
    spent = alpha / 2 ** (doubled + 1)
    from scipy.stats import t

    reach_up, reach_down = (float(t.ppf(1 - part, len(seen) - 1)) * error for part in (spent, spent / 2))
    return Look(len(seen), mean, mean - reach_down, mean + reach_up)


def log_alarm(blocks: Sequence[Block], margin: float) -> float:
    """The highest log evidence so far against "the challenger's mean loss is at most `margin` above the champion's".

    0.0 before the second complete block.

    >>> good, bad = Block(100, 50.0, 51.0), Block(100, 50.0, 95.0)
    >>> log_alarm([good] * 30, margin=0.02)
    0.0
    >>> [round(log_alarm([bad] * n, margin=0.02), 1) for n in (1, 2, 3)]  # ln 40 = 3.7 convicts at alpha = .05
    [0.0, 2.8, 4.4]
    """
    if len(blocks) < 2:
        return 0.0
    seen = _arrays(blocks)
    number = np.arange(1, len(seen) + 1)
    size = np.cumsum(seen[:, 0]) / number
    guess = LUCK * np.cumsum(seen[:, 1]) / np.cumsum(seen[:, 0])
    excess = seen[:, 2] - seen[:, 1] - margin * seen[:, 0]  # of a block's total, so that a small block weighs little
    total, squares = np.cumsum(excess) / size, np.cumsum(excess * excess) / (size * size)
    from scipy.stats import t

    # mean ~ |normal(0, (_SPREAD sigma)^2)|, sigma^2 ~ scaled inverse chi square with one degree of freedom
    more = 1 + number * _SPREAD**2
    left = guess**2 + squares - total**2 * _SPREAD**2 / more
    with np.errstate(divide="ignore", invalid="ignore"):
        two_sided = ((number + 1) * np.log((guess**2 + squares) / left) - np.log(more)) / 2
        place = total * _SPREAD / np.sqrt(more * left / (number + 1))
        evidence = two_sided + np.log(2 * t.cdf(place, number + 1))
    found = evidence[1:]
    return max(0.0, float(np.max(found, initial=0.0, where=np.isfinite(found))))


def _arrays(blocks: Sequence[Block]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    seen = np.array(blocks, dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(seen).all() or (seen[:, 0] < 1).any():
        raise DataError("a block holds no pairs or no finite loss, must hold both: leave pairs without a loss out.")
    return seen

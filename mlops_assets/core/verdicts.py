"""The three answers of every judge in this project.

Here belongs the word and nothing else: what is judged, and how, is the business of the room that asks
(`promotion.py`, the rollout, drift).
"""

from enum import Enum


class Verdict(Enum):
    """What the evidence says. A judge that cannot judge answers INCONCLUSIVE; it never guesses.

    >>> [verdict.passed for verdict in Verdict]
    [True, False, False]
    """

    PASS = "PASS"  # noqa: S105  a verdict, not a secret
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def passed(self) -> bool:
        """True for PASS alone: no data and not enough data never enable anything."""
        return self is Verdict.PASS

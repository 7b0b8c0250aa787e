"""The breaker: a challenger that plainly fails is not asked any more, at once, whatever the evidence will say.

Here belongs counting its last calls. Taking it out for good is one event of the rollout, which the caller writes.
"""

from collections import deque

CALLS = 20


class Breaker:
    """The last 20 calls of a rollout's challenger by this process; it opens once for each rollout.

    >>> breaker = Breaker()
    >>> [breaker.told(7, failed=True, share=0.5) for _ in range(20)].count(True), breaker.open(7), breaker.open(8)
    (1, True, False)
    """

    def __init__(self) -> None:
        self._rollout, self._failed = 0, deque[bool](maxlen=CALLS)
        self._opened = 0

    def open(self, rollout: int) -> bool:
        """True when the challenger of this rollout is not to be asked."""
        return rollout == self._opened

    def told(self, rollout: int, *, failed: bool, share: float) -> bool:
        """Count a call; True when the breaker opens by it: `share` of the last 20 failed."""
        if rollout != self._rollout:
            self._rollout, self._failed = rollout, deque(maxlen=CALLS)
        self._failed.append(failed)
        if self.open(rollout) or len(self._failed) < CALLS or sum(self._failed) < share * CALLS:
            return False
        self._opened = rollout
        return True

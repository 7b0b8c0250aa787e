"""Two rows of counts side by side, as every bin measure reads them."""

import numpy as np
import numpy.typing as npt

from mlops_assets.declare.errors import DataError

Counts = npt.NDArray[np.int64]


def both_seen(reference: npt.ArrayLike, live: npt.ArrayLike) -> Counts:
    """Counts (2, B) of the bins that hold a row on either side: a bin nobody ever fell into says nothing of drift.

    Raises DataError when the two differ in length or either side has no rows.

    >>> both_seen([5, 0, 3], [4, 0, 0]).tolist()
    [[5, 3], [4, 0]]
    """
    counts = [np.asarray(reference, dtype=np.int64), np.asarray(live, dtype=np.int64)]
    if counts[0].shape != counts[1].shape:
        shapes = (counts[0].shape, counts[1].shape)
        raise DataError(f"drift: bins == {shapes}, reference and live must pair: count both with one profile.")
    both = np.stack(counts)
    if not both.sum(axis=1).all():
        raise DataError(
            f"drift: rows == {both.sum(axis=1).tolist()}, both sides need rows: an empty window is no data."
        )
    return both[:, both.any(axis=0)]

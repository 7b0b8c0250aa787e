"""Making a reference profile out of training rows, once, at training.

Row order changes no byte: everything is an order statistic or an integer count. Windows are the reference's own
partitions; how far each strays from the others sets the column's threshold.
"""

import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_assets.core.drift.ks import ks_distance
from mlops_assets.core.drift.psi import corrected_psi
from mlops_assets.core.profile.binning import Binned, binned_categories, binned_numbers
from mlops_assets.core.profile.bins import NumericBins, Tally, held_cells
from mlops_assets.core.profile.columns import Frame, Ints, column_of
from mlops_assets.core.profile.records import ColumnProfile, ReferenceProfile
from mlops_assets.core.profile.sizes import size_of
from mlops_assets.declare.drift import DriftPolicy, Monitored
from mlops_assets.declare.errors import DataError, DeclarationError


def build_profile(
    frame: Frame,
    *,
    window: Sequence[object] | npt.NDArray[np.generic] | pd.Series,
    columns: Sequence[Monitored],
    prediction: str,
    policy: DriftPolicy,
) -> ReferenceProfile:
    """The profile of training rows `frame` (N rows), each belonging to the reference window `window[i]`.

    `prediction` names the watched column of the model's score. Windows with fewer rows than `policy.min_rows` do not
    calibrate. Raises DeclarationError when `prediction` is not watched or a column is declared twice; DataError when
    there are no rows, a column is missing, infinite, of another kind, or an identifier.

    >>> rows = pd.DataFrame({"delay": [1.0, 2.0, 3.0, 4.0], "score": [0.1, 0.2, 0.3, 0.4]})
    >>> watched = [Monitored(name="delay", kind="numeric", unit="min"), Monitored(name="score", kind="numeric")]
    >>> made = build_profile(rows, window=["W01"] * 4, columns=watched, prediction="score", policy=DriftPolicy())
    >>> made.column("delay").counts, made.calibrated
    ((1, 1, 1, 1, 0, 0), False)
    """
    names = [column.name for column in columns]
    if prediction not in names:
        raise DeclarationError(f"drift: prediction == {prediction!r}, must be one of {names}: watch the score too.")
    if len(set(names)) < len(names):
        raise DeclarationError(f"drift: columns == {names}, each may be watched once: remove the repeats.")
    codes, found = pd.factorize(np.array([str(key) for key in window], dtype=object), sort=True)
    keys = [str(key) for key in found]
    rows = len(codes)
    if rows == 0:
        raise DataError("reference profile: 0 rows, a model is trained on some: check the feature table's partitions.")
    large = np.bincount(codes) >= policy.min_rows
    made = []
    for column in columns:
        values = column_of(frame, column.name)
        if len(values) != rows:
            raise DataError(f"column {column.name!r} has {len(values)} rows, window has {rows}: pass one key per row.")
        made.append(_profiled(column, values, codes, keys, large, policy))
    windows = tuple(key for key, counts in zip(keys, large, strict=True) if counts)
    calibrated = len(windows) >= policy.min_reference_windows
    return ReferenceProfile(
        columns=tuple(made), prediction=prediction, rows=rows, windows=windows, calibrated=calibrated
    )


def _profiled(
    column: Monitored,
    values: pd.Series,
    codes: Ints,
    windows: Sequence[str],
    large: npt.NDArray[np.bool_],
    policy: DriftPolicy,
) -> ColumnProfile:
    count = binned_numbers if column.kind == "numeric" else binned_categories
    binned = count(column.name, values, codes, len(windows))
    counts, cells = binned.by_window.sum(axis=0), binned.cells.sum(axis=0)
    strayed: list[tuple[float, str]] = []
    ks = [0.0]
    for at in np.flatnonzero(large).tolist() if len(windows) > 1 else []:
        strayed.append((corrected_psi(counts - binned.by_window[at], binned.met[at]), windows[at]))
        ks.append(ks_distance(cells - binned.cells[at], binned.cells[at]) or 0.0)
    restlessness, restless_window = max(strayed, default=(0.0, None))
    held = _held(binned, np.flatnonzero(large))
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        dtype=str(values.dtype),
        unit=column.unit,
        stable=column.stable,
        critical=column.critical,
        bins=binned.bins,
        counts=tuple(counts.tolist()),
        cells=tuple(cells.tolist()),
        minimum=binned.minimum,
        maximum=binned.maximum,
        restlessness=restlessness,
        restless_window=restless_window,
        ks_restlessness=max(ks),
        threshold=0.0,
        watch_level=0.0,
        ks_threshold=0.0,
        missing_by_window=tuple((binned.by_window[large, -1] / binned.by_window[large].sum(axis=1)).tolist()),
        held_most=max((share for share, _ in held), default=1.0),
        rise_most=max((rise for _, rise in held), default=1.0),
        sizes=_sizes(binned, np.flatnonzero(large)),
        feed=column.feed,
    ).judged_by(policy)


def _held(binned: Binned, windows: Ints) -> list[tuple[float, float]]:
    """Per window: the largest share of its rows that one value holds, and the most a value's share is above the rest's.

    Of numbers a cell of the sketch stands for a value. Nothing to say with fewer than two windows.
    """
    counts = held_cells(binned.bins, Tally(binned.by_window, binned.cells))
    rows, total = binned.by_window.sum(axis=1), counts.sum(axis=0)
    found = []
    for at in windows.tolist() if len(rows) > 1 else []:
        share = counts[at] / rows[at]
        others = (total - counts[at]) / (rows.sum() - rows[at])
        found.append((float(share.max(initial=0.0)), float((share - others).max(initial=0.0))))
    return found


def _sizes(binned: Binned, windows: Ints) -> tuple[float, float] | None:
    """The least and the largest size of one window, in sizes of all the others; None without a comparison."""
    if not isinstance(binned.bins, NumericBins):
        return None
    total, ratios = binned.cells.sum(axis=0), []
    for at in windows.tolist():
        own, others = (size_of(binned.bins, cells) for cells in (binned.cells[at], total - binned.cells[at]))
        if own is not None and others:
            ratios.append(min(own / others, sys.float_info.max))  # others may be next to nothing
    return (min(ratios), max(ratios)) if ratios else None

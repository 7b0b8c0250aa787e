"""One column measured: every figure of reference against window, before anything is judged together."""

from dataclasses import dataclass, field

import pandas as pd

from mlops_assets.core.drift.js import js_distance, js_divergence
from mlops_assets.core.drift.ks import ks_distance, ks_resolution
from mlops_assets.core.drift.psi import psi, sampling_noise
from mlops_assets.core.drift.verdict import UNDECIDED, Judged, Verdict, judge_js, judge_ks, judge_psi
from mlops_assets.core.drift.wasserstein import Moved, wasserstein
from mlops_assets.core.profile.bins import NumericBins, Tally
from mlops_assets.core.profile.records import ColumnProfile


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of one column; every share is of all rows of its side, in 0 .. 1. `live`: the window's rows as counted.

    `psi_raw`, `psi` (nats; without the part sampling adds); `bins`: those in use; `ks`, `js_distance` 0 .. 1;
    `moved` in robust sd; `at_threshold`, `at_watch`: the PSI judged at the column's two levels. None: no such figure,
    for want of live rows, or because a category has no order.
    """

    live: Tally = field(compare=False)
    missing_reference: float
    psi_raw: float | None = None
    psi: float | None = None
    bins: int | None = None
    ks: float | None = None
    js_distance: float | None = None
    moved: Moved | None = None
    missing_live: float | None = None
    unseen: float | None = None
    below_min: float | None = None
    above_max: float | None = None
    at_threshold: Judged = UNDECIDED
    at_watch: Judged = UNDECIDED
    ks_verdict: Verdict = Verdict.INSUFFICIENT_DATA
    js_verdict: Verdict = Verdict.INSUFFICIENT_DATA


def measure(profile: ColumnProfile, column: pd.Series, *, alpha: float) -> Measured:
    """Measures a live column (m rows) against its profile, in one pass over the rows.

    Raises DataError when a numeric column holds infinities or anything that is no number.
    """
    reference, live = profile.tally, profile.bins.tally(profile.name, column)
    missing_reference = float(reference.bins[-1] / reference.rows)
    if not live.rows:
        return Measured(live=live, missing_reference=missing_reference)
    raw = psi(reference.bins, live.bins)
    noise, bins = sampling_noise(reference.bins, live.bins)
    divergence = js_divergence(reference.bins, live.bins)
    at_threshold = judge_psi(raw, noise=noise, bins=bins, threshold=profile.threshold, alpha=alpha)
    at_watch = judge_psi(raw, noise=noise, bins=bins, threshold=profile.watch_level, alpha=alpha)
    js = judge_js(divergence, noise=noise, bins=bins, threshold=profile.threshold, alpha=alpha)
    figures = _of_numbers(profile, profile.bins, live, alpha) if isinstance(profile.bins, NumericBins) else _OfNumbers()
    return Measured(
        live=live,
        psi_raw=raw,
        psi=max(0.0, raw - (bins - 1) * noise),
        bins=bins,
        ks=figures.ks,
        js_distance=js_distance(reference.bins, live.bins),
        moved=figures.moved,
        missing_reference=missing_reference,
        missing_live=float(live.bins[-1] / live.rows),
        unseen=float(live.bins[-2] / live.rows),
        below_min=figures.below_min,
        above_max=figures.above_max,
        at_threshold=at_threshold,
        at_watch=at_watch,
        ks_verdict=figures.ks_verdict,
        js_verdict=js.verdict,
    )


@dataclass(frozen=True)
class _OfNumbers:
    """What only numbers have; a category's KS says nothing."""

    ks: float | None = None
    moved: Moved | None = None
    below_min: float | None = None
    above_max: float | None = None
    ks_verdict: Verdict = Verdict.INSUFFICIENT_DATA


def _of_numbers(profile: ColumnProfile, bins: NumericBins, live: Tally, alpha: float) -> _OfNumbers:
    reference = profile.tally
    ks = ks_distance(reference.cells, live.cells)
    if ks is None:
        return _OfNumbers()
    verdict = judge_ks(
        ks,
        n=int(reference.cells.sum()),
        m=int(live.cells.sum()),
        resolution=ks_resolution(reference.cells),
        threshold=profile.ks_threshold,
        alpha=alpha,
    )
    return _OfNumbers(
        ks=ks,
        moved=wasserstein(bins, reference.cells, live.cells),
        below_min=float(live.cells[0] / live.rows),
        above_max=float(live.cells[-1] / live.rows),
        ks_verdict=verdict,
    )

"""One row of the drift report: a column's figures, its verdict among the others, and the sentence that says it."""

from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from mlops_assets.core.drift.measured import Measured
from mlops_assets.core.drift.sentences import column_sentence
from mlops_assets.core.drift.table import Judgeable
from mlops_assets.core.drift.verdict import Verdict
from mlops_assets.core.profile.records import ColumnProfile


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """One row of the report: one column. Shares are of all rows of their side; None where a figure has no meaning.

    `psi` is bias-corrected, `psi_raw` as computed, `threshold` and `watch_level` the column's own (nats); `ratio` =
    psi / threshold; `js` base 2; `w1_sd` >= 0 and the signed `shift_sd` in robust sd of the reference. `verdict` is
    PSI's at the table's false discovery rate; `watch`: past the watch level; `psi_verdict`, `ks_verdict`, `js_verdict`
    each measure alone. `fault`: the kind of feed fault the column is in ("" = none), and it counts for nothing else.
    """

    name: str
    kind: str
    unit: str
    stable: bool
    critical: bool
    prediction: bool
    importance: float
    verdict: Verdict
    watch: bool
    ratio: float | None
    psi: float | None
    threshold: float
    watch_level: float
    psi_raw: float | None
    bins: int | None
    p_drift: float | None
    psi_verdict: Verdict
    ks: float | None
    ks_threshold: float | None
    ks_verdict: Verdict
    js: float | None
    js_verdict: Verdict
    w1_sd: float | None
    shift_sd: float | None
    missing_reference: float
    missing_live: float | None
    unseen: float | None
    below_min: float | None
    above_max: float | None
    sentence: str
    fault: str = ""

    @property
    def judgeable(self) -> Judgeable:
        """What the table's rule needs of this column."""
        return Judgeable(
            name=self.name,
            verdict=self.verdict,
            watch=self.watch,
            weight=self.importance,
            stable=self.stable,
            critical=self.critical,
            prediction=self.prediction,
            fault=bool(self.fault),
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dict: verdicts as their names, figures as finite numbers or None."""
        return {name: value.value if isinstance(value, Verdict) else value for name, value in vars(self).items()}


_DTYPE_OF: dict[object, str] = {str: "string", Verdict: "string", bool: "bool"}
_DTYPES = {field.name: _DTYPE_OF.get(field.type, "float64") for field in fields(ColumnDrift)}


def frame_of(columns: tuple[ColumnDrift, ...]) -> pd.DataFrame:
    """One row per column in the order given; text as `string`, claims as bool, figures as float64 (none: NaN)."""
    return pd.DataFrame([column.to_json() for column in columns], columns=list(_DTYPES)).astype(_DTYPES)


def column_drift(
    profile: ColumnProfile,
    figures: Measured,
    *,
    verdict: Verdict,
    watch: bool,
    importance: float,
    prediction: bool,
) -> ColumnDrift:
    """The row of one column, its verdict among the others already found."""
    moved = figures.moved
    return ColumnDrift(
        name=profile.name,
        kind=profile.kind,
        unit=profile.unit,
        stable=profile.stable,
        critical=profile.critical,
        prediction=prediction,
        importance=importance,
        verdict=verdict,
        watch=watch,
        ratio=None if figures.psi is None else figures.psi / profile.threshold,
        psi=figures.psi,
        threshold=profile.threshold,
        watch_level=profile.watch_level,
        psi_raw=figures.psi_raw,
        bins=figures.bins,
        p_drift=figures.at_threshold.p_drift,
        psi_verdict=figures.at_threshold.verdict,
        ks=figures.ks,
        ks_threshold=profile.ks_threshold if profile.kind == "numeric" else None,
        ks_verdict=figures.ks_verdict,
        js=figures.js_distance,
        js_verdict=figures.js_verdict,
        w1_sd=None if moved is None else moved.distance_sd,
        shift_sd=None if moved is None else moved.shift_sd,
        missing_reference=figures.missing_reference,
        missing_live=figures.missing_live,
        unseen=figures.unseen,
        below_min=figures.below_min,
        above_max=figures.above_max,
        sentence=column_sentence(profile, figures, verdict, watch=watch),
    )

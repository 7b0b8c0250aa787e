"""Drift: one file per measure, one for what a measure says, one for what a table of them means."""

from mlops_assets.core.drift.column import ColumnDrift
from mlops_assets.core.drift.faults import Fault, FaultKind
from mlops_assets.core.drift.report import DriftReport, drift_report, signals_of
from mlops_assets.core.drift.table import Completeness, TableVerdict
from mlops_assets.core.drift.verdict import Verdict

__all__ = [
    "ColumnDrift",
    "Completeness",
    "DriftReport",
    "Fault",
    "FaultKind",
    "TableVerdict",
    "Verdict",
    "drift_report",
    "signals_of",
]

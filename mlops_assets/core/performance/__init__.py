"""Concept drift: a model's realised answers on matured labels, held against what was measured when it was made.

`losses.py` what an answer costs, `level.py` what the validation allows, `detector.py` evidence that it costs more,
`intervals.py` figures with the chance of blocks, `report.py` one window's report, `sentences.py` its words.
"""

from mlops_assets.core.performance.detector import Detector
from mlops_assets.core.performance.level import Level, reference_level
from mlops_assets.core.performance.losses import scaled_losses
from mlops_assets.core.performance.report import PerformanceReport, performance_report

__all__ = ["Detector", "Level", "PerformanceReport", "performance_report", "reference_level", "scaled_losses"]

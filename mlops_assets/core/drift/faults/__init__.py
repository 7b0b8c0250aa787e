"""Feed faults: what a broken feed looks like, told apart from a world that changed. One file per kind."""

from mlops_assets.core.drift.faults.finding import find_faults
from mlops_assets.core.drift.faults.looking import Look
from mlops_assets.core.drift.faults.words import Fault, FaultKind

__all__ = ["Fault", "FaultKind", "Look", "find_faults"]

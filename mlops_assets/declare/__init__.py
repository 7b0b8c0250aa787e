"""Floor 0, the words: frozen records that check themselves. Imports nothing else of ours.

What a user writes in `use_cases/<name>.py`. A fact is declared once; checks, docs, graph and errors derive from it.
"""

from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.derived import Compute, Derived, NextClock, Plus, Zone
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DamagedError, DataError, DeclarationError, IllegalTransition, MlopsError
from mlops_assets.declare.features import AtRequest, Count, Feature, Last, Mean, Rate, Sum, days, hours
from mlops_assets.declare.following import Following
from mlops_assets.declare.kinds import ALWAYS, Kind
from mlops_assets.declare.modelling import Estimator, Label, Model, Requests, Task
from mlops_assets.declare.partitions import Weekly
from mlops_assets.declare.promotion import Promotion
from mlops_assets.declare.retraining import Retraining
from mlops_assets.declare.rollout import Quality, RolloutPlan, Step
from mlops_assets.declare.search import Search
from mlops_assets.declare.tables import Column, Every, Table
from mlops_assets.declare.use_case import UseCase

__all__ = [
    "ALWAYS",
    "AtRequest",
    "Column",
    "Compute",
    "ConceptPolicy",
    "Count",
    "DamagedError",
    "DataError",
    "DeclarationError",
    "Derived",
    "DriftPolicy",
    "Estimator",
    "Every",
    "Feature",
    "Following",
    "IllegalTransition",
    "Kind",
    "Label",
    "Last",
    "Mean",
    "MlopsError",
    "Model",
    "NextClock",
    "Plus",
    "Promotion",
    "Quality",
    "Rate",
    "Requests",
    "Retraining",
    "RolloutPlan",
    "Search",
    "Step",
    "Sum",
    "Table",
    "Task",
    "UseCase",
    "Weekly",
    "Zone",
    "days",
    "hours",
]

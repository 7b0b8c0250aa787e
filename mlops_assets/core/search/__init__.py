"""The search: which trials a model declares, what each comes to, which one is fitted on everything.

It knows no clock, no stores, and no row that validates: a choice made on those would flatter what it chose.
"""

from mlops_assets.core.search.results import Searched, TrialResult, choose
from mlops_assets.core.search.running import run_trial, run_trial_rows, tuning_weeks, with_params
from mlops_assets.core.search.trials import Trial, trials

__all__ = [
    "Searched",
    "Trial",
    "TrialResult",
    "choose",
    "run_trial",
    "run_trial_rows",
    "trials",
    "tuning_weeks",
    "with_params",
]

"""The way in: what `dagster` loads. A second use case is one more line in `USE_CASES`."""

import gc
import os

import dagster as dg

from mlops_assets.graph.lifecycle import build_lifecycle, resources
from mlops_assets.stores.settings import settings
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING

# What is loaded stays as long as the process. Looking through it for garbage, again and again and once more at exit,
# took a quarter of the CPU time of a command (benchmarks/noop.py).
gc.freeze()
USE_CASES = (FLIGHT_DELAYS, PARKING)
PLACES = settings(os.environ)

defs = dg.Definitions.merge(*(build_lifecycle(use_case, PLACES) for use_case in USE_CASES), resources(PLACES))
gc.freeze()

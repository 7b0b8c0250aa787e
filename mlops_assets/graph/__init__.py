"""Floor 3: everything that knows Dagster. Read in lifecycle order:

`lifecycle` (the whole graph of a use case), `ingest`, `online`, `features`, `skew`, `training`, `registry`,
`catalogue`, `monitoring`, `jobs`; beside them `axis` (the time axis), `storage` (the IO manager), `steps` (what every
step does), `tracking` (MLflow),
`types` and `showing` (what a person sees). Files are thin: load, one call into the core, report.
"""

import warnings

import dagster as dg

# data versions, partitioned checks and partition mappings are what this project is about: that Dagster still calls
# them beta or preview is no news in every run (the exact versions are pinned by the lock file)
for _category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)

"""Floor 3: everything that knows Dagster. Read in lifecycle order:

`lifecycle` (the whole graph of a use case), `ingest`, `features`, `training`, `registry`, `monitoring`, `jobs`;
beside them `axis` (the time axis), `storage` (the IO manager), `steps` (what every step does), `tracking` (MLflow),
`types` and `showing` (what a person sees). Files are thin: load, one call into the core, report.
"""

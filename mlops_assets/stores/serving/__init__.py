"""What serving keeps and reads: rollout state, prediction log, the models that answer.

| file | what |
|---|---|
| `tables.py`, `database.py` | the schema of the rollouts; an SQLite file or PostgreSQL |
| `stored.py`, `rollouts.py` | events appended once, the row that follows from them |
| `lease.py`, `heartbeats.py`, `checkpoints.py` | who may raise a share; what gateways say; evidence so far |
| `watch.py` | what a gateway honours, now |
| `ledgered.py`, `probes.py` | the ledger told of every event; does all of it hold? |
| `predictions.py`, `log_*.py`, `export.py` | the prediction log, its files listed there; a week of it as a table |
| `served.py`, `models.py` | from an answer to its model; a registered model brought back to answer |
"""

"""mlops_assets: every artifact of a model's life as a partitioned, content-hashed Dagster asset.

Read in this order: `README.md`, `definitions.py`, `use_cases/flight_delays.py`, then the room you came for:
`declare` (words), `core` (pure computation), `stores` (bytes), `graph` (Dagster), `cli` (doors).
"""

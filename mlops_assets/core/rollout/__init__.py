"""The rollout as pure rules: which stage follows which, on what evidence, who answers a request. No clock, no database.

| file | what |
|---|---|
| `words.py` | stage, arm, what is seen of an answer |
| `terms.py` | plan and task of one rollout, as they were when it was opened |
| `state.py`, `events.py` | the row; what was decided, bound into a chain |
| `transitions.py` | the table: which event may come where, and what it changes |
| `commands.py` | what people and gateways may ask, as events |
| `standing.py` | where it stands by its events alone |
| `counts.py`, `losses.py`, `evidence.py` | what has been seen so far, in numbers that add up |
| `engines/` | the statistics, one file each |
| `measures.py`, `quality.py`, `judge.py` | what the evidence says of each thing, and of all together |
| `certificate.py` | the proof of an increase, and whether it holds |
| `decide.py` | what a controller does next |
| `planner.py` | how long each stage will need |
| `router.py` | who answers |
"""

"""When a model is trained again by itself: causes, what is known, the guards, the decision. Pure.

| file | what |
|---|---|
| `cause.py` | why a training would be asked for, and the name by which it is asked for once |
| `facts.py` | what is known when it is decided; trainings and what became of them |
| `guards.py` | the conditions, one function each |
| `policy.py` | the decision: yes when every guard holds |

Spans are counted in data time, from week to week: no clock is read, so a decision about a replayed year is the one that
would have been made then. The numbers are `declare/retraining.py`; the one claim that follows from a yes is made by
`stores/records/retrainings.py`.
"""

"""The rollout as pure rules: which stage follows which, on what evidence, who answers a request. No clock, no database.

| file | what |
|---|---|
| `words.py` | stage, arm, what is seen of an answer |
"""

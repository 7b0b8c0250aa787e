"""Floor 4, the command line: `mlops`. Wiring and printing only; every rule lives below."""

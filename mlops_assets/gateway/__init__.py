"""The gateway: the only code that knows HTTP. A supervisor, its workers, and a process for each model that answers."""

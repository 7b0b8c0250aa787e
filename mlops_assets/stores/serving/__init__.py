"""What serving keeps and reads: rollout state, prediction log, the models that answer."""

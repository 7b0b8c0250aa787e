"""What a rollout looks like from outside: one record, as a page for people and as JSON for programs."""

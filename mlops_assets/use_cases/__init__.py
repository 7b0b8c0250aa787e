"""The declarations: one file a use case, the only kind of file a user edits."""

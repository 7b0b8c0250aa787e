"""History played again: what was asked, became known and matured, in the order in which it happened."""

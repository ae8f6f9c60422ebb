"""Models: what is fitted, saved and used: the base of all estimators, and the stacks of units."""

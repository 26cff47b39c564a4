"""Real servers of other makers, each in a directory of its own, for tests and for trials."""

"""Files of a run, and the user's caches."""

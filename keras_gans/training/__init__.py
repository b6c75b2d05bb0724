"""Training runs: callbacks, logs, image grids and monitors."""

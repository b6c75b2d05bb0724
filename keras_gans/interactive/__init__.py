"""The zoo from Python and in notebooks: train, draw, show, measure and export."""

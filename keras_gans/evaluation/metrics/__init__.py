"""Metrics of generated images, over features of a given feature network."""

"""Measures of generated pictures, over the features of a given network."""

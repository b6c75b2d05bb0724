"""Benchmarks: one module for each kind of `keras_gans.benchmark`."""

"""Sampling from a run, a SavedModel or a .tflite file."""

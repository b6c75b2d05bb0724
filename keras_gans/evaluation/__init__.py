"""Evaluation of generated images against real ones."""

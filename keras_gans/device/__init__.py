"""Sampling on a device: NumPy, Pillow and LiteRT alone."""

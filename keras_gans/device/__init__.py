"""Sampling on a device with NumPy, Pillow and LiteRT."""

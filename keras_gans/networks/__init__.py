"""Architectures: each module defines `generator` and `discriminator`."""

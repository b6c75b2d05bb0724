"""Mixtures of Gaussians, whose modes a generator should cover."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Mixture of 2-D Gaussians of equal weight.

    Attributes:
        modes: Centers of the Gaussians, float32 [num, 2], in [-1, 1].
        stddev: Standard deviation of each Gaussian in both directions.
    """

    modes: np.ndarray
    stddev: float


def _ring() -> Mixture:
    angles = 2 * np.pi * np.arange(8) / 8
    modes = 0.8 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Mixture(modes.astype(np.float32), 0.008)


def _grid25() -> Mixture:
    at = 0.4 * np.arange(-2, 3)
    modes = np.stack(np.meshgrid(at, at), axis=-1).reshape(25, 2)
    return Mixture(modes.astype(np.float32), 0.01)


MIXTURES = {"ring": _ring, "grid25": _grid25}

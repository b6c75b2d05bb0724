"""Modes covered and high-quality share, for points from a mixture of Gaussians."""

from __future__ import annotations

import numpy as np


def modes_covered(
    points: np.ndarray, modes: np.ndarray, stddev: float
) -> dict[str, float]:
    """Measures generated points against the mixture that they should come from.

    Source: Srivastava et al. 2017, "VEEGAN" (arXiv 1705.07761): a point is of high
    quality within three standard deviations of the nearest mode; a mode is covered if
    it has any such point.

    Args:
        points: float [num, 2].
        modes: float [num_modes, 2], the centres.
        stddev: The standard deviation of each mode in both directions.

    Returns:
        modes_covered: number of modes, 0 to num_modes; high_quality: share of the
        points, 0 to 1 (1 - exp(-4.5) = 0.989 for points of the mixture itself).
    """
    distances = np.linalg.norm(points[:, None] - modes[None], axis=-1)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= 3 * stddev
    return {
        "modes_covered": float(len(np.unique(nearest[good]))),
        "high_quality": float(good.mean()),
    }

"""Covered modes and share of high-quality points, for a mixture of Gaussians."""

from __future__ import annotations

import numpy as np


def modes_covered(
    points: np.ndarray, modes: np.ndarray, stddev: float
) -> dict[str, float]:
    """Compare generated points with the mixture of Gaussians of the training set.

    Source: Srivastava et al. 2017, "VEEGAN" (arXiv 1705.07761). A point is of high
    quality within three standard deviations of the nearest mode. A mode is covered if
    any point of high quality is nearest to it.

    Args:
        points: Generated points, float [num, 2].
        modes: Centers of the modes, float [num_modes, 2].
        stddev: Standard deviation of each mode in both directions.

    Returns:
        {"modes_covered": number of covered modes, 0 to num_modes, "high_quality": share
        of high-quality points, 0 to 1}. Points of the mixture itself have a share of
        1 - exp(-4.5) = 0.989.
    """
    distances = np.linalg.norm(points[:, None] - modes[None], axis=-1)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= 3 * stddev
    return {
        "modes_covered": float(len(np.unique(nearest[good]))),
        "high_quality": float(good.mean()),
    }

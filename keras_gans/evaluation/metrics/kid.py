"""Kernel inception distance: the squared maximum mean discrepancy of two feature sets.

Source: Binkowski et al. 2018 (arXiv 1801.01401): the polynomial kernel
k(x, y) = (x . y / d + 1)^3 and the unbiased estimator, averaged over subsets. The paper
uses Inception features. Values of other features cannot be compared with published
values.
"""

from __future__ import annotations

import numpy as np


def kid(
    real: np.ndarray,
    fake: np.ndarray,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute the kernel inception distance of two sets of features.

    Args:
        real: Features of the reference, float [num_real, dim].
        fake: Features to evaluate, float [num_fake, dim].
        subsets: Number of pairs of subsets to draw.
        subset_size: Number of rows in each subset, at most the rows of the smaller set.
        seed: Seed of the subsets.

    Returns:
        (mean, standard deviation) over the subsets. For equal distributions the
        distance is 0 on average, so a single value may be negative.

    Raises:
        ValueError: If a subset has fewer than 2 rows.
    """
    size = min(subset_size, len(real), len(fake))
    rng = np.random.default_rng(seed)
    values = [
        mmd2(
            real[rng.choice(len(real), size, replace=False)],
            fake[rng.choice(len(fake), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(values)), float(np.std(values))


def standard_error(spread: float, subset_size: int, num: int) -> float:
    """Estimate the standard error of the mean of `kid`, over fresh draws of images.

    The subsets share images. Dividing the standard deviation by the root of the number
    of subsets would therefore give too small an error. This estimate is the delete-d
    jackknife (Shao and Wu 1989). It is right for different distributions, and too large
    for nearly equal distributions.

    Args:
        spread: Standard deviation over the subsets.
        subset_size: Number of rows in each subset.
        num: Number of rows of the smaller set, more than `subset_size`.

    Returns:
        Standard error.
    """
    return spread * (subset_size / (num - subset_size)) ** 0.5


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Compute the unbiased squared MMD with the polynomial kernel.

    Args:
        x: Features, float [m, dim], with m at least 2.
        y: Features, float [n, dim], with n at least 2.

    Returns:
        Estimate of the squared MMD, which may be negative.

    Raises:
        ValueError: If `x` or `y` has fewer than 2 rows.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"expected at least 2 rows each, got {len(x)} and {len(y)}")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)

    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a):  # unbiased: without the diagonal
        k = kernel(a, a)
        return (k.sum() - np.trace(k)) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())

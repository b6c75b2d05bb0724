"""Frechet distance of two Gaussians fitted to two sets of features.

Sources: Heusel et al. 2017 (arXiv 1706.08500); for Gaussians, Dowson and Landau 1982:
|mean_a - mean_b|^2 + trace(a + b - 2 (a b)^(1/2)). Biased: of equal laws it is above 0,
the more the fewer the samples are against the features.
"""

from __future__ import annotations

import numpy as np

ROWS = 4096  # rows turned into float64 at once


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits a Gaussian.

    Args:
        features: float [num, dim], at least two rows.

    Returns:
        (mean float64 [dim], covariance float64 [dim, dim], over num - 1).

    Raises:
        ValueError: for fewer rows.
    """
    num = len(features)
    if num < 2:
        raise ValueError(f"expected at least 2 rows, got {num}")
    mean = features.mean(axis=0, dtype=np.float64)
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, num, ROWS):
        part = features[start : start + ROWS] - mean
        products += part.T @ part
    return mean, products / (num - 1)


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Measures two sets of features by the Gaussians fitted to them.

    Args:
        real: float [num_real, dim].
        fake: float [num_fake, dim].

    Returns:
        The squared distance, at least 0.
    """
    return gaussian_distance(*moments(real), *moments(fake))


def gaussian_distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """The squared Frechet distance of two Gaussians.

    Args:
        mean_a: float [dim].
        cov_a: float [dim, dim], symmetric, of any rank.
        mean_b: float [dim].
        cov_b: float [dim, dim].

    Returns:
        The squared distance, at least 0.
    """
    # a b has the eigenvalues of the symmetric a^(1/2) b a^(1/2), which, unlike a b, has
    # a stable root also when there are fewer samples than features.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ cov_b @ root)
    overlap = np.sqrt(np.maximum(shared, 0)).sum()
    apart = mean_a - mean_b
    distance = apart @ apart + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap
    return max(float(distance), 0.0)

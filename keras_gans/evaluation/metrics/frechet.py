"""Frechet distance of two Gaussians fitted to two sets of features.

Sources: Heusel et al. 2017 (arXiv 1706.08500); for Gaussians, Dowson and Landau 1982:
|mean_a - mean_b|^2 + trace(a + b - 2 (a b)^(1/2)). The estimate is biased: for equal
distributions it is above 0. The bias grows with the ratio of features to samples.
"""

from __future__ import annotations

import numpy as np

ROWS = 4096  # rows that are converted to float64 at once


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a Gaussian to features.

    Args:
        features: Features, float [num, dim], with num at least 2.

    Returns:
        (mean float64 [dim], covariance float64 [dim, dim]); the covariance is divided
        by num - 1.

    Raises:
        ValueError: If `features` has fewer than 2 rows.
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
    """Compute the squared Frechet distance of the Gaussians fitted to two sets.

    Args:
        real: Features of the reference, float [num_real, dim].
        fake: Features to evaluate, float [num_fake, dim].

    Returns:
        Squared distance, at least 0.

    Raises:
        ValueError: If a set has fewer than 2 rows.
    """
    return gaussian_distance(*moments(real), *moments(fake))


def gaussian_distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Compute the squared Frechet distance of two Gaussians.

    Args:
        mean_a: Mean of the first Gaussian, float [dim].
        cov_a: Covariance of the first Gaussian, float [dim, dim], symmetric, of any
            rank.
        mean_b: Mean of the second Gaussian, float [dim].
        cov_b: Covariance of the second Gaussian, like `cov_a`.

    Returns:
        Squared distance, at least 0.
    """
    # a b has the eigenvalues of the symmetric a^(1/2) b a^(1/2). Unlike a b, the
    # symmetric product has a stable root even with fewer samples than features.
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ cov_b @ root)
    overlap = np.sqrt(np.maximum(shared, 0)).sum()
    apart = mean_a - mean_b
    distance = apart @ apart + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap
    return max(float(distance), 0.0)

"""Precision, recall, density and coverage: k-nearest-neighbor metrics of two sets.

Sources: precision and recall, Kynkaanniemi et al. 2019 (arXiv 1904.06991); density and
coverage, Naeem et al. 2020 (arXiv 2002.09797). The radius of a point's ball is the
distance to the point's k-th nearest neighbor in its own set, without the point itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_gans.evaluation.metrics.neighbours import CELLS


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    """Measure how well two sets of features cover each other.

    Args:
        real: Features of the reference, float [num_real, dim].
        fake: Features to evaluate, float [num_fake, dim].
        k: Index of the neighbor at a ball's radius, counted from 1. It must be less
            than the number of points of either set.

    Returns:
        precision: Share of fake points in (<=) the ball of any real point.
        recall: Share of real points in (<=) the ball of any fake point.
        density: Number of pairs of a fake point inside (<) a real point's ball, over
            k * num_fake.
        coverage: Share of real points with any fake point inside (<) their ball. Equal
            distributions give 1 - (num_real / (num_real + num_fake))^k: 0.969 for k = 5
            and sets of equal size.

    Raises:
        ValueError: If a set has no more than k points.
    """
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    precise = np.zeros(len(fake), bool)
    recalled, covered, hits = 0, 0, 0
    for rows, distances in _distances(real, fake):
        inside = distances < real_radii[rows, None]
        hits += int(inside.sum())
        covered += int(inside.any(axis=1).sum())
        precise |= (distances <= real_radii[rows, None]).any(axis=0)
        recalled += int((distances <= fake_radii).any(axis=1).sum())
    return {
        "precision": float(precise.mean()),
        "recall": recalled / len(real),
        "density": hits / (k * len(fake)),
        "coverage": covered / len(real),
    }


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """Return each point's squared distance to its k-th nearest neighbor: [num].

    Raises:
        ValueError: If there are no more than k points.
    """
    if len(points) <= k:
        raise ValueError(f"expected more than {k} points, got {len(points)}")
    # In a sorted row, the point itself comes first, at distance 0.
    found = np.empty(len(points))
    for rows, distances in _distances(points, points):
        found[rows] = np.partition(distances, k, axis=1)[:, k]
    return found


def _distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, squared distances [rows, len(b)]) of a against b, in float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squares = (b * b).sum(axis=1)
    rows = max(1, CELLS // len(b))
    for start in range(0, len(a), rows):
        part = a[start : start + rows]
        squared = (-2 * part) @ b.T
        squared += squares
        squared += (part * part).sum(axis=1)[:, None]
        yield slice(start, start + len(part)), np.maximum(squared, 0, out=squared)

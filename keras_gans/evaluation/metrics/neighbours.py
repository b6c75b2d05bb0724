"""Nearest neighbors, to detect a generator that copies its training set.

Source of authenticity: Alaa et al. 2022 (arXiv 2102.08921), section 3.2.
"""

from __future__ import annotations

import numpy as np

CELLS = 2**22  # cells of a distance matrix in memory at once: 32 MiB


def nearest(
    queries: np.ndarray, points: np.ndarray, skip: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest point of each query.

    Args:
        queries: Queries, float [num, dim].
        points: Points, float [num_points, dim].
        skip: Index of the point that each query ignores (the query itself), int [num].

    Returns:
        (distances float64 [num], indices of the nearest points int [num]).

    Raises:
        ValueError: If a query has no point left.
    """
    if len(points) < (1 if skip is None else 2):
        raise ValueError(f"expected at least one point per query, got {len(points)}")
    best = np.full(len(queries), np.inf)
    found = np.zeros(len(queries), int)
    columns = max(1, CELLS // max(1, points.shape[1]))
    for first in range(0, len(points), columns):
        part = np.asarray(points[first : first + columns], np.float64)
        squares = (part * part).sum(axis=1)
        rows = max(1, CELLS // len(part))
        for start in range(0, len(queries), rows):
            some = slice(start, start + rows)
            q = np.asarray(queries[some], np.float64)
            # The query's own square is left out; it does not change the order.
            distances = (-2 * q) @ part.T
            distances += squares
            if skip is not None:
                own = skip[some] - first
                inside = np.flatnonzero((own >= 0) & (own < len(part)))
                distances[inside, own[inside]] = np.inf
            at = distances.argmin(axis=1)
            # The exact difference gives a copy a distance of 0, not a rounding error.
            squared = ((q - part[at]) ** 2).sum(axis=1)
            squared[np.isinf(distances[np.arange(len(q)), at])] = np.inf
            closer = squared < best[some]
            best[some] = np.where(closer, squared, best[some])
            found[some] = np.where(closer, first + at, found[some])
    return np.sqrt(best), found


def copy_ratios(
    distances: np.ndarray, numbers: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """Divide samples' distances to the training set by the distances inside this set.

    Args:
        distances: Distance from each sample to its nearest training image, float [num].
        numbers: Index of this training image, int [num].
        train: Features of the training images, float [num_train, dim].

    Returns:
        Copy ratio of each sample, float [num]: its distance to its nearest training
        image, over the distance from this image to the nearest other training image.
        Above 1 the sample is authentic; a copy has 0.
    """
    wanted, back = np.unique(numbers, return_inverse=True)
    spaces, _ = nearest(train[wanted], train, skip=wanted)
    spaces = np.maximum(spaces[back], np.finfo(float).tiny)
    return np.where(distances == 0, 0.0, distances / spaces)


def authenticity(ratios: np.ndarray) -> float:
    """Compute the share of authentic samples: those with a copy ratio above 1.

    Copies have an authenticity of 0. Fresh images of the same distribution have about
    one half; the exact value depends on the features, with 1/3 for features on a line.
    Compare it therefore with the authenticity of held-out images. Images unlike
    anything in the training set have an authenticity near 1.

    Args:
        ratios: Copy ratios of `copy_ratios`, float [num].

    Returns:
        Share, 0 to 1.
    """
    return float((ratios > 1).mean())

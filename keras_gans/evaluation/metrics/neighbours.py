"""Nearest neighbours, and what they say of a generator that copies its training set.

Source of authenticity: Alaa et al. 2022 (arXiv 2102.08921), section 3.2.
"""

from __future__ import annotations

import numpy as np

CELLS = 2**22  # of a distance matrix that are held at once: 32 MiB


def nearest(
    queries: np.ndarray, points: np.ndarray, skip: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Finds each query's nearest point.

    Args:
        queries: float [num, dim].
        points: float [num_points, dim].
        skip: int [num], the point that does not count for each query (itself).

    Returns:
        (distances float64 [num], numbers of the points int [num]).

    Raises:
        ValueError: if there is no point to find.
    """
    if len(points) < (1 if skip is None else 2):
        raise ValueError(f"expected more points to be near to, got {len(points)}")
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
            # Without the query's own square, which changes nothing about the order.
            distances = (-2 * q) @ part.T
            distances += squares
            if skip is not None:
                own = skip[some] - first
                inside = np.flatnonzero((own >= 0) & (own < len(part)))
                distances[inside, own[inside]] = np.inf
            at = distances.argmin(axis=1)
            # The difference itself: a copy is at distance 0, not at a rounding error.
            squared = ((q - part[at]) ** 2).sum(axis=1)
            squared[np.isinf(distances[np.arange(len(q)), at])] = np.inf
            closer = squared < best[some]
            best[some] = np.where(closer, squared, best[some])
            found[some] = np.where(closer, first + at, found[some])
    return np.sqrt(best), found


def copy_ratios(
    distances: np.ndarray, numbers: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """How far samples lie from their nearest training picture, on its own scale.

    Args:
        distances: float [num], from each sample to its nearest training picture.
        numbers: int [num], which one that is.
        train: float [num_train, dim], features of the training pictures.

    Returns:
        float [num]: the distance over that from this training picture to its own
        nearest other one. Above 1 the sample is authentic; a copy has 0.
    """
    wanted, back = np.unique(numbers, return_inverse=True)
    spaces, _ = nearest(train[wanted], train, skip=wanted)
    spaces = np.maximum(spaces[back], np.finfo(float).tiny)
    return np.where(distances == 0, 0.0, distances / spaces)


def authenticity(ratios: np.ndarray) -> float:
    """The share of samples that are authentic, by their `copy_ratios`.

    0 for copies, and about one half for fresh pictures of the same law: 1/3 where the
    features lie on a line, 0.6 for the test pictures of MNIST by a classifier's 128,
    where few points are the nearest of many. So compare with that of held-out pictures.
    Near 1 for pictures that are like nothing in the training set.
    """
    return float((ratios > 1).mean())

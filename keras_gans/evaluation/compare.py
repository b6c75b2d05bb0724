"""Comparison of two sets of features."""

from __future__ import annotations

import numpy as np

from keras_gans.evaluation.metrics import neighbours
from keras_gans.evaluation.metrics.frechet import frechet_distance
from keras_gans.evaluation.metrics.kid import kid, standard_error
from keras_gans.evaluation.metrics.prdc import prdc

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID


PRDC_NUM, PRDC_K = 10_000, 5  # at most this many of each; their time is quadratic


SUSPICIOUS = 10  # pairs that are shown


def compare(real: np.ndarray, fake: np.ndarray) -> dict[str, float | dict]:
    """Measures two sets of features against each other.

    Args:
        real: float32 [num_real, dim], the reference.
        fake: float32 [num_fake, dim].

    Returns:
        kid, frechet_distance, precision, recall, density, coverage. The last four are
        of equal numbers, PRDC_NUM at most, drawn with seeds 0 and 1.
    """
    # Subsets of all there are would all be alike, and show no spread.
    fewest = min(len(real), len(fake))
    size = min(SUBSET_SIZE, fewest // 2)
    mean, deviation = kid(real, fake, SUBSETS, size)
    num = min(PRDC_NUM, fewest)
    drawn = [
        features[np.random.default_rng(seed).permutation(len(features))[:num]]
        for seed, features in enumerate((real, fake))
    ]
    return {
        "kid": {
            "mean": mean,
            "standard_error": standard_error(deviation, size, fewest),
            "standard_deviation": deviation,
            "subset_size": size,
        },
        "frechet_distance": frechet_distance(real, fake),
        **prdc(*drawn, k=PRDC_K),
    }


def memorisation(
    samples: np.ndarray, train: np.ndarray, held_out: np.ndarray | None
) -> tuple[dict, dict, list[tuple[int, int]]]:
    """Asks whether samples are copies of training pictures.

    Args:
        samples: float32 [num, dim].
        train: float32 [num_train, dim].
        held_out: float32 [num_held_out, dim], of real pictures that are not in `train`;
            None if there are none.

    Returns:
        (of the samples, of the held-out pictures, the most suspicious pairs): each of
        the first two has `authenticity` and `nearest_distance` (the median); the
        samples also have `suspicious`, the share that lies as near to a training
        picture, on its own scale, as the nearest 1 % of held-out pictures. Pairs are
        (number of the sample, number of the training picture), the nearest first.
    """
    numbers, ratios, found = None, [], []
    for features in (samples, held_out):
        if features is None:
            found.append({})
            continue
        distances, nearest = neighbours.nearest(features, train)
        ratios.append(neighbours.copy_ratios(distances, nearest, train))
        numbers = nearest if numbers is None else numbers
        found.append(
            {
                "authenticity": neighbours.authenticity(ratios[-1]),
                "nearest_distance": float(np.median(distances)),
            }
        )
    if held_out is not None:
        limit = np.quantile(ratios[1], 0.01)
        found[0]["suspicious"] = float((ratios[0] <= limit).mean())
        found[1]["suspicious"] = float((ratios[1] <= limit).mean())
    order = np.argsort(ratios[0], kind="stable")[:SUSPICIOUS]
    return *found, [(int(i), int(numbers[i])) for i in order]

"""Comparison of two sets of features."""

from __future__ import annotations

import numpy as np

from keras_gans.evaluation.metrics import neighbours
from keras_gans.evaluation.metrics.frechet import frechet_distance
from keras_gans.evaluation.metrics.kid import kid, standard_error
from keras_gans.evaluation.metrics.prdc import prdc

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID


PRDC_NUM, PRDC_K = 10_000, 5  # most rows of each set, as the time is quadratic; k


SUSPICIOUS = 10  # pairs of a sample and a training image to show


def compare(real: np.ndarray, fake: np.ndarray) -> dict[str, float | dict]:
    """Compare two sets of features.

    Args:
        real: Features of the reference, float32 [num_real, dim].
        fake: Features to evaluate, float32 [num_fake, dim].

    Returns:
        {"kid": {"mean", "standard_error", "standard_deviation", "subset_size"},
        "frechet_distance", "precision", "recall", "density", "coverage"}. The last
        four compare equal numbers of rows, PRDC_NUM at most. The rows of `real` are
        drawn with seed 0, those of `fake` with seed 1.
    """
    # Subsets as large as their set would all be equal and show no spread.
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
    """Measure how many samples are copies of training images.

    Args:
        samples: Features of the samples, float32 [num, dim].
        train: Features of the training images, float32 [num_train, dim].
        held_out: Features of real images that are not in `train`, float32
            [num_held_out, dim]; None if there are no such images.

    Returns:
        (metrics of the samples, metrics of the held-out images, pairs). Metrics are
        {"authenticity", "nearest_distance", "suspicious"}: the distance is the median
        over images. "suspicious" is the share of images whose copy ratio is at most
        that of the nearest 1 % of held-out images. Without held-out images their
        metrics are {} and "suspicious" is missing. Pairs are (index of a sample, index
        of its nearest training image), in ascending order of the copy ratio.
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

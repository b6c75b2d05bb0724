"""Comparison of two sets of features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_gans.evaluation.metrics import neighbours
from keras_gans.evaluation.metrics.frechet import frechet_distance
from keras_gans.evaluation.metrics.kid import kid, standard_error
from keras_gans.evaluation.metrics.prdc import prdc

if TYPE_CHECKING:
    from keras_gans.evaluation.collect import StreamStats

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
    num = min(PRDC_NUM, len(real), len(fake))
    drawn = [
        features[np.random.default_rng(seed).permutation(len(features))[:num]]
        for seed, features in enumerate((real, fake))
    ]
    return {
        "kid": measure_kid(real, fake),
        "frechet_distance": frechet_distance(real, fake),
        **prdc(*drawn, k=PRDC_K),
    }


def measure_kid(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Compute KID with its spread.

    Args:
        real: Features of the reference, float32 [num_real, dim].
        fake: Features to evaluate, float32 [num_fake, dim].

    Returns:
        {"mean", "standard_error", "standard_deviation", "subset_size"}.
    """
    # Subsets as large as their set would all be equal and show no spread.
    fewest = min(len(real), len(fake))
    size = min(SUBSET_SIZE, fewest // 2)
    mean, deviation = kid(real, fake, SUBSETS, size)
    return {
        "mean": mean,
        "standard_error": standard_error(deviation, size, fewest),
        "standard_deviation": deviation,
        "subset_size": size,
    }


def memorisation(
    samples: StreamStats, train: np.ndarray, held_out: StreamStats | None
) -> tuple[dict, dict, list[tuple[int, int]]]:
    """Measure how many samples are copies of training images.

    Args:
        samples: Statistics of the samples; `features`, `changed` and
            `changed_rows` are read.
        train: Features of the training images, float32 [num_train, dim].
        held_out: Statistics of real images that are not in `train`; None if there are
            no such images.

    Returns:
        (metrics of the samples, metrics of the held-out images, pairs). Metrics are
        {"authenticity", "nearest_distance", "suspicious"}: the distance is the median
        over images. "suspicious" is the share of images whose copy ratio is at most
        that of the nearest 1 % of held-out images. "suspicious_if_changed" is the same
        for the images of `changed`, with the lowest copy ratio of an image's forms.
        Without held-out images their metrics are {}, and both shares are missing. Pairs
        are (index of a sample, index of its nearest training image), in ascending order
        of the copy ratio, which is the lowest of all forms of a sample.
    """
    metrics, ratios, numbers = _compare_with(train, samples)
    others: dict[str, float] = {}
    if held_out is not None:
        others, limits, _ = _compare_with(train, held_out)
        for key in ratios.keys() & limits.keys():
            limit = np.quantile(limits[key], 0.01)
            metrics[key] = float((ratios[key] <= limit).mean())
            others[key] = float((limits[key] <= limit).mean())
    lowest = ratios["suspicious"].copy()
    if "suspicious_if_changed" in ratios:
        np.minimum.at(lowest, samples.changed_rows, ratios["suspicious_if_changed"])
    order = np.argsort(lowest, kind="stable")[:SUSPICIOUS]
    return metrics, others, [(int(i), int(numbers[i])) for i in order]


def _compare_with(
    train: np.ndarray, stats: StreamStats
) -> tuple[dict[str, float], dict[str, np.ndarray], np.ndarray]:
    """Return metrics, copy ratios by share, and the nearest training images."""
    distances, numbers = neighbours.nearest(stats.features, train)
    ratios = {"suspicious": neighbours.copy_ratios(distances, numbers, train)}
    metrics = {
        "authenticity": neighbours.authenticity(ratios["suspicious"]),
        "nearest_distance": float(np.median(distances)),
    }
    if len(stats.changed):
        num, forms, dim = stats.changed.shape
        apart, found = neighbours.nearest(stats.changed.reshape(-1, dim), train)
        each = neighbours.copy_ratios(apart, found, train).reshape(num, forms)
        best, rows, every = each.argmin(axis=1), stats.changed_rows, np.arange(num)
        ratios["suspicious_if_changed"] = each[every, best]
        closer = each[every, best] < ratios["suspicious"][rows]
        numbers[rows[closer]] = found.reshape(num, forms)[every, best][closer]
    return metrics, ratios, numbers

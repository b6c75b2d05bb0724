"""Inception score with the class probabilities of any network.

Source: Salimans et al. 2016 (arXiv 1606.03498). The score is exp of the mean
Kullback-Leibler divergence of p(class | image) from p(class). Its range is from 1 to
the number of classes. The score uses no real images: one perfect image of each class
has the best score.
"""

from __future__ import annotations

import numpy as np


class ClassScore:
    """Running class score of images that arrive in chunks.

    Args:
        num: Expected number of images, at least `splits`.
        splits: Number of parts that are scored separately, for the standard deviation.
            Images are assigned to parts at random, because they often arrive class by
            class.
    """

    def __init__(self, num: int, splits: int = 10):
        order = np.random.default_rng(0).permutation(num)
        self._parts, self._splits, self._seen = order * splits // num, splits, 0
        self._counts = np.zeros(splits)
        self._negentropy = np.zeros(splits)  # sum of p log p
        self._sums: np.ndarray | None = None

    def add(self, probabilities: np.ndarray) -> None:
        """Add the class probabilities of the next images, float [some, classes]."""
        p = np.asarray(probabilities, np.float64)
        if self._sums is None:
            self._sums = np.zeros((self._splits, p.shape[1]))
        split = self._parts[self._seen : self._seen + len(p)]
        self._seen += len(p)
        np.add.at(self._counts, split, 1)
        np.add.at(self._sums, split, p)
        np.add.at(self._negentropy, split, (p * _log(p)).sum(axis=1))

    def result(self) -> tuple[float, float]:
        """Return the mean and the standard deviation of the scores over the splits."""
        if self._sums is None:
            raise ValueError("expected at least one image, got none")
        some = self._counts > 0  # fewer images may have arrived than `num`
        marginal = self._sums[some] / self._counts[some, None]
        divergence = self._negentropy[some] / self._counts[some]
        divergence -= (marginal * _log(marginal)).sum(axis=1)
        scores = np.exp(divergence)
        return float(scores.mean()), float(scores.std())


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, 1e-300))  # 0 log 0 = 0

"""The Inception score, of whatever network gives the class probabilities.

Source: Salimans et al. 2016 (arXiv 1606.03498): exp of the mean Kullback-Leibler
divergence of p(class | picture) from p(class). 1 at least, the number of classes at
most. It knows no real pictures: one perfect picture of each class has the best score.
"""

from __future__ import annotations

import numpy as np


class ClassScore:
    """Adds up pictures as they come.

    Args:
        num: How many will come; at least `splits`.
        splits: Parts that are scored on their own, for the standard deviation; drawn
            at random, as pictures often come class by class.
    """

    def __init__(self, num: int, splits: int = 10):
        """Has seen none yet."""
        order = np.random.default_rng(0).permutation(num)
        self._parts, self._splits, self._seen = order * splits // num, splits, 0
        self._counts = np.zeros(splits)
        self._negentropy = np.zeros(splits)  # sum of p log p
        self._sums: np.ndarray | None = None

    def add(self, probabilities: np.ndarray) -> None:
        """Takes the next pictures' class probabilities, float [some, classes]."""
        p = np.asarray(probabilities, np.float64)
        if self._sums is None:
            self._sums = np.zeros((self._splits, p.shape[1]))
        split = self._parts[self._seen : self._seen + len(p)]
        self._seen += len(p)
        np.add.at(self._counts, split, 1)
        np.add.at(self._sums, split, p)
        np.add.at(self._negentropy, split, (p * _log(p)).sum(axis=1))

    def result(self) -> tuple[float, float]:
        """(mean, standard deviation) of the parts' scores."""
        if self._sums is None:
            raise ValueError("expected at least one image, got none")
        some = self._counts > 0  # fewer may have come than were announced
        marginal = self._sums[some] / self._counts[some, None]
        divergence = self._negentropy[some] / self._counts[some]
        divergence -= (marginal * _log(marginal)).sum(axis=1)
        scores = np.exp(divergence)
        return float(scores.mean()), float(scores.std())


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, 1e-300))  # 0 log 0 = 0

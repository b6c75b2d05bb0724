"""Matching of learned codes and classes."""

from __future__ import annotations

import numpy as np


def best_matching(counts: np.ndarray) -> np.ndarray:
    """Assign a class to each label, one to one, so that most samples agree.

    Labels that a model learned without supervision, such as the codes of InfoGAN, have
    no fixed class.

    Args:
        counts: Number of samples of each label (row) that are classified as each class
            (column), int [num, num]. The time doubles with each additional class, so
            `num` should be 16 at most.

    Returns:
        Class of each label, int [num].

    Example:
        >>> best_matching(np.array([[5, 9, 0], [0, 8, 0], [0, 0, 1]])).tolist()
        [0, 1, 2]
    """
    num = len(counts)
    # Best assignment of the first labels, for each set of used classes (a bit mask).
    best = {0: (0, ())}
    for label in range(num):
        longer = {}
        for used, (total, chosen) in best.items():
            for name in range(num):
                if not used >> name & 1:
                    value = total + int(counts[label, name]), (*chosen, name)
                    key = used | 1 << name
                    longer[key] = max(longer.get(key, (-1, ())), value)
        best = longer
    [(_, chosen)] = best.values()
    return np.array(chosen)

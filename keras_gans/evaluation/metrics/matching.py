"""Labels asked for against classes seen."""

from __future__ import annotations

import numpy as np


def best_matching(counts: np.ndarray) -> np.ndarray:
    """Finds which class each label means, one to one, so that most agree.

    For labels that a model found on its own, as infogan's codes.

    Args:
        counts: int [num, num]: how often label (row) was seen as class (column); the
            time doubles with each more of them, so 16 at most.

    Returns:
        int [num]: the class of each label.

    Example:
        >>> best_matching(np.array([[5, 9, 0], [0, 8, 0], [0, 0, 1]])).tolist()
        [0, 1, 2]
    """
    num = len(counts)
    # The best for the first labels with each set of classes, label by label.
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

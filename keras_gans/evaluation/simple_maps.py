"""Simple maps of condition images, as baselines of a translation.

A map has one number, which is fitted to pairs of images by L1. A translation that does
not beat the fitted maps has learned little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keras_gans.data import conditions

SCALES = np.round(np.arange(0.5, 1.5001, 0.05), 2)
EXPONENTS = np.round(2.0 ** np.arange(-5.0, 5.01, 0.25), 3)


def scale(pictures: np.ndarray, factor: float) -> np.ndarray:
    """Resize the content of images about their center; their size stays.

    Args:
        pictures: float32 [num, height, width, channels].
        factor: Factor; below 1, the pixels of the edge are repeated around the content.

    Returns:
        float32, of the shape of `pictures`.
    """
    height, width = pictures.shape[1:3]
    rows, columns = (max(1, round(factor * side)) for side in (height, width))
    resized = conditions.resize(pictures, rows, columns)
    top, left = ((abs(a - b) // 2) for a, b in ((rows, height), (columns, width)))
    resized = resized[:, top : top + height] if rows > height else resized
    resized = resized[:, :, left : left + width] if columns > width else resized
    below, right = height - resized.shape[1], width - resized.shape[2]
    sides = ((below // 2, below - below // 2), (right // 2, right - right // 2))
    return np.pad(resized, ((0, 0), *sides, (0, 0)), "edge")


def tone(pictures: np.ndarray, exponent: float) -> np.ndarray:
    """Raise the brightness of each pixel, in [0, 1], to a power.

    Args:
        pictures: float32 [num, height, width, channels] in [-1, 1].
        exponent: Exponent; below 1, images become brighter.

    Returns:
        float32 in [-1, 1], of the shape of `pictures`.
    """
    return 2.0 * ((np.clip(pictures, -1.0, 1.0) + 1.0) / 2.0) ** exponent - 1.0


def fit(
    change: Callable[[np.ndarray, float], np.ndarray],
    numbers: Sequence[float],
    pictures: np.ndarray,
    real: np.ndarray,
) -> float:
    """Choose the number of a map with the lowest L1 to the true images.

    Args:
        change: Map, `scale` or `tone`.
        numbers: Numbers to choose from.
        pictures: Condition images, float32 [num, height, width, channels] in [-1, 1].
        real: True images, of the same shape.
    """
    apart = [np.abs(change(pictures, n) - real).mean() for n in numbers]
    return float(numbers[int(np.argmin(apart))])


def as_channels(pictures: np.ndarray, channels: int) -> np.ndarray:
    """Return images with a number of channels, 1 or 3; RGB becomes its luminance.

    Args:
        pictures: float32 [num, height, width, 1 or 3].
        channels: Number of channels of the result.
    """
    if pictures.shape[-1] > channels:
        return (pictures @ conditions.LUMINANCE)[..., None]
    return np.broadcast_to(pictures, (*pictures.shape[:-1], channels))

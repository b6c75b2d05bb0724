"""Resampling of feature maps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import engine

Tensor = Any


def quarter(x: Tensor, corner: Tensor) -> Tensor:
    """Cuts one of the four quarters out of each map or picture.

    Args:
        x: float [batch, height, width, channels]; height and width are even.
        corner: float [batch, 2], 0 or 1: whether the lower, and whether the right half.

    Returns:
        float [batch, height / 2, width / 2, channels].
    """
    _, height, width, _ = x.shape
    lower, right = (corner[:, i, None, None, None] > 0.5 for i in (0, 1))
    x = ops.where(lower, x[:, height // 2 :], x[:, : height // 2])
    return ops.where(right, x[:, :, width // 2 :], x[:, :, : width // 2])


def blur(x: Tensor, padding: int = 1, strides: int = 1, gain: float = 1.0) -> Tensor:
    """Filters every channel with [1, 3, 3, 1] / 8 on both axes; with stride 2, halves.

    Args:
        x: float [batch, height, width, channels].
        padding: Zeros on each side: 1 makes height and width less by 1, 2 more by 1.
        strides: Of the filter.
        gain: The result's factor: 4 after zeros have come between the pixels.

    Returns:
        float [batch, (height + 2 padding - 3) / strides, ..., channels], rounded up.
    """
    line = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
    kernel = gain * np.outer(line, line)[..., None, None]
    dtype = keras.backend.standardize_dtype(x.dtype)
    kernel = np.tile(kernel, (1, 1, x.shape[-1], 1)).astype(dtype)
    around = (padding, padding)
    x = ops.pad(x, ((0, 0), around, around, (0, 0)))
    return engine.depthwise_conv(x, kernel, strides)

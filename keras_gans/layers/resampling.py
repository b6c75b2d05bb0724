"""Resampling of feature maps."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import engine

Tensor = Any


def quarter(x: Tensor, corner: Tensor) -> Tensor:
    """Crop one of the four quarters of each map or image.

    Args:
        x: Maps or images, float [batch, height, width, channels]; height and width are
            even.
        corner: Quarter to crop, float [batch, 2]: 0 for the upper and 1 for the lower
            half, then 0 for the left and 1 for the right half.

    Returns:
        float [batch, height / 2, width / 2, channels].
    """
    _, height, width, _ = x.shape
    lower, right = (corner[:, i, None, None, None] > 0.5 for i in (0, 1))
    x = ops.where(lower, x[:, height // 2 :], x[:, : height // 2])
    return ops.where(right, x[:, :, width // 2 :], x[:, :, : width // 2])


def blur(x: Tensor, padding: int = 1, strides: int = 1, gain: float = 1.0) -> Tensor:
    """Filter each channel with [1, 3, 3, 1] / 8 along height and width.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        padding: Number of zeros on each side. With stride 1, 1 decreases height and
            width by 1, and 2 increases them by 1.
        strides: Stride of the filter; 2 to halve height and width.
        gain: Factor of the result; 4 after zeros were inserted between the pixels.

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

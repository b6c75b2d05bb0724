"""Normalization layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers, ops

Tensor = Any


# Keeps norms from 0. The papers' 1e-8 is 0 in a float16 export.
EPSILON = 1e-6


class ConditionalBatchNormalization(layers.Layer):
    """Batch normalization whose gain and bias are computed from a condition.

    y = (x - mean) / std * (1 + gain(c)) + bias(c), for the condition c.

    Source: Dumoulin et al. 2017 (arXiv 1610.07629); for labels, Miyato and Koyama 2018
    (arXiv 1802.05637); for vectors, Brock et al. 2019 (arXiv 1809.11096).

    Args:
        make_linear: Function of a number of channels that returns a layer from the
            condition to this number of channels: an embedding for labels, a dense layer
            for vectors.
    """

    def __init__(self, make_linear: Callable[[int], layers.Layer]):
        super().__init__()
        self._make_linear = make_linear

    def build(self, maps_shape: tuple, condition_shape: tuple) -> None:
        """Create the normalization and the two linear layers."""
        self.norm = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, center=False, scale=False
        )
        self.norm.build(maps_shape)
        self.gain, self.bias = (self._make_linear(maps_shape[-1]) for _ in range(2))
        self.gain.build(condition_shape)
        self.bias.build(condition_shape)

    def call(self, maps: Tensor, condition: Tensor, training: bool = False) -> Tensor:
        """Normalize the maps.

        Args:
            maps: Feature maps, float [batch, height, width, channels].
            condition: Labels, int32 [batch], or vectors, float [batch, n].
            training: Whether to use the batch's statistics instead of the moving
                averages.

        Returns:
            float [batch, height, width, channels].
        """
        gain = self.gain(condition)[:, None, None]
        bias = self.bias(condition)[:, None, None]
        return self.norm(maps, training=training) * (1.0 + gain) + bias


class PixelNorm(layers.Layer):
    """Scaling of each vector along the last axis to a mean square of 1.

    Source: Karras et al. 2018 (arXiv 1710.10196).
    """

    def call(self, x: Tensor) -> Tensor:
        """Return x / sqrt(mean(x^2) + 1e-6), with the mean over the last axis."""
        square = ops.mean(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True)
        return x * ops.cast(ops.rsqrt(square + EPSILON), x.dtype)


class InstanceNormalization(layers.Layer):
    """Normalization of each channel of each image to mean 0 and variance 1.

    The layer has no weights.

    Source: Ulyanov et al. 2016, "Instance Normalization" (arXiv 1607.08022).

    Args:
        epsilon: Constant that is added to the variance.
    """

    def __init__(self, epsilon: float = 1e-5):
        super().__init__()
        self._epsilon = epsilon

    def call(self, x: Tensor) -> Tensor:
        """Normalize float [batch, height, width, channels] over height and width."""
        maps = ops.cast(x, "float32")
        apart = maps - ops.mean(maps, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(apart), axis=(1, 2), keepdims=True)
        return ops.cast(apart * ops.rsqrt(variance + self._epsilon), x.dtype)


def normalize(x: Tensor, kind: str) -> Tensor:
    """Apply a normalization.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        kind: Kind of normalization: "batch", "instance" or "none".

    Returns:
        float, of the shape of `x`.
    """
    if kind == "batch":
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return InstanceNormalization()(x) if kind == "instance" else x

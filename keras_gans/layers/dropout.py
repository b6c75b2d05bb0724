"""Dropout with other masks on each device."""

from __future__ import annotations

from typing import Any

from keras import layers, ops, random

from keras_gans import engine

Tensor = Any


class Dropout(layers.Dropout):
    """Dropout whose masks do not depend on the number of devices.

    Every replica draws the masks of the global batch and takes its own rows. Keras's
    layer draws the same masks on every replica.

    Args:
        rate: Share of the values to drop, 0 to 1.
        **options: Options of `keras.layers.Layer`, and `seed`.
    """

    def __init__(self, rate: float, **options: Any):
        if options.pop("noise_shape", None) is not None:
            raise ValueError("noise_shape: expected None; single values are dropped")
        super().__init__(rate, **options)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Set a random part of the inputs to 0 in training, and scale up the rest.

        Args:
            inputs: float [batch, ...].
            training: Whether to drop anything.

        Returns:
            float, of the shape of `inputs`.
        """
        if not training or not self.rate or engine.whole(1) == 1:
            return super().call(inputs, training=training)
        size, *shape = ops.shape(inputs)

        def make_masks(num: int) -> Tensor:
            ones = ops.ones((num, *shape), inputs.dtype)
            return random.dropout(ones, self.rate, seed=self.seed_generator)

        return inputs * engine.replica_slice(make_masks, size)

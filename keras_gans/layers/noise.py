"""Noise as a layer."""

from __future__ import annotations

from typing import Any

from keras import initializers, layers, ops, random

from keras_gans import engine

Tensor = Any


class AddNoise(layers.Layer):
    """Adds one plane of noise to all channels, with a learned strength from 0.

    In training the noise is fresh; else it is the layer's own, always the same.
    """

    def build(self, x_shape: tuple, strength_shape: tuple | None = None) -> None:
        """Makes the strength and the layer's own noise."""
        self.gain = self.add_weight((), "zeros", name="gain")
        own, normal = (*x_shape[1:3], 1), initializers.RandomNormal(stddev=1.0)
        self.own = self.add_weight(own, normal, trainable=False, name="noise")
        self._seeds = random.SeedGenerator()

    def call(
        self, x: Tensor, strength: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Adds noise.

        Args:
            x: float [batch, height, width, channels].
            strength: float [batch], of each picture's noise: 1, or 0 to leave it out;
                1 if not given.
            training: Whether it is fresh.

        Returns:
            Of x's shape.
        """
        noise = self.own
        if training:
            draw = engine.drawing(self._seeds)
            noise = draw(x, *x.shape[1:3], 1, law=random.normal)
            noise = ops.cast(noise, x.dtype)
        if strength is None:
            return x + noise * self.gain
        return x + noise * (self.gain * strength)[:, None, None, None]

"""Layer that adds noise to feature maps."""

from __future__ import annotations

from typing import Any

from keras import initializers, layers, ops, random

from keras_gans import engine

Tensor = Any


class AddNoise(layers.Layer):
    """Addition of one plane of noise to all channels, times a learned strength.

    The strength starts at 0. In training, each call draws new noise. Otherwise, the
    noise is a fixed weight of the layer.
    """

    def build(self, x_shape: tuple, strength_shape: tuple | None = None) -> None:
        """Create the strength and the fixed noise."""
        self.gain = self.add_weight((), "zeros", name="gain")
        own, normal = (*x_shape[1:3], 1), initializers.RandomNormal(stddev=1.0)
        self.own = self.add_weight(own, normal, trainable=False, name="noise")
        self._seeds = random.SeedGenerator()

    def call(
        self, x: Tensor, strength: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Add noise.

        Args:
            x: Feature maps, float [batch, height, width, channels].
            strength: Additional factor of each image's noise, float [batch]: 0 for no
                noise; 1 by default.
            training: Whether to draw new noise.

        Returns:
            float, of the shape of `x`.
        """
        noise = self.own
        if training:
            draw = engine.drawing(self._seeds)
            noise = draw(x, *x.shape[1:3], 1, law=random.normal)
            noise = ops.cast(noise, x.dtype)
        if strength is None:
            return x + noise * self.gain
        return x + noise * (self.gain * strength)[:, None, None, None]

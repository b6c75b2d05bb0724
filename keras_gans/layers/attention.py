"""Self-attention over the positions of a feature map."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from keras_gans.layers.spectral import SNConv2D

Tensor = Any


class SelfAttention(layers.Layer):
    """Self-attention over all positions of a map: y = x + gamma o.

    o is the output of the attention; gamma is learned and starts at 0.

    Source: Zhang et al. 2019, "Self-Attention Generative Adversarial Networks" (arXiv
    1805.08318): 1x1 convolutions with spectral normalization, an eighth of the channels
    for queries and keys.

    Differences from the paper, as in the authors' code: values have half of the
    channels, not an eighth; keys and values are max-pooled.
    """

    def build(self, shape: tuple) -> None:
        """Create the four convolutions and gamma."""
        channels = shape[-1]
        eighth, half = max(1, channels // 8), max(1, channels // 2)
        self._pool = layers.MaxPooling2D(2)
        self._query, self._key, self._value, self._out = (
            SNConv2D(n, 1, use_bias=False) for n in (eighth, eighth, half, channels)
        )
        for convolution in (self._query, self._key, self._value):
            convolution.build(shape)
        self._out.build((*shape[:-1], half))
        self.gamma = self.add_weight((), "zeros", name="gamma")

    def call(self, maps: Tensor) -> Tensor:
        """Apply self-attention.

        Args:
            maps: Feature maps, float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels].
        """

        def flat(x):
            return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))

        queries = flat(self._query(maps))
        keys = flat(self._pool(self._key(maps)))
        values = flat(self._pool(self._value(maps)))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        seen = ops.matmul(ops.softmax(scores, axis=-1), values)
        seen = ops.reshape(seen, (-1, *maps.shape[1:3], values.shape[-1]))
        return maps + self.gamma * self._out(seen)

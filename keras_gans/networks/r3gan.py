"""Residual networks without normalisation, whose 3x3 convolutions are grouped.

Source: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN"
(arXiv 2501.05441), its configuration E: inverted bottlenecks in both networks, a
fix-up-like start (each block begins as the identity), leaky ReLUs, bilinear resampling.
Doubling repeats the border where the authors' filter sees zeros.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers, ops

from keras_gans.errors import UserError, check_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.convolution import GroupedConv2D
from keras_gans.layers.resampling import blur
from keras_gans.layers.sizes import map_widths
from keras_gans.networks.interface import generator_inputs, image_inputs

Tensor = Any


def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 64,
    embedding_dim: int = 64,
    width: int = 64,
    max_width: int = 768,
    group_size: int = 16,
    blocks: int = 2,
) -> keras.Model:
    """A learned small map, weighted by the latent, then blocks and doublings in turn.

    Args:
        image_shape: (height, width, channels); square, 4 to 7 times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent.
        embedding_dim: Length of a class's embedding, which is joined with the latent.
        width: Channels at full size; they double with each halving of size.
        max_width: As far as this.
        group_size: Channels in one group of a 3x3 convolution.
        blocks: Residual blocks at each size.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels], about [-1, 1] and not cut off there.

    Raises:
        UserError: for an image size that the layers cannot reach, or channels that
            the groups do not divide.
    """
    check_range(1, latent_dim=latent_dim, embedding_dim=embedding_dim)
    size, widths = _widths(image_shape, width, max_width, group_size, blocks)
    inputs = generator_inputs(latent_dim, num_classes)
    x = inputs["latents"]
    if num_classes:
        embedding = layers.Embedding(num_classes, embedding_dim, _normal(num_classes))
        x = layers.Concatenate()([x, embedding(inputs["labels"])])
    x = _linear(widths[0])(x)
    x = Basis(size)(x)
    for level, filters in enumerate(widths):
        if x.shape[-1] != filters:
            x = _conv(filters, 1)(x)
        if level:
            x = Double("bilinear")(x)
        for _ in range(blocks):
            x = block(x, group_size, blocks * len(widths))
    images = _conv(image_shape[-1], 1, dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 64,
    max_width: int = 768,
    group_size: int = 16,
    blocks: int = 2,
) -> keras.Model:
    """The generator's mirror: blocks and halvings in turn, then one logit.

    Args:
        image_shape: (height, width, channels); square, 4 to 7 times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Channels at full size; they double with each halving of size.
        max_width: As far as this.
        group_size: Channels in one group of a 3x3 convolution.
        blocks: Residual blocks at each size.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1]: with classes,
        the features' product with the class's embedding.

    Raises:
        UserError: for an image size that the layers cannot reach, or channels that
            the groups do not divide.
    """
    size, widths = _widths(image_shape, width, max_width, group_size, blocks)
    inputs, labels = image_inputs(image_shape, num_classes)
    x = _conv(widths[-1], 1)(inputs["images"])
    for level in reversed(range(len(widths))):
        for _ in range(blocks):
            x = block(x, group_size, blocks * len(widths))
        if level:
            x = blur(x, strides=2)
            if widths[level - 1] != widths[level]:
                x = _conv(widths[level - 1], 1)(x)
    x = layers.DepthwiseConv2D(
        size, use_bias=False, depthwise_initializer=_normal(size * size)
    )(x)
    x = layers.Flatten()(x)
    if not num_classes:
        logits = _linear(1, dtype="float32", name="logits")(x)
        return keras.Model(inputs, logits, name="discriminator")
    features = _linear(widths[0], dtype="float32")(x)
    rows = layers.Embedding(
        num_classes, widths[0], _normal(num_classes * widths[0]), dtype="float32"
    )(labels)
    logits = ops.sum(features * rows, axis=-1, keepdims=True)
    return keras.Model(inputs, logits, name="discriminator")


def block(x: Tensor, group_size: int, num_blocks: int) -> Tensor:
    """X + W3 a(W2 a(W1 x)), a(h) = lrelu(h + b); 1x1, grouped 3x3 and 1x1 kernels.

    Args:
        x: float [batch, height, width, channels].
        group_size: Channels in one group of the 3x3 convolution, of twice as many.
        num_blocks: Blocks of the whole network, which the start depends on.

    Returns:
        Of x's shape; W3 begins as 0, so that it begins as x.
    """
    channels = x.shape[-1]
    # sqrt(2 / (1 + 0.2^2)) keeps the size of the maps through a leaky ReLU; the rest is
    # fix-up's L^(-1 / (2 m - 2)) for m = 3 layers.
    gain = (2 / 1.04) ** 0.5 * num_blocks**-0.25
    groups = 2 * channels // group_size
    y = _conv(2 * channels, 1, gain, use_bias=True)(x)
    y = layers.LeakyReLU(0.2)(y)
    y = _conv(2 * channels, 3, gain, GroupedConv2D, use_bias=True, groups=groups)(y)
    y = layers.LeakyReLU(0.2)(y)
    return x + layers.Conv2D(channels, 1, use_bias=False, kernel_initializer="zeros")(y)


class Basis(layers.Layer):
    """A learned small map, each of whose channels a vector has weighted.

    Args:
        size: The map's side in pixels.
    """

    def __init__(self, size: int):
        """Makes nothing yet."""
        super().__init__()
        self._size = size

    def build(self, shape: tuple) -> None:
        """Makes the map."""
        self.basis = self.add_weight(
            (self._size, self._size, shape[-1]),
            initializers.RandomNormal(stddev=1.0),
            name="basis",
        )

    def call(self, weights: Tensor) -> Tensor:
        """Weights the map: [batch, channels] to [batch, size, size, channels]."""
        return weights[:, None, None] * self.basis


def _widths(image_shape, width, max_width, group_size, blocks):
    """Side of the smallest map, and the channels at each size, the smallest first."""
    check_range(1, group_size=group_size, blocks=blocks)
    size, widths = map_widths(image_shape, width, max_width)
    for channels in widths:
        if 2 * channels % group_size:
            raise UserError(
                f"group_size: expected a divisor of {2 * channels}, twice the channels "
                f"of a map, got {group_size}"
            )
    return size, widths


def _normal(fan_in: int, gain: float = 1.0) -> initializers.Initializer:
    return initializers.RandomNormal(stddev=gain / fan_in**0.5)


def _linear(units: int, **options: Any) -> layers.Dense:
    scaled = initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal")
    return layers.Dense(units, use_bias=False, kernel_initializer=scaled, **options)


def _conv(filters, size, gain=1.0, kind=layers.Conv2D, **options):
    # A grouped kernel is (height, width, in / groups, out): its fan-in is the group's.
    scaled = initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
    options = {"use_bias": False, "padding": "same", **options}
    return kind(filters, size, kernel_initializer=scaled, **options)

"""R3GAN: residual networks with grouped convolutions and without normalization.

Source: Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN"
(arXiv 2501.05441), configuration E. Both networks have inverted bottlenecks, leaky
ReLUs and bilinear resampling. The initialization is similar to Fixup: each block begins
as the identity. Difference from the authors' code: upsampling repeats the border pixels
where the authors' filter sees zeros.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers, ops

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.convolution import GroupedConv2D
from keras_gans.layers.resampling import blur
from keras_gans.layers.sizes import map_widths
from keras_gans.networks.interface import generator_inputs, image_inputs
from keras_gans.networks.saving import network

Tensor = Any


@network
@in_range(
    latent_dim=1,
    embedding_dim=1,
    width=1,
    max_width=1,
    group_size=1,
    blocks=(1, 65),
)
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
    """Build the generator: a learned small map, then residual blocks and doublings.

    A linear layer turns the latent into a factor for each channel of the small map.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent.
        embedding_dim: Length of a class's embedding, which is concatenated with the
            latent.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.
        group_size: Number of channels in a group of the 3x3 convolutions.
        blocks: Number of residual blocks at each size.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels], approximately in [-1, 1] and not clipped.

    Raises:
        UserError: If the layers cannot produce the image size, or if `group_size`
            does not divide twice the number of channels of a map.
    """
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


@network
@in_range(width=1, max_width=1, group_size=1, blocks=(1, 65))
def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 64,
    max_width: int = 768,
    group_size: int = 16,
    blocks: int = 2,
) -> keras.Model:
    """Build the discriminator: residual blocks and halvings, then one logit.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.
        group_size: Number of channels in a group of the 3x3 convolutions.
        blocks: Number of residual blocks at each size.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1]. With classes, a
        logit is the dot product of the features and the class's embedding.

    Raises:
        UserError: If the layers cannot produce the image size, or if `group_size`
            does not divide twice the number of channels of a map.
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
    """Apply a residual block: x + W3 a(W2 a(W1 x)), with a(h) = lrelu(h + b).

    W1, W2 and W3 are 1x1, grouped 3x3 and 1x1 convolutions. W3 is initialized with
    zeros, so that the block begins as the identity.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        group_size: Number of channels in a group of the 3x3 convolution, which has
            twice the channels of `x`.
        num_blocks: Number of blocks of the whole network, which sets the scale of the
            initial weights.

    Returns:
        float, of the shape of `x`.
    """
    channels = x.shape[-1]
    # sqrt(2 / (1 + 0.2^2)) keeps the variance of the maps through a leaky ReLU. The
    # other factor is Fixup's L^(-1 / (2 m - 2)) for m = 3 layers.
    gain = (2 / 1.04) ** 0.5 * num_blocks**-0.25
    groups = 2 * channels // group_size
    y = _conv(2 * channels, 1, gain, use_bias=True)(x)
    y = layers.LeakyReLU(0.2)(y)
    y = _conv(2 * channels, 3, gain, GroupedConv2D, use_bias=True, groups=groups)(y)
    y = layers.LeakyReLU(0.2)(y)
    return x + layers.Conv2D(channels, 1, use_bias=False, kernel_initializer="zeros")(y)


class Basis(layers.Layer):
    """Learned small map whose channels are scaled by the input vector.

    Args:
        size: Side of the map in pixels.
    """

    def __init__(self, size: int):
        super().__init__()
        self._size = size

    def build(self, shape: tuple) -> None:
        """Create the map."""
        self.basis = self.add_weight(
            (self._size, self._size, shape[-1]),
            initializers.RandomNormal(stddev=1.0),
            name="basis",
        )

    def call(self, weights: Tensor) -> Tensor:
        """Scale the map: [batch, channels] to [batch, size, size, channels]."""
        return weights[:, None, None] * self.basis


def _widths(image_shape, width, max_width, group_size, blocks):
    """Return the side of the smallest map, and the channels from this size upwards."""
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
    # A grouped kernel is (height, width, in / groups, out): fan-in is that of a group.
    scaled = initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
    options = {"use_bias": False, "padding": "same", **options}
    return kind(filters, size, kernel_initializer=scaled, **options)

"""Residual networks with spectral normalization and optional self-attention.

Source: Miyato et al. 2018 (arXiv 1802.05957) and Miyato and Koyama 2018 (arXiv
1802.05637). Self-attention and the generator's spectral normalization: Zhang et al.
2019 (arXiv 1805.08318). Difference from the first paper: the number of channels doubles
with each halving of the size, where the paper's networks for 32x32 images have 128 or
256 channels throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import initializers, layers, ops

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.attention import SelfAttention
from keras_gans.layers.normalization import ConditionalBatchNormalization
from keras_gans.layers.sizes import map_sizes
from keras_gans.layers.spectral import SNConv2D, SNDense
from keras_gans.networks.interface import (
    generator_inputs,
    image_inputs,
    projection_logits,
)
from keras_gans.networks.saving import network

Tensor = Any
Layers = Callable[..., Any]


@network
@in_range(latent_dim=1, width=1, attention=0)
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 128,
    width: int = 64,
    spectral_norm: bool = False,
    attention: int = 0,
) -> keras.Model:
    """Build the generator: a small map, doubled by residual blocks.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes, which condition the batch normalization; 0 for
            an unconditional generator.
        latent_dim: Length of one latent.
        width: Number of channels of the last block; it doubles with each halving of
            the size.
        spectral_norm: Whether to spectrally normalize convolutions and dense layers.
        attention: Side in pixels of the map to which self-attention is applied; 0 for
            none.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].

    Raises:
        UserError: If the layers cannot produce the image size or a map of the side
            `attention`.
    """
    size, doublings = map_sizes(image_shape)
    check_attention(attention, image_shape, doublings)
    dense, conv = kinds(spectral_norm)
    inputs = generator_inputs(latent_dim, num_classes)

    def normalize(x):
        if not num_classes:
            return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        return ConditionalBatchNormalization(
            lambda channels: layers.Embedding(num_classes, channels, "zeros")
        )(x, inputs["labels"])

    filters = width * 2**doublings
    x = dense(size * size * filters, kernel_initializer="glorot_uniform")(
        inputs["latents"]
    )
    x = layers.Reshape((size, size, filters))(x)
    for level in reversed(range(doublings)):
        x = up_block(x, width * 2**level, normalize, conv, wide())
        if x.shape[1] == attention:
            x = SelfAttention()(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = conv(image_shape[-1], 3, padding="same")(x)
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


@network
@in_range(width=1, attention=0)
def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 64,
    attention: int = 0,
    init: Literal["glorot", "orthogonal"] = "glorot",
) -> keras.Model:
    """Build the discriminator: spectrally normalized residual blocks, then one logit.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Number of channels of the first block; it doubles with each halving of
            the size.
        attention: Side in pixels of the map to which self-attention is applied; 0 for
            none.
        init: Initial 3x3 kernels: "glorot" for Glorot's uniform distribution with a
            gain of sqrt(2), "orthogonal" for orthogonal columns.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1].

    Raises:
        UserError: If the layers cannot produce the image size or a map of the side
            `attention`.
    """
    _, halvings = map_sizes(image_shape)
    check_attention(attention, image_shape, halvings)
    inputs, labels = image_inputs(image_shape, num_classes)
    x = inputs["images"]
    for level in range(halvings + 1):
        kernel = wide() if init == "glorot" else "orthogonal"
        x = down_block(x, width * 2**level, level == 0, level < halvings, kernel)
        if x.shape[1] == attention:
            x = SelfAttention()(x)
            attention = 0  # not again in the last block, of the same size
    x = layers.ReLU()(x)
    x = ops.sum(x, axis=(1, 2))
    logits = projection_logits(x, labels, num_classes, spectral_norm=True)
    return keras.Model(inputs, logits, name="discriminator")


def up_block(
    x: Tensor, filters: int, normalize: Layers, conv: Layers, initializer: Any
) -> Tensor:
    """Apply a residual block that doubles height and width.

    The main path is: normalize, ReLU, double, convolve, normalize, ReLU, convolve. The
    shortcut is a 1x1 convolution and a doubling.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        filters: Number of channels of the result.
        normalize: Function that normalizes feature maps.
        conv: Class of the convolutions.
        initializer: Initializer of the 3x3 kernels.

    Returns:
        float [batch, 2 * height, 2 * width, filters].
    """
    # No biases: the next normalization would cancel them.
    wide = {"padding": "same", "use_bias": False, "kernel_initializer": initializer}
    y = Double()(layers.ReLU()(normalize(x)))
    y = conv(filters, 3, **wide)(y)
    y = conv(filters, 3, **wide)(layers.ReLU()(normalize(y)))
    # A 1x1 convolution and doubling commute; this order is cheaper.
    return y + Double()(conv(filters, 1, use_bias=False)(x))


def down_block(
    x: Tensor, filters: int, first: bool, pool: bool, initializer: Any
) -> Tensor:
    """Apply a residual block that may halve height and width.

    The main path is: ReLU, convolve, ReLU, convolve, halve. The shortcut is a halving
    and a 1x1 convolution.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        filters: Number of channels of the result.
        first: Whether to leave out the first ReLU, because `x` is the image.
        pool: Whether to halve height and width, by average pooling.
        initializer: Initializer of the 3x3 kernels.

    Returns:
        float [batch, height / 2, width / 2, filters]; without `pool`, of the height and
        width of `x`.
    """
    halve = layers.AveragePooling2D(2) if pool else lambda y: y
    y = x if first else layers.ReLU()(x)
    y = SNConv2D(filters, 3, padding="same", kernel_initializer=initializer)(y)
    y = SNConv2D(filters, 3, padding="same", kernel_initializer=initializer)(
        layers.ReLU()(y)
    )
    y = halve(y)
    # A 1x1 convolution and averaging commute; this order is cheaper.
    shortcut = halve(x)
    if pool or shortcut.shape[-1] != filters:
        shortcut = SNConv2D(filters, 1)(shortcut)
    return y + shortcut


def kinds(spectral_norm: bool) -> tuple[Layers, Layers]:
    """Return the classes of the dense layers and of the convolutions."""
    return (SNDense, SNConv2D) if spectral_norm else (layers.Dense, layers.Conv2D)


def wide() -> keras.initializers.Initializer:
    """Return Glorot's uniform initializer with a gain of sqrt(2), for 3x3 kernels."""
    return initializers.VarianceScaling(2.0, "fan_avg", "uniform")


def check_attention(side: int, image_shape: tuple, doublings: int) -> None:
    """Check that a map has the side of the attention layer, and can be pooled.

    Args:
        side: Side of the map in pixels; 0 for no attention.
        image_shape: Shape (height, width, channels) of the images.
        doublings: Number of doublings from the smallest map to the image.

    Raises:
        UserError: If no map has this side, or if the side is odd.
    """
    sides = [image_shape[0] >> level for level in range(doublings)]
    sides = [s for s in sides if s % 2 == 0]
    if side and side not in sides:
        raise UserError(
            "[generator] and [discriminator] attention: expected 0 or the side of a "
            f"feature map ({', '.join(map(str, sides))}), got {side}"
        )

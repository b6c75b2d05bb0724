"""Residual networks with spectral normalisation, and attention if it is wanted.

Source: Miyato et al. 2018 (arXiv 1802.05957) and Miyato and Koyama 2018 (arXiv
1802.05637); attention and the normalisation of the generator, Zhang et al. 2019 (arXiv
1805.08318). The channels double with each halving of size, where the first paper's
networks for 32 pixels have 128 or 256 throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import initializers, layers, ops

from keras_gans.errors import UserError, check_range
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

Tensor = Any
Layers = Callable[..., Any]


def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 128,
    width: int = 64,
    spectral_norm: bool = False,
    attention: int = 0,
) -> keras.Model:
    """Latents to a small map, doubled by residual blocks.

    Args:
        image_shape: (height, width, channels); square, 4 to 7 times a power of two.
        num_classes: Number of classes, which the batch normalisation reads; 0 for an
            unconditional generator.
        latent_dim: Length of one latent.
        width: Channels of the last block; they double with each halving of size.
        spectral_norm: Whether every convolution is spectrally normalised.
        attention: Side in pixels of the map after which a self-attention layer stands;
            0 for none.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].

    Raises:
        UserError: for an image or attention size that the layers do not have.
    """
    check_range(1, latent_dim=latent_dim, width=width)
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


def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 64,
    attention: int = 0,
    init: Literal["glorot", "orthogonal"] = "glorot",
) -> keras.Model:
    """An image halved by residual blocks, then one logit; all spectrally normalised.

    Args:
        image_shape: (height, width, channels); square, 4 to 7 times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Channels of the first block; they double with each halving of size.
        attention: Side in pixels of the map after which a self-attention layer stands;
            0 for none.
        init: What the 3x3 kernels start from: Glorot's uniform law with a gain of
            sqrt(2), or orthogonal columns.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1].

    Raises:
        UserError: for an image or attention size that the layers do not have.
    """
    check_range(1, width=width)
    _, halvings = map_sizes(image_shape)
    check_attention(attention, image_shape, halvings)
    inputs, labels = image_inputs(image_shape, num_classes)
    x = inputs["images"]
    for level in range(halvings + 1):
        kernel = wide() if init == "glorot" else "orthogonal"
        x = down_block(x, width * 2**level, level == 0, level < halvings, kernel)
        if x.shape[1] == attention:
            x = SelfAttention()(x)
            attention = 0  # the last block has the same size: one is enough
    x = layers.ReLU()(x)
    x = ops.sum(x, axis=(1, 2))
    logits = projection_logits(x, labels, num_classes, spectral_norm=True)
    return keras.Model(inputs, logits, name="discriminator")


def up_block(
    x: Tensor, filters: int, normalize: Layers, conv: Layers, initializer: Any
) -> Tensor:
    """Normalise, ReLU, double, convolve, normalise, ReLU, convolve; and a shortcut.

    Args:
        x: float [batch, height, width, channels].
        filters: Channels of the result.
        normalize: From a tensor to the like.
        conv: The class of the convolutions.
        initializer: Of the 3x3 kernels.

    Returns:
        float [batch, 2 * height, 2 * width, filters].
    """
    # No biases: a normalisation follows, and would take them away.
    wide = {"padding": "same", "use_bias": False, "kernel_initializer": initializer}
    y = Double()(layers.ReLU()(normalize(x)))
    y = conv(filters, 3, **wide)(y)
    y = conv(filters, 3, **wide)(layers.ReLU()(normalize(y)))
    # A 1x1 convolution and doubling commute: the cheaper order.
    return y + Double()(conv(filters, 1, use_bias=False)(x))


def down_block(
    x: Tensor, filters: int, first: bool, pool: bool, initializer: Any
) -> Tensor:
    """ReLU, convolve, ReLU, convolve, halve; and a shortcut.

    Args:
        x: float [batch, height, width, channels].
        filters: Channels of the result.
        first: Whether it sees the picture: no ReLU before it.
        pool: Whether to halve the size, by averages.
        initializer: Of the 3x3 kernels.

    Returns:
        float [batch, height / 2, width / 2, filters], or of the same size.
    """
    halve = layers.AveragePooling2D(2) if pool else lambda y: y
    y = x if first else layers.ReLU()(x)
    y = SNConv2D(filters, 3, padding="same", kernel_initializer=initializer)(y)
    y = SNConv2D(filters, 3, padding="same", kernel_initializer=initializer)(
        layers.ReLU()(y)
    )
    y = halve(y)
    # A 1x1 convolution and averages commute: the cheaper order.
    shortcut = halve(x)
    if pool or shortcut.shape[-1] != filters:
        shortcut = SNConv2D(filters, 1)(shortcut)
    return y + shortcut


def kinds(spectral_norm: bool) -> tuple[Layers, Layers]:
    """The classes of dense layers and of convolutions."""
    return (SNDense, SNConv2D) if spectral_norm else (layers.Dense, layers.Conv2D)


def wide() -> keras.initializers.Initializer:
    """Glorot's uniform initializer with a gain of sqrt(2), for 3x3 kernels."""
    return initializers.VarianceScaling(2.0, "fan_avg", "uniform")


def check_attention(side: int, image_shape: tuple, doublings: int) -> None:
    """Checks that some map has this side, and that it can be pooled.

    Args:
        side: In pixels; 0 for no attention.
        image_shape: (height, width, channels) of the images.
        doublings: How often the smallest map doubles.

    Raises:
        UserError: if not.
    """
    sides = [image_shape[0] >> level for level in range(doublings)]
    sides = [s for s in sides if s % 2 == 0]
    if side and side not in sides:
        raise UserError(
            "[generator] and [discriminator] attention: expected the side of a map "
            f"({', '.join(map(str, sides))}) or 0, got {side}"
        )

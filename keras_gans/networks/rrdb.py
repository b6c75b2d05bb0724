"""Residual-in-residual dense blocks, which make a picture larger, and a PatchGAN.

Source: Wang et al. 2018, "ESRGAN" (arXiv 1809.00219), section 3.1: dense blocks of five
3x3 convolutions without normalisation, x + 0.2 out, three of them in a block whose sum
is x + 0.2 out again; then nearest neighbours and a convolution for each doubling. The
result is added to the condition, enlarged bilinearly: with that a short training beats
interpolation.
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, initializers, layers

from keras_gans.errors import UserError, check_range
from keras_gans.layers.any_size import Double
from keras_gans.networks.patchgan import discriminator

__all__ = ["discriminator", "generator"]

Tensor = Any
SCALING = 0.2  # beta, of what a block adds


def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    growth: int = 32,
    blocks: int = 23,
) -> Model:
    """A super-resolution network.

    Args:
        image_shape: (height, width, channels) of the pictures to make.
        condition_shape: Of the small ones; their sides go into those of the pictures a
            power of two of times. Sides may be others, in this ratio.
        width: Channels of the maps.
        growth: Channels that each convolution of a dense block adds.
        blocks: Residual-in-residual dense blocks.

    Returns:
        From {"condition"} to pictures, near [-1, 1].

    Raises:
        UserError: for another ratio.
    """
    check_range(1, width=width, growth=growth, blocks=blocks)
    scale = image_shape[0] // condition_shape[0]
    sides = tuple(scale * side for side in condition_shape[:2])
    if sides != image_shape[:2] or scale & (scale - 1):
        raise UserError(
            "networks.rrdb: expected condition images whose sides are a half, a "
            f"quarter, ... of the images' {image_shape[0]}x{image_shape[1]}, got "
            f"{condition_shape[0]}x{condition_shape[1]}; data.dataset=small4:..."
        )
    condition = Input((None, None, condition_shape[-1]), name="condition")
    first = x = layers.Conv2D(width, 3, padding="same")(condition)
    for _ in range(blocks):
        h = x
        for _ in range(3):
            h = _dense_block(h, growth)
        x = _add_scaled(x, h)
    x = first + layers.Conv2D(width, 3, padding="same")(x)
    for _ in range(scale.bit_length() - 1):
        x = layers.Conv2D(width, 3, padding="same")(Double()(x))
        x = layers.LeakyReLU(0.2)(x)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 3, padding="same")(x))
    x = layers.Conv2D(image_shape[-1], 3, padding="same", dtype="float32")(x)
    large = condition
    for _ in range(scale.bit_length() - 1):
        large = Double("bilinear", dtype="float32")(large)
    return Model({"condition": condition}, layers.Add(dtype="float32")([x, large]))


def _dense_block(x: Tensor, growth: int) -> Tensor:
    """Five convolutions, each of which sees the maps of all before it."""
    # A tenth of He's standard deviation (the paper's smaller initialisation).
    small = initializers.VarianceScaling(2.0 * 0.1**2)
    maps = [x]
    for _ in range(4):
        joined = layers.Concatenate()(maps) if len(maps) > 1 else x
        h = layers.Conv2D(growth, 3, padding="same", kernel_initializer=small)(joined)
        maps.append(layers.LeakyReLU(0.2)(h))
    joined = layers.Concatenate()(maps)
    last = layers.Conv2D(x.shape[-1], 3, padding="same", kernel_initializer=small)
    return _add_scaled(x, last(joined))


def _add_scaled(x: Tensor, h: Tensor) -> Tensor:
    """Returns x + 0.2 h."""
    return layers.Add()([x, layers.Rescaling(SCALING)(h)])

"""RRDB: residual-in-residual dense blocks for super-resolution, and a PatchGAN.

Source: Wang et al. 2018, "ESRGAN" (arXiv 1809.00219), section 3.1. A dense block has
five 3x3 convolutions f without normalization and returns x + 0.2 f(x). A
residual-in-residual block applies three dense blocks g and returns x + 0.2 g(x). Each
doubling is nearest-neighbor interpolation and a convolution.

Difference from the paper: the network's output is added to the bilinearly enlarged
condition image, so that a short training suffices to improve on interpolation.
"""

from __future__ import annotations

from typing import Any

from keras import Input, Model, initializers, layers

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import Double
from keras_gans.networks.patchgan import discriminator
from keras_gans.networks.saving import network

__all__ = ["discriminator", "generator"]

Tensor = Any
SCALING = 0.2  # beta, the factor of f and g


@network
@in_range(width=1, growth=1, blocks=(1, 257))
def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    growth: int = 32,
    blocks: int = 23,
) -> Model:
    """Build the generator of a super-resolution model.

    Args:
        image_shape: Shape (height, width, channels) of the images; height and width are
            those of the condition images times a power of two.
        condition_shape: Shape (height, width, channels) of the condition images. The
            model also takes other heights and widths, and enlarges by the same factor.
        width: Number of channels of the feature maps.
        growth: Number of channels that each convolution of a dense block adds.
        blocks: Number of residual-in-residual dense blocks.

    Returns:
        A model from {"condition"} to images, approximately in [-1, 1] and not clipped.

    Raises:
        UserError: If the ratio of the sizes is not a power of two.
    """
    scale = image_shape[0] // condition_shape[0]
    sides = tuple(scale * side for side in condition_shape[:2])
    if sides != image_shape[:2] or scale & (scale - 1):
        raise UserError(
            "networks.rrdb: expected condition images of a half, a quarter, ... of the "
            f"images' height and width, {image_shape[0]}x{image_shape[1]}, got "
            f"{condition_shape[0]}x{condition_shape[1]}; use a data set such as "
            "data.dataset=small4:..."
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
    """Apply five convolutions, each of which takes the maps of all previous ones."""
    # A tenth of He's standard deviation: the paper's smaller initialization.
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
    """Return x + 0.2 h."""
    return layers.Add()([x, layers.Rescaling(SCALING)(h)])

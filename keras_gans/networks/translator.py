"""A residual network that makes a picture from a picture, and its PatchGAN.

Source: Zhu et al. 2017 (arXiv 1703.10593), section 4 and the appendix, after Johnson et
al. 2016: c7s1-64, d128, d256, residual blocks, u128, u64, c7s1-3, with reflection
padding and instance normalisation. What contrastive learning looks at (Park et al.
2020, arXiv 2007.15651) has the names of `TAPS`.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import Input, Model, layers

from keras_gans.engine.precision import policy
from keras_gans.errors import check_range
from keras_gans.layers.any_size import (
    CropLike,
    PadToMultiple,
    check_same_size,
    reflected,
)
from keras_gans.layers.normalization import normalize
from keras_gans.networks.patchgan import convolution, discriminator, enlarged

__all__ = ["discriminator", "encoder", "generator", "projector"]

Tensor = Any
# The picture itself, both convolutions down, and the first and the middle block.
TAPS = tuple(f"tap_{i}" for i in range(5))


def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    blocks: int = 9,
    norm: Literal["batch", "instance", "none"] = "instance",
    upsampling: Literal["transposed", "resize"] = "transposed",
) -> Model:
    """A residual generator.

    Args:
        image_shape: (height, width, channels) of the pictures to make; sides may be
            others.
        condition_shape: Of what they are made from; of the same sides.
        width: Channels of the first convolution; 4 times as many in the blocks.
        blocks: Residual blocks, at a quarter of the size.
        norm: Of all convolutions but the last.
        upsampling: "transposed" convolutions, as in the paper, or nearest neighbours
            and a convolution ("resize"), which leave no checkerboard.

    Returns:
        From {"condition"} to pictures in [-1, 1], of the condition's sides.

    Raises:
        UserError: for sides that differ.
    """
    check_range(1, width=width, blocks=blocks)
    check_same_size(image_shape, condition_shape)
    taps = iter(TAPS)

    def tap(x: Tensor) -> Tensor:
        return layers.Identity(name=next(taps))(x)

    condition = Input((None, None, condition_shape[-1]), name="condition")
    x = tap(reflected(PadToMultiple(4)(condition), 3))
    bias = norm == "none"  # a norm takes it away
    x = layers.ReLU()(normalize(convolution(width, 7, use_bias=bias)(x), norm))
    for times in (2, 4):
        x = tap(convolution(times * width, 3, 2, "same", use_bias=bias)(x))
        x = layers.ReLU()(normalize(x, norm))
    for block in range(blocks):
        x = x + _residual(x, norm)
        x = tap(x) if block in (0, blocks // 2) else x
    for times in (2, 1):
        x = enlarged(x, times * width, 3, upsampling, bias)
        x = layers.ReLU()(normalize(x, norm))
    x = convolution(image_shape[-1], 7)(reflected(x, 3))
    x = layers.Activation("tanh", dtype="float32")(x)
    return Model({"condition": condition}, CropLike()(x, condition))


def _residual(x: Tensor, norm: str) -> Tensor:
    """What a block adds: two 3x3 convolutions, the second without activation."""
    channels = x.shape[-1]
    for last in (False, True):
        x = convolution(channels, 3, use_bias=norm == "none")(reflected(x, 1))
        x = normalize(x, norm)
        x = x if last else layers.ReLU()(x)
    return x


def encoder(generator: Model) -> Model:
    """What a generator sees on its way: from {"condition"} to the maps of `TAPS`."""
    taps = [layer.output for layer in generator.layers if layer.name in TAPS]
    return Model(generator.input, taps)


def projector(generator: Model, embedding_dim: int) -> Model:
    """For each map of `encoder`, a layer of units and a linear one for every place.

    Source: Park et al. 2020 (arXiv 2007.15651), section 3.

    Args:
        generator: As `generator` makes it.
        embedding_dim: Length of what comes out.

    Returns:
        From a list of float [batch, places, channels] to one of float [batch, places,
        embedding_dim], vectors of length 1.
    """
    inputs = [Input((None, tap.shape[-1])) for tap in encoder(generator).outputs]
    outputs = []
    with policy("float32"):  # small, and lengths of 16 bits are too coarse
        for x in inputs:
            x = layers.Dense(embedding_dim, "relu")(x)
            outputs.append(layers.UnitNormalization()(layers.Dense(embedding_dim)(x)))
        return Model(inputs, outputs)

"""A U-Net that makes a picture from a picture, and the PatchGAN that judges it.

Source: Isola et al. 2017 (arXiv 1611.07004), the appendix: 4x4 convolutions of stride 2
down to a bottleneck and up again, each map joined with its mirror image on the way.
"""

from __future__ import annotations

from typing import Literal

from keras import Input, Model, layers

from keras_gans.errors import check_range
from keras_gans.layers.any_size import CropLike, PadToMultiple, check_same_size
from keras_gans.layers.normalization import normalize
from keras_gans.networks.patchgan import convolution, discriminator, enlarged

__all__ = ["discriminator", "generator"]


def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    max_width: int = 512,
    depth: int = 0,
    norm: Literal["batch", "instance", "none"] = "batch",
    dropout: float = 0.5,
    upsampling: Literal["transposed", "resize"] = "transposed",
) -> Model:
    """A U-Net.

    Args:
        image_shape: (height, width, channels) of the pictures to make; sides may be
            others.
        condition_shape: Of what they are made from; of the same sides.
        width: Channels at half the size; they double with each halving.
        max_width: As far as this.
        depth: Halvings; 0 for as many as leave one pixel of the pictures.
        norm: Of all but the first and the innermost convolutions and the last one.
        dropout: Share that is dropped of the three innermost maps on the way up.
        upsampling: "transposed" convolutions, as in the paper, or nearest neighbours
            and a 3x3 convolution ("resize"), which leave no checkerboard.

    Returns:
        From {"condition"} to pictures in [-1, 1], of the condition's sides.

    Raises:
        UserError: for sizes that differ, or more halvings than the sides allow.
    """
    check_range(1, width=width, max_width=max_width)
    check_range(0, 1, dropout=dropout)
    side = min(condition_shape[:2])
    most = side.bit_length() - 1
    check_range(0, most + 1, depth=depth)
    check_same_size(image_shape, condition_shape)
    depth = depth or most
    condition = Input((None, None, condition_shape[-1]), name="condition")
    x = PadToMultiple(2**depth)(condition)
    skips = []
    for level in range(depth):
        if level:
            x = layers.LeakyReLU(0.2)(x)
        channels = min(max_width, width * 2**level)
        kind = norm if 0 < level < depth - 1 else "none"
        x = convolution(channels, 4, 2, "same", use_bias=kind == "none")(x)
        x = normalize(x, kind)
        skips.append(x)
    skips.pop()
    for level in reversed(range(depth)):
        channels = (
            min(max_width, width * 2 ** (level - 1)) if level else image_shape[-1]
        )
        kind = norm if level else "none"
        x = enlarged(layers.ReLU()(x), channels, 4, upsampling, kind == "none")
        if level:
            x = normalize(x, kind)
            if dropout and level >= depth - 3:
                x = layers.Dropout(dropout)(x)
            x = layers.Concatenate()([x, skips.pop()])
    x = layers.Activation("tanh", dtype="float32")(x)
    return Model({"condition": condition}, CropLike()(x, condition))

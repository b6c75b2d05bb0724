"""U-Net that generates images from condition images, and a PatchGAN.

Source: Isola et al. 2017 (arXiv 1611.07004), the appendix: 4x4 convolutions of stride 2
down to a bottleneck and up again. On the way up, each map is concatenated with the map
of the same size on the way down.
"""

from __future__ import annotations

from typing import Literal

from keras import Input, Model, layers

from keras_gans.errors import check_range, in_range
from keras_gans.layers.any_size import CropLike, PadToMultiple, check_same_size
from keras_gans.layers.dropout import Dropout
from keras_gans.layers.normalization import normalize
from keras_gans.networks.patchgan import convolution, discriminator, enlarged
from keras_gans.networks.saving import network

__all__ = ["discriminator", "generator"]


@network
@in_range(width=1, max_width=1, depth=0, dropout=(0, 1))
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
    """Build a U-Net.

    Args:
        image_shape: Shape (height, width, channels) of the images. The model also
            takes other heights and widths.
        condition_shape: Shape (height, width, channels) of the condition images; height
            and width are those of the images.
        width: Number of channels at half the size; it doubles with each halving.
        max_width: Upper limit of the number of channels.
        depth: Number of halvings; 0 for as many as the shorter side allows.
        norm: Normalization after each convolution but the first, the innermost and the
            last.
        dropout: Fraction that is dropped of the three innermost maps on the way up.
        upsampling: "transposed" for transposed convolutions, as in the paper; "resize"
            for nearest-neighbor interpolation and a 3x3 convolution, which avoid
            checkerboard artifacts.

    Returns:
        A model from {"condition"} to images in [-1, 1], with the height and width of
        the condition image.

    Raises:
        UserError: If condition images differ from the images in height or width, or
            if `depth` is more than the shorter side allows.
    """
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
                x = Dropout(dropout)(x)
            x = layers.Concatenate()([x, skips.pop()])
    x = layers.Activation("tanh", dtype="float32")(x)
    return Model({"condition": condition}, CropLike()(x, condition))

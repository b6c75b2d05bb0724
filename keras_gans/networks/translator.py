"""Residual generator of images from condition images, and a PatchGAN.

Source: Zhu et al. 2017 (arXiv 1703.10593), section 4 and the appendix, after Johnson et
al. 2016: c7s1-64, d128, d256, residual blocks, u128, u64, c7s1-3, with reflection
padding and instance normalization. Contrastive learning (Park et al. 2020, arXiv
2007.15651) compares the feature maps of the layers named in `TAPS`.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import Input, Model, layers

from keras_gans.engine.precision import policy
from keras_gans.errors import in_range
from keras_gans.layers.any_size import (
    CropLike,
    PadToMultiple,
    check_same_size,
    reflected,
)
from keras_gans.layers.normalization import normalize
from keras_gans.networks.patchgan import (
    convolution,
    discriminator,
    enlarged,
    he_stddev,
)
from keras_gans.networks.saving import network

__all__ = ["discriminator", "encoder", "generator", "projector"]

Tensor = Any
# The condition image, both convolutions down, the first and the middle block.
TAPS = tuple(f"tap_{i}" for i in range(5))


@network
@in_range(width=1, blocks=(1, 257))
def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    blocks: int = 9,
    norm: Literal["batch", "instance", "none"] = "instance",
    upsampling: Literal["transposed", "resize"] = "transposed",
) -> Model:
    """Build a residual generator.

    Args:
        image_shape: Shape (height, width, channels) of the images. The model also
            takes other heights and widths.
        condition_shape: Shape (height, width, channels) of the condition images; height
            and width are those of the images.
        width: Number of channels of the first convolution; the residual blocks have 4
            times as many.
        blocks: Number of residual blocks, at a quarter of the size.
        norm: Normalization after each convolution but the last. Without normalization,
            weights are initialized by He's rule; the variance of each block's last
            convolution is divided by the number of blocks. With normalization, weights
            are initialized from N(0, 0.02).
        upsampling: "transposed" for transposed convolutions, as in the paper; "resize"
            for nearest-neighbor interpolation and a 3x3 convolution, which avoid
            checkerboard artifacts.

    Returns:
        A model from {"condition"} to images in [-1, 1], with the height and width of
        the condition image.

    Raises:
        UserError: If condition images differ from the images in height or width.
    """
    check_same_size(image_shape, condition_shape)
    taps = iter(TAPS)

    def tap(x: Tensor) -> Tensor:
        return layers.Identity(name=next(taps))(x)

    condition = Input((None, None, condition_shape[-1]), name="condition")
    x = tap(reflected(PadToMultiple(4)(condition), 3))
    bias = norm == "none"  # a norm cancels biases

    def convolve(x: Tensor, channels: int, side: int, gain: float, *more: Any):
        stddev = he_stddev(x, side, gain) if norm == "none" else 0.02
        return convolution(channels, side, *more, stddev=stddev, use_bias=bias)(x)

    x = layers.ReLU()(normalize(convolve(x, width, 7, 1.0), norm))
    for times in (2, 4):
        x = tap(convolve(x, times * width, 3, 2.0, 2, "same"))
        x = layers.ReLU()(normalize(x, norm))
    for block in range(blocks):
        y = normalize(convolve(reflected(x, 1), 4 * width, 3, 2.0), norm)
        y = convolve(reflected(layers.ReLU()(y), 1), 4 * width, 3, 2.0 / blocks)
        x = x + normalize(y, norm)
        x = tap(x) if block in (0, blocks // 2) else x
    for times in (2, 1):
        x = enlarged(x, times * width, 3, upsampling, bias, he=norm == "none")
        x = layers.ReLU()(normalize(x, norm))
    x = reflected(x, 3)
    stddev = he_stddev(x, 7, 1.0) if norm == "none" else 0.02
    x = convolution(image_shape[-1], 7, stddev=stddev)(x)
    x = layers.Activation("tanh", dtype="float32")(x)
    return Model({"condition": condition}, CropLike()(x, condition))


def encoder(generator: Model) -> Model:
    """Build a model from {"condition"} to the generator's feature maps of `TAPS`."""
    taps = [layer.output for layer in generator.layers if layer.name in TAPS]
    return Model(generator.input, taps)


def projector(generator: Model, embedding_dim: int) -> Model:
    """Build a network that projects positions of `encoder`'s maps to unit vectors.

    Each map has a ReLU layer and a linear layer of its own, shared by all positions.

    Source: Park et al. 2020 (arXiv 2007.15651), section 3.

    Args:
        generator: Generator, as built by `generator`.
        embedding_dim: Length of the unit vectors.

    Returns:
        A model from a list of float [batch, positions, channels] to a list of float
        [batch, positions, embedding_dim].
    """
    inputs = [Input((None, tap.shape[-1])) for tap in encoder(generator).outputs]
    outputs = []
    with policy("float32"):  # small; 16 bits are too coarse for unit vectors
        for x in inputs:
            x = layers.Dense(embedding_dim, "relu")(x)
            outputs.append(layers.UnitNormalization()(layers.Dense(embedding_dim)(x)))
        return Model(inputs, outputs)

"""PatchGAN: a discriminator that judges every patch of a picture, not the whole.

Source: Isola et al. 2017 (arXiv 1611.07004): C64-C128-C256-C512 of 4x4 convolutions,
all but the last with stride 2, then one channel: each logit sees 70x70 pixels.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import Input, Model, initializers, layers

from keras_gans.errors import UserError, check_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.normalization import normalize
from keras_gans.layers.spectral import SNConv2D

Tensor = Any
Norm = Literal["batch", "instance", "none"]


def discriminator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    depth: int = 3,
    norm: Norm = "batch",
    conditional: bool = True,
    spectral_norm: bool = False,
) -> Model:
    """A PatchGAN.

    Args:
        image_shape: (height, width, channels) of the pictures.
        condition_shape: Of what they are made from.
        width: Channels of the first convolution; they double up to 8 times as many.
        depth: Convolutions of stride 2: 3 for 70x70 pixels, 2 for 34x34, 1 for 16x16.
        norm: Of all but the first and the last convolution.
        conditional: Whether it sees the condition beside the picture.
        spectral_norm: Whether convolutions are spectrally normalised.

    Returns:
        From {"images"} or {"images", "condition"} to logits [batch, rows, columns, 1].
    """
    inputs, x = patch_inputs(image_shape, condition_shape, conditional)
    return Model(inputs, patch_features(x, width, depth, norm, spectral_norm)[-1])


def patch_inputs(
    image_shape: tuple, condition_shape: tuple, conditional: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a discriminator, and the maps to begin with."""
    inputs = {"images": Input(image_shape, name="images")}
    if not conditional:
        return inputs, inputs["images"]
    if image_shape[:2] != condition_shape[:2]:
        raise UserError(
            "[discriminator] conditional: expected false where condition images "
            "are of another size than the images"
        )
    inputs["condition"] = Input(condition_shape, name="condition")
    return inputs, layers.Concatenate()([*inputs.values()])


def patch_features(
    x: Tensor,
    width: int,
    depth: int,
    norm: Norm,
    spectral_norm: bool,
    name: str = "logits",
) -> list[Tensor]:
    """Maps after each convolution of a PatchGAN; the last ones are the logits."""
    check_range(1, width=width, depth=depth)
    found = []
    for level in range(depth + 2):
        last = level == depth + 1
        x = layers.ZeroPadding2D(1)(x)
        x = convolution(
            1 if last else width * 2 ** min(level, 3),
            4,
            strides=2 if level < depth else 1,
            spectral_norm=spectral_norm,
            use_bias=norm == "none" or last or not level,  # a norm takes it away
            dtype="float32" if last else None,
            name=name if last else None,
        )(x)
        if 0 < level and not last:
            x = normalize(x, norm)
        if not last:
            x = layers.LeakyReLU(0.2)(x)
        found.append(x)
    return found


def convolution(
    channels: int,
    kernel_size: int,
    strides: int = 1,
    padding: str = "valid",
    spectral_norm: bool = False,
    **options: Any,
) -> layers.Layer:
    """A convolution whose weights begin with N(0, 0.02)."""
    cls = SNConv2D if spectral_norm else layers.Conv2D
    small = initializers.RandomNormal(stddev=0.02)
    return cls(
        channels,
        kernel_size,
        strides,
        padding,
        kernel_initializer=small,
        **options,
    )


def enlarged(
    x: Tensor, channels: int, kernel_size: int, upsampling: str, use_bias: bool
) -> Tensor:
    """Maps of twice the size: by a transposed convolution, or "resize" and one of 3x3.

    Args:
        x: float [batch, height, width, any].
        channels: Of what comes out.
        kernel_size: Of the transposed convolution.
        upsampling: "transposed" or "resize".
        use_bias: Whether there is a bias.

    Returns:
        float [batch, 2 * height, 2 * width, channels].
    """
    if upsampling == "resize":
        return convolution(channels, 3, padding="same", use_bias=use_bias)(Double()(x))
    return layers.Conv2DTranspose(
        channels,
        kernel_size,
        2,
        "same",
        use_bias=use_bias,
        kernel_initializer=initializers.RandomNormal(stddev=0.02),
    )(x)

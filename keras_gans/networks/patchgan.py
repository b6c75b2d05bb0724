"""PatchGAN: a discriminator with one logit for each patch of an image.

Source: Isola et al. 2017 (arXiv 1611.07004), C64-C128-C256-C512: 4x4 convolutions, all
but the last with stride 2, then a convolution to one channel. The receptive field of
each logit is 70x70 pixels.
"""

from __future__ import annotations

from typing import Any, Literal

from keras import Input, Model, initializers, layers

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.normalization import normalize
from keras_gans.layers.spectral import SNConv2D
from keras_gans.networks.saving import network

Tensor = Any
Norm = Literal["batch", "instance", "none"]


@network
@in_range(width=1, depth=(1, 17))
def discriminator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    width: int = 64,
    depth: int = 3,
    norm: Norm = "batch",
    conditional: bool = True,
    spectral_norm: bool = False,
) -> Model:
    """Build a PatchGAN.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        condition_shape: Shape (height, width, channels) of the condition images.
        width: Number of channels of the first convolution. It doubles with each
            further convolution, up to 8 times `width`.
        depth: Number of convolutions of stride 2: 3 for a receptive field of 70x70
            pixels, 2 for 34x34, 1 for 16x16.
        norm: Normalization after each convolution but the first and the last.
        conditional: Whether to feed in the condition image beside the image.
        spectral_norm: Whether to spectrally normalize the convolutions.

    Returns:
        A model from {"images"} or {"images", "condition"} to logits float [batch, rows,
        columns, 1].

    Raises:
        UserError: As `patch_inputs`.
    """
    inputs, x = patch_inputs(image_shape, condition_shape, conditional)
    return Model(inputs, patch_features(x, width, depth, norm, spectral_norm)[-1])


def patch_inputs(
    image_shape: tuple, condition_shape: tuple, conditional: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Create the inputs of a PatchGAN, and the tensor for its first convolution.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        condition_shape: Shape (height, width, channels) of the condition images.
        conditional: Whether to feed in the condition image beside the image.

    Returns:
        (inputs, tensor): the inputs by name; the images, concatenated with the
        condition images if `conditional`.

    Raises:
        UserError: If `conditional`, and condition images differ from the images in
            height or width.
    """
    inputs = {"images": Input(image_shape, name="images")}
    if not conditional:
        return inputs, inputs["images"]
    if image_shape[:2] != condition_shape[:2]:
        raise UserError(
            "[discriminator] conditional: expected false, because the condition images "
            "and the images differ in size"
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
    """Return the feature maps after each convolution; the last are the logits."""
    found = []
    for level in range(depth + 2):
        last = level == depth + 1
        x = layers.ZeroPadding2D(1)(x)
        x = convolution(
            1 if last else width * 2 ** min(level, 3),
            4,
            strides=2 if level < depth else 1,
            spectral_norm=spectral_norm,
            use_bias=norm == "none" or last or not level,  # a norm cancels biases
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
    stddev: float = 0.02,
    **options: Any,
) -> layers.Layer:
    """Build a convolution with initial weights from N(0, stddev^2)."""
    cls = SNConv2D if spectral_norm else layers.Conv2D
    normal = initializers.RandomNormal(stddev=stddev)
    return cls(
        channels,
        kernel_size,
        strides,
        padding,
        kernel_initializer=normal,
        **options,
    )


def enlarged(
    x: Tensor,
    channels: int,
    kernel_size: int,
    upsampling: str,
    use_bias: bool,
    he: bool = False,
) -> Tensor:
    """Double height and width: by a transposed convolution, or a resize-convolution.

    Args:
        x: Feature maps, float [batch, height, width, any].
        channels: Number of channels of the result.
        kernel_size: Kernel size of the transposed convolution in pixels.
        upsampling: "transposed" for a transposed convolution; "resize" for
            nearest-neighbor interpolation and a 3x3 convolution.
        use_bias: Whether to add a bias.
        he: Whether to initialize by He's rule, instead of from N(0, 0.02).

    Returns:
        float [batch, 2 * height, 2 * width, channels].
    """
    # A quarter of the transposed kernel's weights contribute to each pixel.
    side = 3 if upsampling == "resize" else kernel_size / 2
    stddev = he_stddev(x, side) if he else 0.02
    if upsampling == "resize":
        return convolution(
            channels, 3, padding="same", stddev=stddev, use_bias=use_bias
        )(Double()(x))
    return layers.Conv2DTranspose(
        channels,
        kernel_size,
        2,
        "same",
        use_bias=use_bias,
        kernel_initializer=initializers.RandomNormal(stddev=stddev),
    )(x)


def he_stddev(x: Tensor, side: float, gain: float = 2.0) -> float:
    """Return the standard deviation of a kernel's initial weights by He's rule.

    Source: He et al. 2015 (arXiv 1502.01852), equation 10. The maps before each ReLU
    then keep their variance from layer to layer.

    Args:
        x: Feature maps that the kernel is applied to.
        side: Side of the kernel in pixels.
        gain: Factor of the variance: 2 after a ReLU.
    """
    return (gain / (x.shape[-1] * side**2)) ** 0.5

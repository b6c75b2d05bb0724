"""FastGAN: few layers, skip-layer excitation, a discriminator with decoders.

Source: Liu et al. 2021, "Towards Faster and Stabilized GAN Training for High-fidelity
Few-shot Image Synthesis" (arXiv 2101.04775): one or two convolutions for each size,
skip-layer excitation (equation 1), images of two sizes for the discriminator. Decoders
reconstruct real images from the discriminator's maps. All convolutions are spectrally
normalized. Both networks use batch normalization. The numbers of channels at each size
are those of the authors' code.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.noise import AddNoise
from keras_gans.layers.resampling import quarter
from keras_gans.layers.sizes import map_sizes
from keras_gans.layers.spectral import SNConv2D, SNDense
from keras_gans.networks.interface import generator_inputs
from keras_gans.networks.saving import network

Tensor = Any

# Channels divided by `width`, for the smallest map and after each doubling: maps of 4,
# 8, ... 1024 pixels, if the smallest has 4.
G_WIDTHS = (16, 8, 4, 2, 2, 1, 0.5, 0.25, 0.125)
D_WIDTHS = (16, 16, 8, 4, 2, 1, 0.5)  # up to 256 pixels; larger images are halved first
SMALL = 5  # most doublings up to the small image: 128 pixels from 4


@network
@in_range(latent_dim=1, width=1)
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 256,
    width: int = 64,
) -> keras.Model:
    """Build the generator: a small map, doubled; small maps gate large ones.

    The maps after 4 to 7 doublings are gated by the maps of a 16th of their size.

    The layer "stages" is a model from {"latents"} to {"images", "small"}. "small" is
    the image at half the size, but at most 5 doublings of the smallest map. The
    discriminator takes it as an input.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two that is 4 or more.
        num_classes: Number of classes; must be 0.
        latent_dim: Length of one latent.
        width: Number of channels at 128 pixels; 16 times as many at 4 pixels.

    Returns:
        A model from {"latents"} to images float [batch, height, width, channels] in
        [-1, 1].

    Raises:
        UserError: If the layers cannot produce the image size, or if there are
            classes.
    """
    size, doublings = sizes(image_shape, num_classes)
    filters = widths(size, width, G_WIDTHS)
    inputs = generator_inputs(latent_dim, 0)
    # A transposed convolution of a single pixel is a dense layer.
    x = SNDense(2 * size * size * filters[0], use_bias=False, **start())(
        inputs["latents"]
    )
    x = glu(normalize(layers.Reshape((size, size, 2 * filters[0]))(x)))
    maps = [x]
    for level in range(1, doublings + 1):
        x = up(x, filters[level], twice=level % 2 == 1)
        if 4 <= level <= 7:
            x = excite(maps[level - 4], x, size)
        maps.append(x)
    small = maps[small_level(doublings)]
    outputs = {
        "images": to_image(x, image_shape),
        "small": to_image(small, image_shape),
    }
    stages = keras.Model(inputs, outputs, name="stages")
    inputs = generator_inputs(latent_dim, 0)
    return keras.Model(inputs, stages(inputs)["images"], name="generator")


@network
@in_range(width=1)
def discriminator(
    image_shape: tuple[int, int, int], num_classes: int = 0, width: int = 64
) -> keras.Model:
    """Build the discriminator: residual halvings to 5x5 logits, and decoders.

    The layer "critic" is a model from {"images", "small"} to {"logits", "large",
    "whole", "small"}. "logits" are float [batch, 50] for images with a side of 4 times
    a power of two: 5x5 for "images" and 5x5 for "small". The other outputs are the
    feature maps that the decoders take.

    Args:
        image_shape: Shape (height, width, channels) of the images, as in `generator`.
        num_classes: Number of classes; must be 0.
        width: Number of channels at 128 pixels; 16 times as many at 8 pixels.

    Returns:
        A model from {"images", "small", "corner" float [batch, 2]} to {"logits",
        "whole", "small", "quarter"}. The last three are reconstructions of the size of
        "small": of the whole image, of the small image, and of a quarter of the image.
        "corner" selects the quarter, as in `keras_gans.layers.resampling.quarter`.

    Raises:
        UserError: As `generator`.
    """
    size, doublings = sizes(image_shape, num_classes)
    filters = widths(size, width, D_WIDTHS)
    height, _, channels = image_shape
    side = size * 2 ** small_level(doublings)
    inputs = {
        "images": keras.Input(image_shape, name="images"),
        "small": keras.Input((side, side, channels), name="small"),
    }
    x, level = inputs["images"], doublings
    top = min(level, len(filters) - 1)
    if level == top:
        x = lrelu(conv(x, filters[top], use_bias=True))
    for first in range(level - top):
        x = conv(x, filters[top], 4, strides=2, use_bias=not first)
        x = lrelu(normalize(x) if first else x)
    maps = {top: x}
    for level in reversed(range(1, top)):
        maps[level] = down(maps[level + 1], filters[level])
        if level + 3 in maps:
            maps[level] = excite(maps[level + 3], maps[level], size)
    x = lrelu(normalize(conv(maps[1], filters[0], 1)))
    logits = [layers.Flatten()(conv(x, 1, 4, padding="valid"))]

    level = small_level(doublings) - 1
    x = lrelu(conv(inputs["small"], filters[level], 4, strides=2, use_bias=True))
    for lower in reversed(range(1, level)):
        x = down(x, filters[lower])
    logits.append(layers.Flatten()(conv(x, 1, 4, padding="valid")))
    seen = {
        "logits": layers.Concatenate(dtype="float32")(logits),
        "large": maps[2],
        "whole": maps[1],
        "small": x,
    }
    critic = keras.Model(inputs, seen, name="critic")

    inputs = {
        "images": keras.Input(image_shape, name="images"),
        "small": keras.Input((side, side, channels), name="small"),
    }
    seen = critic(inputs)
    inputs["corner"] = keras.Input((2,), name="corner")
    seen["quarter"] = quarter(seen.pop("large"), inputs["corner"])
    outputs = {"logits": seen.pop("logits")}
    for name, x in seen.items():
        while x.shape[1] < side:
            level = (2 * x.shape[1] // size).bit_length() - 1
            x = up(x, widths(size, width, G_WIDTHS)[level])
        outputs[name] = to_image(x, image_shape)
    return keras.Model(inputs, outputs, name="discriminator")


def sizes(image_shape: tuple, num_classes: int) -> tuple[int, int]:
    """Return the side of the smallest map and the number of its doublings.

    Raises:
        UserError: If the layers cannot produce the image size, or if there are
            classes.
    """
    size, doublings = map_sizes(image_shape)
    if not 2 <= doublings < len(widths(size, 1, G_WIDTHS)):
        raise UserError(
            "[data] image_size: FastGAN expects 4 or 5 doubled 2 to 8 times, or 6 or 7 "
            "doubled 2 to 7 times (such as 28, 64, 96, 128, 256 or 512), got "
            f"{image_shape[0]}"
        )
    if num_classes:
        raise UserError(f"num_classes: FastGAN takes no classes, got {num_classes}")
    return size, doublings


def widths(size: int, width: int, shares: tuple[float, ...]) -> list[int]:
    """Return the channels of the smallest map, of side `size`, and of larger maps."""
    first = 0 if size < 6 else 1  # 6 and 7 pixels are nearer to 8 than to 4
    return [max(1, int(width * share)) for share in shares[first:]]


def small_level(doublings: int) -> int:
    """Return the number of doublings from the smallest map to the small image."""
    return min(doublings - 1, SMALL)


def conv(
    x: Tensor, filters: int, kernel_size: int = 3, use_bias: bool = False, **options
) -> Tensor:
    """Apply a spectrally normalized convolution; padding is "same" by default."""
    options = {"padding": "same", **start(), **options}
    return SNConv2D(filters, kernel_size, use_bias=use_bias, **options)(x)


def start() -> dict[str, Any]:
    """Return the kernel initializer, of standard deviation 0.02, as a keyword."""
    return {"kernel_initializer": initializers.RandomNormal(stddev=0.02)}


def normalize(x: Tensor) -> Tensor:
    """Apply batch normalization."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def lrelu(x: Tensor) -> Tensor:
    """Apply a leaky ReLU of slope 0.2."""
    return layers.LeakyReLU(0.2)(x)


def glu(x: Tensor) -> Tensor:
    """Apply a gated linear unit: half of the channels times the others' sigmoid."""
    half = x.shape[-1] // 2
    return x[..., :half] * layers.Activation("sigmoid")(x[..., half:])


def up(x: Tensor, filters: int, twice: bool = False) -> Tensor:
    """Double height and width, then apply a convolution, normalization and `glu`.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        filters: Number of channels of the result.
        twice: Whether to apply the convolution, normalization and `glu` twice, with
            noise after each convolution.

    Returns:
        float [batch, 2 * height, 2 * width, filters].
    """
    x = Double()(x)
    for _ in range(2 if twice else 1):
        x = conv(x, 2 * filters)
        if twice:
            x = AddNoise()(x)
        x = glu(normalize(x))
    return x


def down(x: Tensor, filters: int) -> Tensor:
    """Halve height and width by convolution and by averages; return the mean of both.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        filters: Number of channels of the result.

    Returns:
        float [batch, height / 2, width / 2, filters].
    """
    y = lrelu(normalize(conv(x, filters, 4, strides=2)))
    y = lrelu(normalize(conv(y, filters)))
    shortcut = layers.AveragePooling2D(2)(x)
    shortcut = lrelu(normalize(conv(shortcut, filters, 1)))
    return layers.Rescaling(0.5)(y + shortcut)


def excite(source: Tensor, x: Tensor, size: int) -> Tensor:
    """Apply skip-layer excitation: y = F(source) x, one factor for each channel of x.

    Equation 1 of the paper. F averages `source` to the size of the smallest map and
    reduces it to one pixel by a convolution. Then F applies a swish, a 1x1 convolution
    and a sigmoid.

    Args:
        source: Feature maps, float [batch, size * n, size * n, other channels].
        x: Feature maps to scale, float [batch, height, width, channels].
        size: Side of the smallest map in pixels.

    Returns:
        float [batch, height, width, channels].
    """
    if source.shape[1] > size:
        source = layers.AveragePooling2D(source.shape[1] // size)(source)
    gate = conv(source, x.shape[-1], size, padding="valid")
    gate = conv(layers.Activation("silu")(gate), x.shape[-1], 1)
    return x * layers.Activation("sigmoid")(gate)


def to_image(x: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """Apply a convolution to the channels of the image, then tanh."""
    return layers.Activation("tanh", dtype="float32")(
        conv(x, image_shape[-1], use_bias=True)
    )

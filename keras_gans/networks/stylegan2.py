"""StyleGAN2: a mapping network whose styles scale every convolution's inputs.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"
(arXiv 1912.04958): weight demodulation, skip connections to the image in the generator,
a residual discriminator, equalized learning rates, filters [1, 3, 3, 1]. Classes are
used as in Karras et al. 2020 (arXiv 2006.06676): a class embedding is concatenated with
the latent, and the discriminator's features are projected onto another embedding.

Differences from the authors' code: upsampling of the image repeats the border pixels
where the authors' filter sees zeros. The constant that keeps norms from 0 is 1e-6,
because 1e-8 is 0 in a float16 export.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.engine.precision import policy
from keras_gans.errors import in_range
from keras_gans.layers.any_size import Double
from keras_gans.layers.noise import AddNoise
from keras_gans.layers.normalization import EPSILON, PixelNorm
from keras_gans.layers.resampling import blur
from keras_gans.layers.sizes import map_widths
from keras_gans.networks.interface import generator_inputs, image_inputs
from keras_gans.networks.saving import network

Tensor = Any


@network
@in_range(latent_dim=1, style_dim=1, mapping_depth=(1, 65), width=1, max_width=1)
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 512,
    style_dim: int = 512,
    mapping_depth: int = 8,
    width: int = 64,
    max_width: int = 512,
    noise: bool = True,
) -> keras.Model:
    """Build the generator: a mapping network and a synthesis network.

    Both are layers of the model. "styles" maps all inputs but the noise to float
    [batch, layers, style_dim]. "synthesis" maps {"styles"[, "noise"]} to images.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent.
        style_dim: Length of one style and of a class's embedding.
        mapping_depth: Number of dense layers of the mapping network.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.
        noise: Whether to add noise to the feature maps: new noise at each call in
            training, fixed noise otherwise.

    Returns:
        A model to images float [batch, height, width, channels], approximately in
        [-1, 1] and not clipped. Its inputs are "latents" (and "labels" with classes);
        "mixed_latents" float [batch, latent_dim]; "mix" float [batch, layers], 1 for
        each layer whose style comes from "mixed_latents"; "truncation" float [batch,
        layers], psi in mean + psi (w - mean); with noise, "noise" float [batch], the
        strength of the noise.

    Raises:
        UserError: If the layers cannot produce the image size.
    """
    size, widths = map_widths(image_shape, width, max_width)
    inputs = generator_inputs(latent_dim, num_classes)
    with policy("float32"):  # small, and its precision matters
        x = PixelNorm()(inputs["latents"])
        if num_classes:
            embedding = layers.Embedding(num_classes, style_dim, _unit())
            x = layers.Concatenate()([x, PixelNorm()(embedding(inputs["labels"]))])
        for _ in range(mapping_depth):
            x = lrelu(EqualizedDense(style_dim, rate=0.01)(x))
        mapping = keras.Model(inputs, x, name="mapping")

        num_layers = 2 * len(widths)
        inputs = generator_inputs(latent_dim, num_classes)
        others = {**inputs, "latents": keras.Input((latent_dim,), name="mixed_latents")}
        mix = keras.Input((num_layers,), name="mix")
        psi = keras.Input((num_layers,), name="truncation")
        first, second = mapping(inputs)[:, None], mapping(others)[:, None]
        mixed = Truncation(name="mean_style")(
            first + mix[..., None] * (second - first), psi
        )
        inputs = {
            **inputs,
            "mixed_latents": others["latents"],
            "mix": mix,
            "truncation": psi,
        }
        draw_styles = keras.Model(inputs, mixed, name="styles")

    styles = keras.Input((num_layers, style_dim), name="styles")
    strength = keras.Input((), name="noise")
    each = (styles[:, i] for i in range(num_layers))
    x = Constant(size, widths[0])(styles)
    picture = None
    style = None
    for level, filters in enumerate(widths):
        for up in (True, False) if level else (False,):
            # The upsampling convolution shares its style with the RGB layer before it.
            style = style if up else next(each)
            x = ModulatedConv2D(filters, 3, doubles=up)(x, style)
            if noise:
                x = AddNoise()(x, strength)
            x = lrelu(Bias()(x))
        style = next(each)
        rgb = ModulatedConv2D(image_shape[-1], 1, demodulate=False)(x, style)
        rgb = Bias(dtype="float32")(rgb)
        if picture is None:
            picture = rgb
        else:
            picture = Double("bilinear", dtype="float32")(picture) + rgb
    inner = {"styles": styles, "noise": strength} if noise else {"styles": styles}
    synthesis = keras.Model(inner, picture, name="synthesis")

    inner = {"styles": draw_styles(inputs)}
    if noise:
        inputs["noise"] = inner["noise"] = keras.Input((), name="noise")
    return keras.Model(inputs, synthesis(inner), name="generator")


@network
@in_range(width=1, max_width=1, group_size=1)
def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 64,
    max_width: int = 512,
    group_size: int = 4,
) -> keras.Model:
    """Build the discriminator: residual halvings, `MinibatchStdDev`, then one logit.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.
        group_size: Number of images in a group of `MinibatchStdDev`.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1].

    Raises:
        UserError: If the layers cannot produce the image size.
    """
    _, widths = map_widths(image_shape, width, max_width)
    inputs, labels = image_inputs(image_shape, num_classes)
    x = lrelu(EqualizedConv2D(widths[-1], 1)(inputs["images"]))
    for filters in reversed(widths[:-1]):
        skip = EqualizedConv2D(filters, 1, use_bias=False)(blur(x, strides=2))
        x = lrelu(EqualizedConv2D(x.shape[-1], 3)(x))
        x = EqualizedConv2D(filters, 3, strides=2, padding="valid")(blur(x, padding=2))
        x = layers.Rescaling(math.sqrt(0.5))(lrelu(x) + skip)
    x = MinibatchStdDev(group_size)(x)
    x = lrelu(EqualizedConv2D(widths[0], 3)(x))
    x = lrelu(EqualizedDense(widths[0])(layers.Flatten()(x)))
    if not num_classes:
        logits = EqualizedDense(1, dtype="float32", name="logits")(x)
        return keras.Model(inputs, logits, name="discriminator")
    features = EqualizedDense(widths[0], dtype="float32", name="logits")(x)
    rows = layers.Embedding(num_classes, widths[0], _unit(), dtype="float32")(labels)
    logits = ops.sum(features * PixelNorm(dtype="float32")(rows), axis=1, keepdims=True)
    logits = layers.Rescaling(1.0 / math.sqrt(widths[0]), dtype="float32")(logits)
    return keras.Model(inputs, logits, name="discriminator")


def lrelu(x: Tensor) -> Tensor:
    """Apply a leaky ReLU times sqrt(2), which keeps the scale of unit-variance maps."""
    return layers.Rescaling(math.sqrt(2.0))(layers.LeakyReLU(0.2)(x))


class EqualizedDense(layers.Dense):
    """Dense layer with an equalized learning rate.

    Source: Karras et al. 2018 (arXiv 1710.10196): weights are initialized from N(0, 1)
    and divided by sqrt(fan_in) at each call.

    Args:
        units: Length of the result.
        rate: Factor of the layer's learning rate: weights are initialized from
            N(0, 1) / rate, and weights and biases are multiplied by `rate` at each
            call.
        bias: Initial value of the biases, after their multiplication by `rate`.
        **options: Other keyword arguments of `keras.layers.Dense`.
    """

    def __init__(
        self, units: int, rate: float = 1.0, bias: float = 0.0, **options: Any
    ):
        starts = {
            "kernel_initializer": initializers.RandomNormal(stddev=1.0 / rate),
            "bias_initializer": initializers.Constant(bias / rate),
        }
        super().__init__(units, **starts, **options)
        self._rate = rate

    def call(self, x: Tensor) -> Tensor:
        """Return rate (x W / sqrt(fan_in) + b)."""
        scale = self._rate / math.sqrt(x.shape[-1])
        return ops.matmul(x, self.kernel * scale) + self.bias * self._rate


class EqualizedConv2D(layers.Conv2D):
    """Convolution with an equalized learning rate.

    Weights are initialized from N(0, 1) and divided by sqrt(fan_in) at each call.

    Args:
        filters: Number of channels of the result.
        kernel_size: Side of the kernel in pixels.
        **options: Other keyword arguments of `keras.layers.Conv2D`; `padding` is
            "same" by default.
    """

    def __init__(self, filters: int, kernel_size: int, **options: Any):
        options = {"padding": "same", **options}
        super().__init__(filters, kernel_size, kernel_initializer=_unit(), **options)

    def call(self, x: Tensor) -> Tensor:
        """Return x * W / sqrt(fan_in) + b."""
        kernel = self.kernel / math.sqrt(math.prod(self.kernel.shape[:-1]))
        x = ops.conv(x, kernel, list(self.strides), self.padding)
        return x + self.bias if self.use_bias else x


class ModulatedConv2D(layers.Layer):
    """Convolution whose input channels are scaled by a style.

    Equations 1 to 3 of Karras et al. 2020 (arXiv 1912.04958), applied to the maps
    instead of the kernel. The maps are multiplied by s_i, convolved with w_ijk, and
    divided by sqrt(sum_ik (s_i w_ijk)^2 + 1e-6). The result is the same, and needs no
    separate kernel for each image.

    Args:
        filters: Number of channels of the result.
        kernel_size: Side of the kernel in pixels.
        demodulate: Whether to divide by the square root.
        doubles: Whether to double height and width, by a transposed convolution and the
            filter [1, 3, 3, 1].
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        demodulate: bool = True,
        doubles: bool = False,
    ):
        super().__init__()
        self._filters, self._size = filters, kernel_size
        self._demodulate, self._doubles = demodulate, doubles

    def build(self, maps_shape: tuple, style_shape: tuple) -> None:
        """Create the kernel, and the affine layer from a style to the scales."""
        self._affine = EqualizedDense(maps_shape[-1], bias=1.0)
        self._affine.build(style_shape)
        shape = (self._size, self._size, maps_shape[-1], self._filters)
        self.kernel = self.add_weight(shape, _unit(), name="kernel")

    def call(self, maps: Tensor, style: Tensor) -> Tensor:
        """Apply the convolution.

        Args:
            maps: Feature maps, float [batch, height, width, channels].
            style: Styles, float [batch, style_dim].

        Returns:
            float [batch, height, width, filters]; with `doubles`, of twice the height
            and width.
        """
        kernel = self.kernel / math.sqrt(math.prod(self.kernel.shape[:-1]))
        scales = self._affine(style)
        maps = maps * scales[:, None, None]
        if self._doubles:
            swapped = ops.transpose(kernel, (0, 1, 3, 2))
            maps = blur(ops.conv_transpose(maps, swapped, 2, "valid"), gain=4.0)
        else:
            maps = ops.conv(maps, kernel, 1, "same")
        if self._demodulate:
            squares = ops.sum(ops.square(kernel), axis=(0, 1))  # [in, out]
            sums = ops.matmul(ops.square(scales), squares)
            maps = maps * ops.rsqrt(sums + EPSILON)[:, None, None]
        return maps


class Truncation(layers.Layer):
    """Truncation of styles towards their mean: w' = mean + psi (w - mean).

    Source: Karras et al. 2019 (arXiv 1812.04948), the truncation trick in W. The mean
    is a moving average over the training steps.
    """

    def build(self, styles_shape: tuple, psi_shape: tuple) -> None:
        """Create the mean."""
        self.mean = self.add_weight(
            styles_shape[-1:], "zeros", trainable=False, aggregation="mean", name="mean"
        )

    def call(self, styles: Tensor, psi: Tensor, training: bool = False) -> Tensor:
        """Truncate styles [batch, layers, style_dim] by psi [batch, layers]."""
        mean = self.mean.value
        if training:
            rate = 0.005 / engine.part()[1]  # 0.005 per step, not per part of a step
            self.mean.assign(mean + rate * (ops.mean(styles, axis=(0, 1)) - mean))
        return mean + psi[..., None] * (styles - mean)


class Constant(layers.Layer):
    """Learned small map that every image starts from.

    Args:
        size: Side of the map in pixels.
        channels: Number of channels of the map.
    """

    def __init__(self, size: int, channels: int):
        super().__init__()
        self._shape = (size, size, channels)

    def build(self, shape: tuple) -> None:
        """Create the map."""
        self.map = self.add_weight(self._shape, _unit(), name="map")

    def call(self, styles: Tensor) -> Tensor:
        """Return the map, repeated for each row of styles."""
        return self.map + ops.zeros_like(styles[:, :1, :1, None])


class Bias(layers.Layer):
    """Learned bias of each channel."""

    def build(self, shape: tuple) -> None:
        """Create the biases."""
        self.bias = self.add_weight((shape[-1],), "zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        """Add the biases to `x`."""
        return x + self.bias


def _unit() -> initializers.Initializer:
    return initializers.RandomNormal(stddev=1.0)


class MinibatchStdDev(layers.Layer):
    """Additional channel with the average standard deviation within a group of images.

    Source: Karras et al. 2018, "Progressive Growing of GANs" (arXiv 1710.10196). The
    standard deviation over the group is computed for each channel of each pixel, then
    averaged over channels and pixels.

    Args:
        group_size: Number of images in a group. If it does not divide the batch size,
            the whole batch is one group.
    """

    def __init__(self, group_size: int = 4):
        super().__init__()
        self._group_size = group_size

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape with one more channel."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def call(self, maps: Tensor) -> Tensor:
        """Append the channel.

        Args:
            maps: Feature maps, float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels + 1].
        """
        batch, (height, width, channels) = ops.shape(maps)[0], maps.shape[1:]
        if isinstance(batch, int):
            group = batch if batch % self._group_size else self._group_size
        else:  # unknown while TensorFlow traces
            group = ops.where(batch % self._group_size == 0, self._group_size, batch)
        # With n groups, rows i, i + n, i + 2 n, ... form a group.
        x = ops.cast(maps, "float32")
        x = ops.reshape(x, (group, batch // group, height, width, channels))
        stddev = ops.sqrt(ops.var(x, axis=0) + 1e-8)
        mean = ops.tile(ops.mean(stddev, axis=(1, 2, 3)), (group,))
        mean = ops.cast(mean[:, None, None, None], maps.dtype)
        plane = ops.broadcast_to(mean, (batch, height, width, 1))
        return ops.concatenate([maps, plane], axis=-1)

"""Pieces that two or more networks use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import Input, Model, config, initializers, layers, ops, random

from keras_gans import engine
from keras_gans.data.images import halvings
from keras_gans.errors import UserError, check_range

Tensor = Any
# Keeps a norm from 0. The papers' 1e-8 is 0 in the 16 bits of a float16 export.
EPSILON = 1e-6


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Builds layers with a dtype policy: "float32", "mixed_bfloat16", ..."""
    before = config.dtype_policy()
    config.set_dtype_policy(name)
    try:
        yield
    finally:
        config.set_dtype_policy(before)


def generator_inputs(latent_dim: int, num_classes: int) -> dict[str, Tensor]:
    """The inputs of a generator: {"latents"}, and "labels" if there are classes."""
    inputs = {"latents": Input((latent_dim,), name="latents")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs


def latent_inputs(
    latent_dim: int, num_classes: int, embedding_dim: int
) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a generator, and one vector to start from.

    Args:
        latent_dim: Length of one latent.
        num_classes: Number of classes; 0 for an unconditional generator.
        embedding_dim: Length of a class's learned embedding.

    Returns:
        (inputs, vector): `generator_inputs`, and the latents, joined with the class's
        embedding if there are classes.
    """
    inputs = generator_inputs(latent_dim, num_classes)
    if not num_classes:
        return inputs, inputs["latents"]
    embedded = layers.Embedding(num_classes, embedding_dim)(inputs["labels"])
    return inputs, layers.Concatenate()([inputs["latents"], embedded])


def run(network: Model, name: str, x: Tensor, labels: Tensor | None) -> Tensor:
    """Calls a network in training.

    Args:
        network: A generator or a discriminator.
        name: Its input beside the labels: "latents" or "images".
        x: What goes there.
        labels: int32 [batch]; read if the network takes labels.

    Returns:
        What the network returns.
    """
    inputs = {name: x}
    if "labels" in network.input:
        inputs["labels"] = labels
    return network(inputs, training=True)


def complete(
    network: Model, inputs: dict[str, Tensor], defaults: dict[str, float]
) -> dict[str, Tensor]:
    """Gives those inputs of a network that are missing their default.

    Args:
        network: What the inputs are for.
        inputs: {name: tensor [batch, ...]}, at least one.
        defaults: {name: what all values are if it is missing}.

    Returns:
        The inputs, and those that were missing.
    """
    batch = ops.shape(next(iter(inputs.values())))[0]
    missing = {
        name: ops.full((batch, *network.input[name].shape[1:]), value)
        for name, value in defaults.items()
        if name in network.input and name not in inputs
    }
    return {**inputs, **missing}


def projection_logits(
    features: Tensor,
    labels: Tensor | None,
    num_classes: int,
    spectral_norm: bool = False,
) -> Tensor:
    """The last layer of a discriminator, with the class projected onto its features.

    logit = w . f + b + v_y . f (Miyato and Koyama 2018, arXiv 1802.05637); the last
    term is left out if there are no classes.

    Args:
        features: float [batch, n], what the discriminator saw.
        labels: int32 [batch], or None.
        num_classes: Number of classes; 0 leaves the projection out.
        spectral_norm: Whether both layers are spectrally normalised.

    Returns:
        Raw logits, float [batch, 1].
    """
    dense = SNDense if spectral_norm else layers.Dense
    embedding = SNEmbedding if spectral_norm else layers.Embedding
    logits = dense(1, dtype="float32", name="logits")(features)
    if not num_classes:
        return logits
    small = initializers.RandomNormal(stddev=0.02)
    rows = embedding(num_classes, features.shape[-1], small)(labels)
    return logits + ops.sum(
        ops.cast(rows * features, "float32"), axis=-1, keepdims=True
    )


def image_inputs(
    image_shape: tuple[int, int, int], num_classes: int
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The inputs of a discriminator: {"images"} or {"images", "labels"}, and labels."""
    inputs = {"images": Input(image_shape, name="images")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs, inputs.get("labels")


def auxiliary_outputs(features: Tensor, num_classes: int, codes: int = 0) -> dict:
    """The last layer of a discriminator that also says which class or code it sees.

    Args:
        features: float [batch, n], what the discriminator saw.
        num_classes: Number of classes (or values of a categorical code).
        codes: Number of continuous codes; with any, the heads beside the logit have a
            hidden layer of 128 units (Chen et al. 2016, arXiv 1606.03657).

    Returns:
        {"logits": float [batch, 1], "classes": float [batch, num_classes] (raw
        logits), and "codes": float [batch, codes] if there are any}.

    Raises:
        UserError: without classes.
    """
    if not num_classes:
        raise UserError(
            '[discriminator] head: "auxiliary" needs classes, and the data have none; '
            "train on a set with classes (a folder with one sub-folder for each class)"
        )
    outputs = {"logits": layers.Dense(1, dtype="float32", name="logits")(features)}
    if codes:
        features = layers.LeakyReLU(0.1)(layers.Dense(128)(features))
        outputs["codes"] = layers.Dense(codes, dtype="float32", name="codes")(features)
    head = layers.Dense(num_classes, dtype="float32", name="classes")
    return outputs | {"classes": head(features)}


def heads(discriminator: Model) -> set[str]:
    """What a discriminator says of an image: "logits", and the names beside it."""
    outputs = discriminator.output
    return set(outputs) if isinstance(outputs, dict) else {"logits"}


def map_sizes(image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Returns the side of the smallest map, 4 to 7 pixels, and how often it doubles.

    Args:
        image_shape: (height, width, channels) of the images.

    Raises:
        UserError: for images that are not square, or cannot be reached.
    """
    height, width, _ = image_shape
    size, doublings = halvings(height)
    if height != width or not 4 <= size <= 7 or not doublings:
        raise UserError(
            "[data] image_size: expected 4, 5, 6 or 7 doubled at least once (28, 32, "
            f"48, 64, 96 or 128), got {height}x{width} pixels"
        )
    return size, doublings


def map_widths(
    image_shape: tuple[int, int, int], width: int, max_width: int
) -> tuple[int, list[int]]:
    """Returns the side of the smallest map, and the channels at each size up from it.

    Args:
        image_shape: (height, width, channels) of the images.
        width: Channels at full size; they double with each halving of size.
        max_width: As far as this.

    Raises:
        UserError: as `map_sizes`, or for widths below 1.
    """
    check_range(1, width=width, max_width=max_width)
    size, doublings = map_sizes(image_shape)
    levels = reversed(range(doublings + 1))
    return size, [min(max_width, width * 2**level) for level in levels]


class SpectralNormalization:
    """Mixin of a layer whose kernel is used as W / sigma(W), its spectral norm.

    sigma = u' W v is part of the gradient; u and v are not. One step of the power
    iteration comes with each of the network's updates (`power_iteration`), none with a
    call, so that all calls of a step see the same layer.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial
    Networks" (arXiv 1802.05957); a convolution's kernel is read as a matrix of
    (height * width * in, out).
    """

    def build(self, input_shape: tuple) -> None:
        """Makes the kernel, and the singular vectors that the iteration improves."""
        super().build(input_shape)
        rows, columns = self._matrix().shape
        for name, size in (("u", columns), ("v", rows)):
            weight = self.add_weight(
                (size,),
                initializers.RandomNormal(),
                trainable=False,
                aggregation="only_first_replica",
                name=name,
            )
            setattr(self, f"_{name}", weight)
        self.iterate()

    def iterate(self) -> None:
        """One step of the power iteration: v = W u, u = W' v, both of length 1."""
        matrix = self._matrix()
        v = ops.normalize(ops.matmul(matrix, self._unit(self._u)), axis=-1)
        self._v.assign(v)
        self._u.assign(ops.normalize(ops.matmul(v, matrix), axis=-1))

    def normalized_kernel(self) -> Tensor:
        """W / sigma(W), of the kernel's shape."""
        matrix = self._matrix()
        u, v = self._unit(self._u), self._unit(self._v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        kernel = ops.cast(self._weight().value, "float32") / sigma
        return ops.cast(kernel, self.compute_dtype)

    def _weight(self):
        return self._kernel

    def _matrix(self):
        kernel = ops.cast(self._weight().value, "float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    @staticmethod
    def _unit(vector):
        # An average over steps is shorter than 1.
        return ops.normalize(ops.cast(vector.value, "float32"), axis=-1)


class SNDense(SpectralNormalization, layers.Dense):
    """A dense layer with a spectrally normalised kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Returns x W / sigma + b."""
        x = ops.matmul(inputs, self.normalized_kernel())
        return self.activation(x + self.bias if self.use_bias else x)


class SNConv2D(SpectralNormalization, layers.Conv2D):
    """A convolution with a spectrally normalised kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Returns x * W / sigma + b."""
        kernel = self.normalized_kernel()
        x = ops.conv(inputs, kernel, list(self.strides), self.padding)
        return self.activation(x + self.bias if self.use_bias else x)


class SNEmbedding(SpectralNormalization, layers.Embedding):
    """An embedding whose table is spectrally normalised."""

    def call(self, inputs: Tensor) -> Tensor:
        """Rows of W / sigma."""
        return ops.take(self.normalized_kernel(), inputs, axis=0)

    def _weight(self):
        return self._embeddings


def power_iteration(network: Model) -> None:
    """Takes one step of the power iteration in each layer that has one and learns."""
    for layer in network._flatten_layers():
        if isinstance(layer, SpectralNormalization) and layer.trainable:
            layer.iterate()


class ConditionalBatchNormalization(layers.Layer):
    """Batch normalisation whose gain and bias are read off a condition.

    y = (x - mean) / std * (1 + gain(c)) + bias(c): Dumoulin et al. 2017 (arXiv
    1610.07629), for labels as Miyato and Koyama 2018 (arXiv 1802.05637), for vectors
    as Brock et al. 2019 (arXiv 1809.11096).

    Args:
        make_linear: From a number of channels to a layer that maps the condition to
            them: an embedding for labels, a dense layer for vectors.
    """

    def __init__(self, make_linear: Callable[[int], layers.Layer]):
        """Makes nothing yet."""
        super().__init__()
        self._make_linear = make_linear

    def build(self, maps_shape: tuple, condition_shape: tuple) -> None:
        """Makes the normalisation and the two linear maps."""
        self.norm = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, center=False, scale=False
        )
        self.norm.build(maps_shape)
        self.gain, self.bias = (self._make_linear(maps_shape[-1]) for _ in range(2))
        self.gain.build(condition_shape)
        self.bias.build(condition_shape)

    def call(self, maps: Tensor, condition: Tensor, training: bool = False) -> Tensor:
        """Normalises.

        Args:
            maps: float [batch, height, width, channels].
            condition: Labels int32 [batch], or float [batch, n].
            training: Whether to use the batch's statistics.

        Returns:
            float [batch, height, width, channels].
        """
        gain = self.gain(condition)[:, None, None]
        bias = self.bias(condition)[:, None, None]
        return self.norm(maps, training=training) * (1.0 + gain) + bias


class SelfAttention(layers.Layer):
    """Each place of a map looks at all others: y = x + gamma o, gamma from 0.

    Source: Zhang et al. 2019, "Self-Attention Generative Adversarial Networks" (arXiv
    1805.08318): 1x1 convolutions with spectral normalisation, an eighth of the channels
    for queries and keys. The authors' code has half of them for values, not an eighth,
    and max-pools keys and values: so does this.
    """

    def build(self, shape: tuple) -> None:
        """Makes the four convolutions and the gate."""
        channels = shape[-1]
        eighth, half = max(1, channels // 8), max(1, channels // 2)
        self._pool = layers.MaxPooling2D(2)
        self._query, self._key, self._value, self._out = (
            SNConv2D(n, 1, use_bias=False) for n in (eighth, eighth, half, channels)
        )
        for convolution in (self._query, self._key, self._value):
            convolution.build(shape)
        self._out.build((*shape[:-1], half))
        self.gamma = self.add_weight((), "zeros", name="gamma")

    def call(self, maps: Tensor) -> Tensor:
        """Attends.

        Args:
            maps: float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels].
        """

        def flat(x):
            return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))

        queries = flat(self._query(maps))
        keys = flat(self._pool(self._key(maps)))
        values = flat(self._pool(self._value(maps)))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        seen = ops.matmul(ops.softmax(scores, axis=-1), values)
        seen = ops.reshape(seen, (-1, *maps.shape[1:3], values.shape[-1]))
        return maps + self.gamma * self._out(seen)


class AddNoise(layers.Layer):
    """Adds one plane of noise to all channels, with a learned strength from 0.

    In training the noise is fresh; else it is the layer's own, always the same.
    """

    def build(self, x_shape: tuple, strength_shape: tuple | None = None) -> None:
        """Makes the strength and the layer's own noise."""
        self.gain = self.add_weight((), "zeros", name="gain")
        own, normal = (*x_shape[1:3], 1), initializers.RandomNormal(stddev=1.0)
        self.own = self.add_weight(own, normal, trainable=False, name="noise")
        self._seeds = random.SeedGenerator()

    def call(
        self, x: Tensor, strength: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Adds noise.

        Args:
            x: float [batch, height, width, channels].
            strength: float [batch], of each picture's noise: 1, or 0 to leave it out;
                1 if not given.
            training: Whether it is fresh.

        Returns:
            Of x's shape.
        """
        noise = self.own
        if training:
            draw = engine.drawing(self._seeds)
            noise = draw(x, *x.shape[1:3], 1, law=random.normal)
            noise = ops.cast(noise, x.dtype)
        if strength is None:
            return x + noise * self.gain
        return x + noise * (self.gain * strength)[:, None, None, None]


class GroupedConv2D(layers.Conv2D):
    """A convolution of the same size whose `groups` are quick on a CPU as well."""

    def call(self, inputs: Tensor) -> Tensor:
        """Convolves each group of channels by itself."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        x = engine.grouped_conv(inputs, kernel)
        return self.activation(x + self.bias if self.use_bias else x)


class PictureConv2D(layers.Conv2D):
    """A convolution of stride 2 over pictures, quick on a CPU in training too.

    CPUs are slow at the gradient of a strided convolution for inputs of 1 or 3
    channels. Here two by two pixels become one of four times the channels, and the
    kernel, folded likewise, runs over them with a stride of 1: the same sums. Sizes
    that are odd, or not known beforehand, take the usual way. Kernels have 2 pixels a
    side or more.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Convolves; padding is "same"."""
        _, height, width, _ = inputs.shape
        odd = not (height and width) or height % 2 or width % 2
        if odd or not engine.current_kernels().fold_strides:
            return super().call(inputs)
        before, more = _margins(self.kernel_size[0])
        x = ops.pad(inputs, ((0, 0), (before, more), (before, more), (0, 0)))
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))
        x = ops.conv(x, _folded(self.kernel, x.dtype), padding="valid")
        return self.activation(x + self.bias if self.use_bias else x)


class PictureConv2DTranspose(layers.Conv2DTranspose):
    """A transposed convolution of stride 2 to pictures, quick on a CPU in training.

    As `PictureConv2D`, the other way round; at inference it is the usual one, so that
    exports hold one operation.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Convolves; padding is "same"."""
        _, height, width, _ = inputs.shape
        folds = training and height and width and engine.current_kernels().fold_strides
        if not folds:
            return super().call(inputs)
        before, _ = _margins(self.kernel_size[0])
        x = ops.conv_transpose(inputs, _folded(self.kernel, inputs.dtype), 1, "valid")
        _, rows, columns, channels = x.shape
        x = ops.reshape(x, (-1, rows, columns, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, 2 * rows, 2 * columns, channels // 4))
        size = (ops.shape(x)[0], 2 * height, 2 * width, channels // 4)
        x = ops.slice(x, (0, before, before, 0), size)  # its gradient beats x[...]'s
        return self.activation(x + self.bias if self.use_bias else x)


def _margins(kernel_size: int) -> tuple[int, int]:
    """What "same" adds before and after, for a folded kernel and a stride of 2."""
    before = (kernel_size - 2) // 2
    return before, kernel_size + kernel_size % 2 - 2 - before


def _folded(kernel: Tensor, dtype: str) -> Tensor:
    """Kernel [k, k, n, m] for pixels folded two by two: [(k+1)//2, (k+1)//2, 4n, m]."""
    odd = (0, kernel.shape[0] % 2)
    kernel = ops.pad(ops.cast(kernel, dtype), (odd, odd, (0, 0), (0, 0)))
    half, channels, filters = kernel.shape[0] // 2, *kernel.shape[2:]
    kernel = ops.reshape(kernel, (half, 2, half, 2, channels, filters))
    kernel = ops.transpose(kernel, (0, 2, 1, 3, 4, 5))
    return ops.reshape(kernel, (half, half, 4 * channels, filters))


def quarter(x: Tensor, corner: Tensor) -> Tensor:
    """Cuts one of the four quarters out of each map or picture.

    Args:
        x: float [batch, height, width, channels]; height and width are even.
        corner: float [batch, 2], 0 or 1: whether the lower, and whether the right half.

    Returns:
        float [batch, height / 2, width / 2, channels].
    """
    _, height, width, _ = x.shape
    lower, right = (corner[:, i, None, None, None] > 0.5 for i in (0, 1))
    x = ops.where(lower, x[:, height // 2 :], x[:, : height // 2])
    return ops.where(right, x[:, :, width // 2 :], x[:, :, : width // 2])


def blur(x: Tensor, padding: int = 1, strides: int = 1, gain: float = 1.0) -> Tensor:
    """Filters every channel with [1, 3, 3, 1] / 8 on both axes; with stride 2, halves.

    Args:
        x: float [batch, height, width, channels].
        padding: Zeros on each side: 1 makes height and width less by 1, 2 more by 1.
        strides: Of the filter.
        gain: The result's factor: 4 after zeros have come between the pixels.

    Returns:
        float [batch, (height + 2 padding - 3) / strides, ..., channels], rounded up.
    """
    line = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
    kernel = gain * np.outer(line, line)[..., None, None]
    dtype = keras.backend.standardize_dtype(x.dtype)
    kernel = np.tile(kernel, (1, 1, x.shape[-1], 1)).astype(dtype)
    around = (padding, padding)
    x = ops.pad(x, ((0, 0), around, around, (0, 0)))
    return engine.depthwise_conv(x, kernel, strides)


class MinibatchStdDev(layers.Layer):
    """Adds a map with how much the pictures of a group differ, on average.

    Source: Karras et al. 2018, "Progressive Growing of GANs" (arXiv 1710.10196): the
    standard deviation over the group of each feature at each place, averaged.

    Args:
        group_size: Pictures in a group; the batch is one group if it does not divide.
    """

    def __init__(self, group_size: int = 4):
        """Makes nothing yet."""
        super().__init__()
        self._group_size = group_size

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """One channel more, whatever the groups will be."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def call(self, maps: Tensor) -> Tensor:
        """Adds the map.

        Args:
            maps: float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels + 1].
        """
        batch, (height, width, channels) = ops.shape(maps)[0], maps.shape[1:]
        if isinstance(batch, int):
            group = batch if batch % self._group_size else self._group_size
        else:  # not known while TensorFlow traces
            group = ops.where(batch % self._group_size == 0, self._group_size, batch)
        # Neighbours of one group: rows i, i + n, i + 2 n, ... of n groups.
        x = ops.cast(maps, "float32")
        x = ops.reshape(x, (group, batch // group, height, width, channels))
        stddev = ops.sqrt(ops.var(x, axis=0) + 1e-8)
        mean = ops.tile(ops.mean(stddev, axis=(1, 2, 3)), (group,))
        mean = ops.cast(mean[:, None, None, None], maps.dtype)
        plane = ops.broadcast_to(mean, (batch, height, width, 1))
        return ops.concatenate([maps, plane], axis=-1)


class PixelNorm(layers.Layer):
    """Scales each place's vector of channels to a mean square of 1.

    Source: Karras et al. 2018 (arXiv 1710.10196).
    """

    def call(self, x: Tensor) -> Tensor:
        """Returns x / sqrt(mean(x^2) + 1e-6), over the last axis, of x's shape."""
        square = ops.mean(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True)
        return x * ops.cast(ops.rsqrt(square + EPSILON), x.dtype)

"""Augmentation of the discriminator's input: DiffAugment and ADA, as layers.

`BaseGAN.discriminate` applies it to real and generated images, in the updates of both
players, with new draws each time. The generator's gradient flows through it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_gans import engine
from keras_gans.core.hparams import Hparams

Tensor = Any
Draw = Callable[..., Tensor]


def make(hparams: Hparams, seeds: keras.random.SeedGenerator) -> Augmentation:
    """Make the layer that `hparams.augment` names.

    Args:
        hparams: Options, of which `augment`, `ada_target` and `ada_images` are read.
        seeds: Seed generator of the draws.

    Returns:
        Layer from images float [batch, height, width, channels] to images of the same
        shape.
    """
    draw = engine.drawing(seeds)
    if hparams.augment == "ada":
        return ADA(draw, hparams.ada_target, hparams.ada_images)
    if hparams.augment:
        return DiffAugment(draw, hparams.augment.split(","))
    return Augmentation()


def distort(images: Tensor, seeds: keras.random.SeedGenerator, amount: float) -> Tensor:
    """Apply a small random rotation, shear, scaling and shift to each image.

    Args:
        images: float [batch, height, width, channels].
        seeds: Seed generator of the draws.
        amount: Strength s. An image is rotated by up to s radians and sheared by up to
            s. Each axis is stretched by up to s / 2, and shifted by up to s / 8 of the
            longer side.

    Returns:
        float [batch, height, width, channels]; mirrored at the borders.
    """
    draw = engine.drawing(seeds)

    def within(size):
        return draw(images, minval=-size, maxval=size)

    steps = [
        _rotation(within(amount)),
        _shear(within(amount)),
        _scale(1.0 + within(amount / 2), 1.0 + within(amount / 2)),
        _shift(within(amount / 4), within(amount / 4)),  # unit: half the longer side
    ]
    return _resample(images, functools.reduce(ops.matmul, steps))


class Augmentation(layers.Layer):
    """No augmentation; base of the augmentations."""

    def __init__(self):
        # Images stay float32 under mixed precision.
        super().__init__(dtype="float32", name="augment")
        self.built = True  # else fit() under a strategy would call the model to build

    def call(self, images: Tensor) -> Tensor:
        """Return the images unchanged."""
        return images

    def steer(self, real_logits: Tensor) -> None:
        """Adapt to the discriminator; called once in each of its updates.

        Args:
            real_logits: Logits of augmented real images, float [batch, ...]; above 0 if
                the discriminator takes an image for real.
        """

    def logs(self) -> dict[str, Tensor]:
        """Return the values to log: {name: float scalar}."""
        return {}


class DiffAugment(Augmentation):
    """Differentiable augmentation, which applies each operation to every image.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN
    Training" (arXiv 2006.10738), the three operations and their ranges.

    Args:
        draw: Function of (images, *shape) that returns uniform draws, [batch, *shape].
        policy: Operations: any of "color", "translation" and "cutout", always applied
            in this order.
    """

    def __init__(self, draw: Draw, policy: list[str]):
        super().__init__()
        self._draw, self._policy = draw, policy

    def call(self, images: Tensor) -> Tensor:
        """Apply the operations of the policy."""
        for word in ("color", "translation", "cutout"):
            if word in self._policy:
                images = getattr(self, f"_{word}")(images)
        return images

    def _color(self, images):
        each = (images, 1, 1, 1)
        images = images + self._draw(*each, minval=-0.5, maxval=0.5)  # brightness
        grey = ops.mean(images, axis=3, keepdims=True)
        images = grey + (images - grey) * self._draw(*each, maxval=2.0)  # saturation
        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        contrast = self._draw(*each, minval=0.5, maxval=1.5)
        return mean + (images - mean) * contrast

    def _translation(self, images):
        """Shift images by up to an eighth of each side, and fill with zeros."""
        _, height, width, _ = images.shape
        rows, columns = (
            _whole(self._draw(images), -int(n / 8 + 0.5), int(n / 8 + 0.5))[:, None]
            + ops.arange(n)
            for n in (height, width)
        )
        # Indices outside of the image give rows of zeros in the one-hot matrix.
        images = ops.einsum("bij,bjwc->biwc", ops.one_hot(rows, height), images)
        return ops.einsum("bij,bhjc->bhic", ops.one_hot(columns, width), images)

    def _cutout(self, images):
        """Set a rectangle of half of each side to zero, with its center anywhere."""
        inside = []
        for n in images.shape[1:3]:
            side = int(n / 2 + 0.5)
            start = _whole(self._draw(images), 0, n - side % 2)[:, None] - side // 2
            at = ops.arange(n)
            inside.append(ops.logical_and(at >= start, at < start + side))
        hole = ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])
        return images * ops.cast(ops.logical_not(hole), images.dtype)[..., None]


class ADA(Augmentation):
    """Adaptive augmentation: geometry and color, with a probability that adapts.

    Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited
    Data" (arXiv 2006.06676): the heuristic r_t = E sign(D(real)) and the pipeline up to
    color ("bgc").

    Difference from the paper: images are sampled bilinearly, without the paper's
    low-pass filters.

    Args:
        draw: Function of (images, *shape) that returns uniform draws, [batch, *shape].
        target: Target of r_t, in [-1, 1].
        num_images: Number of real images in which the probability may rise from 0 to 1.
    """

    INTERVAL = 4  # discriminator updates for each update of the probability

    def __init__(self, draw: Draw, target: float, num_images: int):
        super().__init__()
        self._draw, self._target, self._num_images = draw, target, num_images
        options = {"shape": (), "initializer": "zeros", "trainable": False}
        self.probability = self.add_weight(**options, aggregation="mean")
        self._signs = self.add_weight(**options, aggregation="mean")
        self._updates = self.add_weight(
            **options, dtype="int", aggregation="only_first_replica"
        )

    def call(self, images: Tensor) -> Tensor:
        """Apply the pipeline, each step with the current probability."""
        return self._color(_resample(images, self._geometry(images)))

    def steer(self, real_logits: Tensor) -> None:
        """Move the probability by the sign of (mean sign of D(real) - target).

        Args:
            real_logits: Logits of augmented real images, float [batch, ...]; above 0 if
                the discriminator takes an image for real.
        """
        signs = ops.mean(ops.sign(ops.cast(real_logits, "float32")))
        self._signs.assign_add(signs / self.INTERVAL)
        self._updates.assign_add(1)
        due = ops.cast(self._updates.value % self.INTERVAL == 0, "float32")
        batch = ops.shape(real_logits)[0] * engine.num_replicas()
        step = self.INTERVAL * ops.cast(batch, "float32") / self._num_images
        direction = ops.sign(self._signs.value - self._target)
        self.probability.assign(
            ops.maximum(self.probability.value + due * step * direction, 0.0)
        )
        self._signs.assign(self._signs.value * (1.0 - due))

    def logs(self) -> dict[str, Tensor]:
        """Return the probability."""
        return {"augment_probability": self.probability.value}

    def _sometimes(self, values, neutral, probability=None):
        chance = self.probability.value if probability is None else probability
        draws = self._draw(values, *[1] * (len(values.shape) - 1))  # one for each image
        return ops.where(draws < chance, values, neutral)

    def _normal(self, images, stddev):
        return self._draw(images, law=keras.random.normal, stddev=stddev)

    def _geometry(self, images):
        """Return matrices [batch, 3, 3] from coordinates in the result to the image."""
        _, height, width, _ = images.shape
        side = max(height, width)
        # At least one of the two rotations occurs with probability p.
        chance = 1.0 - ops.sqrt(ops.maximum(1.0 - self.probability.value, 0.0))

        def angle():
            return self._draw(images, minval=-math.pi, maxval=math.pi)

        def shift(*parts):  # in units of half the longer side; both axes or neither
            return _shift(*ops.unstack(self._sometimes(ops.stack(parts, 1), 0.0), 2, 1))

        def whole(size):  # pixels
            part = self._draw(images, minval=-0.125, maxval=0.125)
            return 2 * ops.round(part * size) / side

        flip = self._sometimes(1.0 - 2 * _whole(self._draw(images), 0, 1, float), 1.0)
        quarters = _whole(self._draw(images), 0, 3, float) * (math.pi / 2)
        even = self._sometimes(2.0 ** self._normal(images, 0.2), 1.0)
        uneven = self._sometimes(2.0 ** self._normal(images, 0.2), 1.0)
        steps = [
            _scale(flip, ops.ones_like(flip)),
            _rotation(self._sometimes(quarters, 0.0)),
            shift(whole(width), whole(height)),
            _scale(even, even),
            _rotation(self._sometimes(angle(), 0.0, chance)),
            _scale(uneven, 1.0 / uneven),
            _rotation(self._sometimes(angle(), 0.0, chance)),
            shift(*(2 * self._normal(images, 0.125) for _ in "xy")),
        ]
        # The inverse undoes the last step of the pipeline first.
        return functools.reduce(ops.matmul, steps)

    def _color(self, images):
        def each(values):
            return values[:, None, None, None]

        images = images + each(self._sometimes(self._normal(images, 0.2), 0.0))
        contrast = self._sometimes(2.0 ** self._normal(images, 0.5), 1.0)
        images = images * each(contrast)
        flip = self._sometimes(1.0 - 2 * _whole(self._draw(images), 0, 1, float), 1.0)
        luma = ops.mean(images, axis=3, keepdims=True)
        chroma = images - luma
        luma = luma * each(flip)  # mirrors colors along the gray axis
        if images.shape[3] == 1:
            return luma
        hue = self._draw(images, minval=-math.pi, maxval=math.pi)
        hue = each(self._sometimes(hue, 0.0))
        saturation = self._sometimes(2.0 ** self._normal(images, 1.0), 1.0)
        # Rodrigues' rotation formula: chroma is orthogonal to the gray axis.
        after = [ops.roll(chroma, k, axis=3) for k in (1, -1)]
        turned = (after[0] - after[1]) / math.sqrt(3.0)
        chroma = chroma * ops.cos(hue) + turned * ops.sin(hue)
        return luma + chroma * each(saturation)


def _whole(uniform, low, high, kind=int):
    """Turn draws from U(0, 1) into integers from low to high, both included."""
    numbers = low + ops.floor(uniform * (high - low + 1))
    return numbers if kind is float else ops.cast(numbers, "int32")


def _matrices(*entries):
    """Stack nine entries, floats or [batch], into [batch, 3, 3]."""
    like = next(e for e in entries if not isinstance(e, float))
    rows = ops.stack([ops.zeros_like(like) + e for e in entries], axis=-1)
    return ops.reshape(rows, (-1, 3, 3))


# Inverse of each step: from coordinates in its output to coordinates in its input.
def _scale(x, y):
    return _matrices(1.0 / x, 0.0, 0.0, 0.0, 1.0 / y, 0.0, 0.0, 0.0, 1.0)


def _shift(x, y):
    return _matrices(1.0, 0.0, -x, 0.0, 1.0, -y, 0.0, 0.0, 1.0)


def _shear(x):
    return _matrices(ops.ones_like(x), -x, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def _rotation(angle):
    sin, cos = ops.sin(angle), ops.cos(angle)
    return _matrices(cos, sin, 0.0, -sin, cos, 0.0, 0.0, 0.0, 1.0)


def _resample(images, matrices):
    """Sample each image bilinearly at transformed coordinates; mirrored at the borders.

    Args:
        images: float [batch, height, width, channels].
        matrices: float [batch, 3, 3], applied to (x, y, 1); the longer side of the
            image spans -1 to 1.

    Returns:
        float [batch, height, width, channels].
    """
    _, height, width, channels = images.shape
    side = max(height, width)
    # Pixel centers, in one unit for both axes, so that rotations keep angles.
    ys, xs = (
        (2 * ops.arange(n, dtype="float32") + 1 - n) / side for n in (height, width)
    )
    grid = ops.stack(
        [
            ops.tile(xs[None], (height, 1)),
            ops.tile(ys[:, None], (1, width)),
            ops.ones((height, width)),
        ]
    )
    places = ops.matmul(matrices[:, :2], ops.reshape(grid, (3, height * width)))
    x = _mirror((places[:, 0] * side + width - 1) / 2, width)
    y = _mirror((places[:, 1] * side + height - 1) / 2, height)
    left, top = ops.floor(x), ops.floor(y)
    flat = ops.reshape(images, (-1, height * width, channels))
    result = 0.0
    for row, in_row in ((top, top + 1 - y), (top + 1, y - top)):
        for column, in_column in ((left, left + 1 - x), (left + 1, x - left)):
            row, column = ops.minimum(row, height - 1), ops.minimum(column, width - 1)
            number = ops.cast(row * width + column, "int32")[..., None]
            pixels = ops.take_along_axis(
                flat, ops.tile(number, (1, 1, channels)), axis=1
            )
            result = result + pixels * (in_row * in_column)[..., None]
    return ops.reshape(result, ops.shape(images))


def _mirror(at, size):
    """Fold coordinates into 0..size-1, as if mirrored images continued the image."""
    if size == 1:
        return ops.zeros_like(at)
    period = 2.0 * (size - 1)
    at = ops.mod(at, period)
    return ops.minimum(at, period - at)

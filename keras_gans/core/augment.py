"""What the discriminator sees through: DiffAugment and ADA, as layers.

Applied in `BaseGAN.discriminate`, to real and generated pictures, in both players'
updates, each time with draws of its own; the generator's gradient runs through them.
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
    """Makes the layer that `hparams.augment` names.

    Args:
        hparams: `augment`, `ada_target` and `ada_images`.
        seeds: Where the draws come from.

    Returns:
        The layer, from images float [batch, height, width, channels] to the like.
    """
    draw = engine.drawing(seeds)
    if hparams.augment == "ada":
        return ADA(draw, hparams.ada_target, hparams.ada_images)
    if hparams.augment:
        return DiffAugment(draw, hparams.augment.split(","))
    return Augmentation()


def distort(images: Tensor, seeds: keras.random.SeedGenerator, amount: float) -> Tensor:
    """Turns, shears, stretches and shifts each picture a little; not what it shows.

    Args:
        images: float [batch, height, width, channels].
        seeds: Where the draws come from.
        amount: s. Turned by up to s radians and sheared by up to s, its axes stretched
            by up to s / 2 each, shifted by up to s / 8 of the longer side each way.

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
        _shift(within(amount / 4), within(amount / 4)),  # of half the side
    ]
    return _resample(images, functools.reduce(ops.matmul, steps))


class Augmentation(layers.Layer):
    """No augmentation: images come out as they are."""

    def __init__(self):
        """Takes part in no mixed precision: pictures are float32."""
        super().__init__(dtype="float32", name="augment")
        self.built = True  # else fit() under a strategy would call the model to build

    def call(self, images: Tensor) -> Tensor:
        """Returns the images."""
        return images

    def steer(self, real_logits: Tensor) -> None:
        """Learns how the discriminator does; called once in each of its updates.

        Args:
            real_logits: Raw logits of (augmented) real pictures, float [batch, ...].
        """

    def logs(self) -> dict[str, Tensor]:
        """What the log shows of it: {name: float scalar}."""
        return {}


class DiffAugment(Augmentation):
    """Differentiable augmentation, each operation on every picture.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN
    Training" (arXiv 2006.10738), the three operations and their ranges.

    Args:
        draw: From (images, *shape) to uniform draws, [batch, *shape].
        policy: Any of "color", "translation" and "cutout"; applied in this order.
    """

    def __init__(self, draw: Draw, policy: list[str]):
        """Keeps the policy."""
        super().__init__()
        self._draw, self._policy = draw, policy

    def call(self, images: Tensor) -> Tensor:
        """Applies the policy."""
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
        """Shifts by up to an eighth of the side; zeros come in."""
        _, height, width, _ = images.shape
        rows, columns = (
            _whole(self._draw(images), -int(n / 8 + 0.5), int(n / 8 + 0.5))[:, None]
            + ops.arange(n)
            for n in (height, width)
        )
        # Rows outside of the picture have no one in their row of the matrix: zeros.
        images = ops.einsum("bij,bjwc->biwc", ops.one_hot(rows, height), images)
        return ops.einsum("bij,bhjc->bhic", ops.one_hot(columns, width), images)

    def _cutout(self, images):
        """Zeroes a square of half the side, its centre anywhere in the picture."""
        inside = []
        for n in images.shape[1:3]:
            side = int(n / 2 + 0.5)
            start = _whole(self._draw(images), 0, n - side % 2)[:, None] - side // 2
            at = ops.arange(n)
            inside.append(ops.logical_and(at >= start, at < start + side))
        hole = ops.logical_and(inside[0][:, :, None], inside[1][:, None, :])
        return images * ops.cast(ops.logical_not(hole), images.dtype)[..., None]


class ADA(Augmentation):
    """Adaptive augmentation: geometry and colour, each with a probability that adapts.

    Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited
    Data" (arXiv 2006.06676): the heuristic r_t = E sign(D(real)) and the pipeline up to
    colour ("bgc"). Pictures are sampled bilinearly, where the paper low-pass filters.

    Args:
        draw: From (images, *shape) to uniform draws, [batch, *shape].
        target: Of r_t.
        num_images: Real pictures over which the probability may go from 0 to 1.
    """

    INTERVAL = 4  # updates of the discriminator between two of the probability

    def __init__(self, draw: Draw, target: float, num_images: int):
        """Starts at probability 0."""
        super().__init__()
        self._draw, self._target, self._num_images = draw, target, num_images
        options = {"shape": (), "initializer": "zeros", "trainable": False}
        self.probability = self.add_weight(**options, aggregation="mean")
        self._signs = self.add_weight(**options, aggregation="mean")
        self._updates = self.add_weight(
            **options, dtype="int", aggregation="only_first_replica"
        )

    def call(self, images: Tensor) -> Tensor:
        """Applies the pipeline."""
        return self._color(_resample(images, self._geometry(images)))

    def steer(self, real_logits: Tensor) -> None:
        """Moves the probability by the sign of (mean sign of D(real) - target)."""
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
        """The probability."""
        return {"augment_probability": self.probability.value}

    def _sometimes(self, values, neutral, probability=None):
        chance = self.probability.value if probability is None else probability
        draws = self._draw(values, *[1] * (len(values.shape) - 1))  # one for each row
        return ops.where(draws < chance, values, neutral)

    def _normal(self, images, stddev):
        return self._draw(images, law=keras.random.normal, stddev=stddev)

    def _geometry(self, images):
        """Matrices [batch, 3, 3] from places in the result to places in the image."""
        _, height, width, _ = images.shape
        side = max(height, width)
        # Two rotations share one chance: of either being there, p.
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
        # Last in the pipeline, first to be undone.
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
        luma = luma * each(flip)  # about the axis of greys
        if images.shape[3] == 1:
            return luma
        hue = self._draw(images, minval=-math.pi, maxval=math.pi)
        hue = each(self._sometimes(hue, 0.0))
        saturation = self._sometimes(2.0 ** self._normal(images, 1.0), 1.0)
        # Rodrigues' formula: chroma is at right angles to the axis of greys.
        after = [ops.roll(chroma, k, axis=3) for k in (1, -1)]
        turned = (after[0] - after[1]) / math.sqrt(3.0)
        chroma = chroma * ops.cos(hue) + turned * ops.sin(hue)
        return luma + chroma * each(saturation)


def _whole(uniform, low, high, kind=int):
    """Turns draws from U(0, 1) into whole numbers from low to high, both included."""
    numbers = low + ops.floor(uniform * (high - low + 1))
    return numbers if kind is float else ops.cast(numbers, "int32")


def _matrices(*entries):
    """Stacks nine [batch] entries into [batch, 3, 3]."""
    like = next(e for e in entries if not isinstance(e, float))
    rows = ops.stack([ops.zeros_like(like) + e for e in entries], axis=-1)
    return ops.reshape(rows, (-1, 3, 3))


# The inverse of each step: from a place in its result to one in what it was given.
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
    """Looks each pixel up where a matrix says, bilinearly; mirrored at the borders.

    Args:
        images: float [batch, height, width, channels].
        matrices: float [batch, 3, 3], on (x, y, 1) with x and y from -1 to 1 between
            the picture's borders.

    Returns:
        float [batch, height, width, channels].
    """
    _, height, width, channels = images.shape
    side = max(height, width)
    # Centres of the pixels; one unit for both axes, so that a rotation is one.
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
    """Folds places into 0..size-1, as if the picture went on in mirrors."""
    if size == 1:
        return ops.zeros_like(at)
    period = 2.0 * (size - 1)
    at = ops.mod(at, period)
    return ops.minimum(at, period - at)

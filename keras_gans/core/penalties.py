"""Gradient penalties: a score function and images in, one penalty for each example out.

The score function maps images [batch, ...] to logits [batch, 1] and must treat the
examples apart: with batch normalisation in the discriminator, the gradient at one
image mixes all of them. Norms run over all of an image's values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import Model, Variable, layers, ops

from keras_gans import engine
from keras_gans.core.hparams import Hparams
from keras_gans.engine.keras_private import flatten_layers
from keras_gans.errors import UserError

Tensor = Any
TINY = 1e-12  # below the root: its gradient at 0 is infinite


def squared_gradient_norm(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """|grad D(x)|^2: R1 at real images, R2 at generated ones, without gamma / 2.

    Source: Mescheder et al. 2018 (arXiv 1801.04406), the regularisers R1 and R2.

    Args:
        score: From images to logits.
        images: float [batch, ...], where the gradient is taken.

    Returns:
        float [batch].
    """
    return scored(score, images)[1]


def scored(
    score: Callable[[Tensor], Tensor],
    images: Tensor,
    step: Variable | None = None,
    every: int = 1,
) -> tuple[Tensor, Tensor]:
    """The scores themselves, and `squared_gradient_norm`; from one pass, if not lazy.

    Args:
        score: From images to logits.
        images: float [batch, ...], where the gradient is taken.
        step: The number of the step, from 0; read if the norms are lazy.
        every: Steps from one norm to the next, which then counts for all of them.

    Returns:
        (logits [batch, 1], float [batch]).
    """
    if every > 1:
        zeros = ops.zeros(ops.shape(images)[:1])
        norms = lazy(lambda: squared_gradient_norm(score, images), step, every, zeros)
        return score(images), every * norms
    logits, gradient = engine.value_and_gradient(score, images)
    axes = tuple(range(1, len(images.shape)))
    return logits, ops.sum(ops.square(gradient), axis=axes)


def two_sided(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(|grad D(x)| - 1)^2: pulls the gradient's norm to 1, from both sides.

    Source: Gulrajani et al. 2017 (arXiv 1704.00028), the penalty at points between
    real and generated images (see `between`), and Kodali et al. 2017 (arXiv
    1705.07215), at points around real images.

    Args:
        score: From images to logits.
        images: float [batch, ...], where the gradient is taken.

    Returns:
        float [batch].
    """
    return ops.square(ops.sqrt(squared_gradient_norm(score, images) + TINY) - 1.0)


def r1(
    score: Callable[[Tensor], Tensor], real: Tensor, step: Variable, hparams: Hparams
) -> Tensor:
    """R1: gamma / 2 |grad D(x)|^2, in every so many steps and so many times as large.

    Args:
        score: From images to logits.
        real: Real images, float [batch, ...].
        step: The number of the step, from 0.
        hparams: `r1_weight` is gamma; `r1_every`, the steps from one to the next.

    Returns:
        float [batch].
    """
    zeros = ops.zeros(ops.shape(real)[:1])
    norms = lazy(
        lambda: squared_gradient_norm(score, real), step, hparams.r1_every, zeros
    )
    return hparams.r1_weight / 2 * hparams.r1_every * norms


def lazy(
    penalty: Callable[[], Tensor], step: Variable, every: int, otherwise: Tensor
) -> Tensor:
    """Computes a penalty in every so many steps only.

    Source: Karras et al. 2020 (arXiv 1912.04958), lazy regularisation; without the
    factor of `every` that makes up for the steps between.

    Args:
        penalty: Returns float [batch]; it must assign no variable of several devices.
        step: The number of the step, from 0.
        every: Steps from one to the next.
        otherwise: What stands for it in the steps between, float [batch].

    Returns:
        float [batch].
    """
    if every == 1:
        return penalty()
    return engine.every(step, every, penalty, lambda: otherwise)


def path_lengths(
    synthesize: Callable[[Tensor], Tensor], styles: Tensor, noise: Tensor
) -> Tensor:
    """|J_w' y|_2: how far a picture moves with its styles, in a random direction.

    Source: Karras et al. 2020 (arXiv 1912.04958), its equation 4, with the mean of the
    squares over the layers, whose styles are apart.

    Args:
        synthesize: From styles to images float [batch, height, width, channels].
        styles: float [batch, layers, style_dim], where the Jacobian is taken.
        noise: y, N(0, I), of the images' shape.

    Returns:
        float [batch].
    """
    height, width = noise.shape[1:3]

    def along(w):
        return ops.sum(synthesize(w) * noise, axis=(1, 2, 3)) / (height * width) ** 0.5

    _, gradient = engine.value_and_gradient(along, styles)
    squares = ops.sum(ops.square(ops.cast(gradient, "float32")), axis=2)
    return ops.sqrt(ops.mean(squares, axis=1) + TINY)


class PathLength(layers.Layer):
    """(|J_w' y|_2 - a)^2, where a is an average of the lengths of earlier steps.

    Source: Karras et al. 2020 (arXiv 1912.04958), its equation 4.
    """

    DECAY = 0.01  # share of a batch's mean that goes into a

    def __init__(self):
        """Starts at a = 0."""
        super().__init__(dtype="float32", name="path_length")
        self.mean = self.add_weight(
            (), "zeros", trainable=False, aggregation="mean", name="mean"
        )
        self.built = True

    def penalty(
        self,
        lengths: Callable[[], Tensor],
        step: Variable,
        every: int,
        batch: Tensor,
    ) -> Tensor:
        """Computes the penalty in every so many steps; it is 0 in those between.

        Args:
            lengths: Returns `path_lengths`, float [batch].
            step: The number of the step, from 0.
            every: Steps from one to the next.
            batch: Anything of [batch, ...].

        Returns:
            float [batch].
        """
        mean = self.mean.value
        found = lazy(lengths, step, every, mean * ops.ones(ops.shape(batch)[:1]))
        penalty = ops.square(found - mean)
        moved = ops.mean(ops.stop_gradient(found)) - mean
        moved = ops.where(ops.isfinite(moved), moved, 0.0)  # of a step left out
        self.mean.assign(mean + self.DECAY * moved / engine.part()[1])
        return penalty


def between(real: Tensor, fake: Tensor, weights: Tensor) -> Tensor:
    """Points x + u (G(z) - x), on the segments between real and generated images.

    Source: Gulrajani et al. 2017 (arXiv 1704.00028), the training algorithm.

    Args:
        real: float [batch, ...].
        fake: float [batch, ...], each paired with the real one beside it.
        weights: float [batch], u from U(0, 1), one for each pair.

    Returns:
        float [batch, ...].
    """
    weights = ops.reshape(weights, (-1,) + (1,) * (len(real.shape) - 1))
    return real + weights * (fake - real)


def orthogonal(kernel: Tensor) -> Tensor:
    """|W' W * (1 - I)|_F^2: pushes the columns of a kernel to right angles.

    Source: Brock et al. 2019 (arXiv 1809.11096), the form that leaves the columns'
    lengths free; without beta.

    Args:
        kernel: float [..., out]; a column for each output.

    Returns:
        float scalar.
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    gram = ops.matmul(ops.transpose(matrix), matrix)
    return ops.sum(ops.square(gram * (1.0 - ops.eye(kernel.shape[-1]))))


def check_network(discriminator: Model) -> None:
    """Checks that a discriminator's gradient at one image is that image's alone.

    Args:
        discriminator: The network.

    Raises:
        UserError: if it has batch normalisation, which mixes the images of a batch.
    """
    for layer in flatten_layers(discriminator):
        if isinstance(layer, layers.BatchNormalization):
            raise UserError(
                "a gradient penalty is for each picture, and batch normalisation in "
                "the discriminator mixes them; set discriminator.normalization=none"
            )

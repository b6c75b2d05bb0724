"""Gradient penalties: from a score function and images to a penalty for each example.

The score function maps images [batch, ...] to logits [batch, 1]. It must treat the
examples independently: with batch normalization in the discriminator, the gradient at
one image depends on all images. Norms are taken over all values of an image.
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
TINY = 1e-12  # added under a square root, whose gradient at 0 is infinite


def squared_gradient_norm(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Compute |grad D(x)|^2: R1 at real images, R2 at fake ones, without gamma / 2.

    Source: Mescheder et al. 2018 (arXiv 1801.04406), the regularizers R1 and R2.

    Args:
        score: Function from images to logits.
        images: float [batch, ...], points at which the gradient is taken.

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
    """Compute the scores and `squared_gradient_norm`, in one pass if not lazy.

    Args:
        score: Function from images to logits.
        images: float [batch, ...], points at which the gradient is taken.
        step: Variable that counts training steps, from 0; read if the norms are lazy.
        every: Number of steps from one norm to the next; the norm is multiplied by it.

    Returns:
        (logits [batch, 1], norms float [batch]); lazy norms are 0 in the steps between.
    """
    if every > 1:
        zeros = ops.zeros(ops.shape(images)[:1])
        norms = lazy(lambda: squared_gradient_norm(score, images), step, every, zeros)
        return score(images), every * norms
    logits, gradient = engine.value_and_gradient(score, images)
    axes = tuple(range(1, len(images.shape)))
    return logits, ops.sum(ops.square(gradient), axis=axes)


def two_sided(score: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Compute (|grad D(x)| - 1)^2, which pulls the norm to 1 from both sides.

    Source: Gulrajani et al. 2017 (arXiv 1704.00028), the penalty at points between real
    and generated images (see `between`), and Kodali et al. 2017 (arXiv 1705.07215), at
    points around real images.

    Args:
        score: Function from images to logits.
        images: float [batch, ...], points at which the gradient is taken.

    Returns:
        float [batch].
    """
    return ops.square(ops.sqrt(squared_gradient_norm(score, images) + TINY) - 1.0)


def r1(
    score: Callable[[Tensor], Tensor], real: Tensor, step: Variable, hparams: Hparams
) -> Tensor:
    """Compute the R1 penalty, gamma / 2 |grad D(x)|^2, every `r1_every` steps.

    The penalty is multiplied by `r1_every`, and is 0 in the steps between.

    Args:
        score: Function from images to logits.
        real: Real images, float [batch, ...].
        step: Variable that counts training steps, from 0.
        hparams: Options: `r1_weight` is gamma, `r1_every` the number of steps from one
            penalty to the next.

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
    """Compute a penalty only every `every` steps.

    Source: Karras et al. 2020 (arXiv 1912.04958), lazy regularization. The caller has
    to multiply the penalty by `every`, which makes up for the steps between.

    Args:
        penalty: Function that returns float [batch]; it must not assign a variable that
            several devices share.
        step: Variable that counts training steps, from 0.
        every: Number of steps from one penalty to the next.
        otherwise: Substitute in the steps between, float [batch].

    Returns:
        float [batch].
    """
    if every == 1:
        return penalty()
    return engine.every(step, every, penalty, lambda: otherwise)


def path_lengths(
    synthesize: Callable[[Tensor], Tensor], styles: Tensor, noise: Tensor
) -> Tensor:
    """Compute |J_w' y|_2: the change of an image in a random direction with its styles.

    Source: Karras et al. 2020 (arXiv 1912.04958), its equation 4. Each layer has its
    own styles: the squared norms of the layers are averaged.

    Args:
        synthesize: Function from styles to images float [batch, height, width,
            channels].
        styles: float [batch, layers, style_dim], points at which the Jacobian is taken.
        noise: Directions y from N(0, I), in the shape of the images.

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
    """Penalty (|J_w' y|_2 - a)^2, where a is a moving average of the lengths.

    Source: Karras et al. 2020 (arXiv 1912.04958), its equation 4.
    """

    DECAY = 0.01  # share of a batch's mean that goes into a

    def __init__(self):
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
        """Compute the penalty every `every` steps; it is 0 in the steps between.

        Args:
            lengths: Function that returns `path_lengths`, float [batch].
            step: Variable that counts training steps, from 0.
            every: Number of steps from one penalty to the next.
            batch: Any tensor [batch, ...], of which only the batch size is read.

        Returns:
            float [batch].
        """
        mean = self.mean.value
        found = lazy(lengths, step, every, mean * ops.ones(ops.shape(batch)[:1]))
        penalty = ops.square(found - mean)
        moved = ops.mean(ops.stop_gradient(found)) - mean
        moved = ops.where(ops.isfinite(moved), moved, 0.0)  # a skipped step
        self.mean.assign(mean + self.DECAY * moved / engine.part()[1])
        return penalty


def between(real: Tensor, fake: Tensor, weights: Tensor) -> Tensor:
    """Return points x + u (G(z) - x) on the segments between real and generated images.

    Source: Gulrajani et al. 2017 (arXiv 1704.00028), the training algorithm.

    Args:
        real: Real images x, float [batch, ...].
        fake: Generated images G(z), float [batch, ...], each paired with the real image
            of its index.
        weights: u from U(0, 1), float [batch], one for each pair.

    Returns:
        float [batch, ...].
    """
    weights = ops.reshape(weights, (-1,) + (1,) * (len(real.shape) - 1))
    return real + weights * (fake - real)


def orthogonal(kernel: Tensor) -> Tensor:
    """Compute |W' W * (1 - I)|_F^2, which makes the columns of a kernel orthogonal.

    Source: Brock et al. 2019 (arXiv 1809.11096), the form that does not constrain the
    lengths of the columns; without the factor beta.

    Args:
        kernel: float [..., out], with a column for each output.

    Returns:
        float scalar.
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    rows, columns = matrix.shape
    if rows < columns:
        # |W' W|_F = |W W'|_F, of which the latter is smaller. Its diagonal is not left
        # out: that of W' W holds the squared lengths of the columns.
        gram = ops.matmul(matrix, ops.transpose(matrix))
        lengths = ops.sum(ops.square(matrix), axis=0)
        return ops.sum(ops.square(gram)) - ops.sum(ops.square(lengths))
    gram = ops.matmul(ops.transpose(matrix), matrix)
    return ops.sum(ops.square(gram * (1.0 - ops.eye(columns))))


def check_network(discriminator: Model) -> None:
    """Check that a discriminator's gradient at one image depends on that image alone.

    Args:
        discriminator: Discriminator to check.

    Raises:
        UserError: If it has batch normalization, which mixes the images of a batch.
    """
    for layer in flatten_layers(discriminator):
        if isinstance(layer, layers.BatchNormalization):
            raise UserError(
                "a gradient penalty needs the gradient of each image alone, but batch "
                "normalization in the discriminator mixes the images of a batch; set "
                "discriminator.normalization=none"
            )

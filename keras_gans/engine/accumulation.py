"""Gradient accumulation: one update from a batch that is computed in several parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from keras_gans import engine
from keras_gans.errors import UserError

Tensor = Any


def minimize(
    losses_fn: Callable[..., dict[str, Tensor]],
    batch: dict[str, Tensor],
    parts: int,
    seeds: engine.StepSeed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    shared: engine.Shared | None = None,
) -> dict[str, Tensor]:
    """Take one optimizer step on the loss terms of a batch; see `engine.minimize`.

    Each part uses its rows of the random numbers that the whole batch would draw.
    Operations over several images (batch normalization, relative scores, image pools)
    see only the images of their part.

    Args:
        losses_fn: Function from a batch to unreduced terms, {name: float [rows, ...]}.
        batch: {name: tensor [batch, ...]}.
        parts: Number of parts; the batch size must be divisible by it.
        seeds: Seed generator of the training step.
        variables: Variables to differentiate with respect to and to update.
        optimizer: Optimizer that was built on these variables.
        shared: Outputs of these variables that the terms use, if there is one part.

    Returns:
        Means of the terms, and "gradient_norm".

    Raises:
        UserError: If the batch size is unknown or not divisible by `parts`.
    """
    drawn = seeds.draws

    def terms(i: int) -> dict[str, Tensor]:
        seeds.begin_step(drawn)
        if parts == 1:
            return losses_fn(batch)
        rows = batch["images"].shape[0]
        if rows is None or rows % parts:
            raise UserError(
                f"accumulate: expected batches of a fixed size divisible by {parts}, "
                f"got {rows or 'unknown'}; in tf.data, use drop_remainder=True"
            )
        size = rows // parts
        rows = slice(i * size, (i + 1) * size)
        return losses_fn({name: value[rows] for name, value in batch.items()})

    fns = [partial(terms, i) for i in range(parts)]
    return engine.minimize(fns, variables, optimizer, shared)

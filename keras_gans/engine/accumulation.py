"""One update from a batch that is computed part by part, to need less memory."""

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
) -> dict[str, Tensor]:
    """Takes one step on the terms of a batch; see `engine.minimize`.

    Each part sees its rows of the draws that the whole batch would. What looks at
    several pictures at once (batch normalisation, relative scores, pools) sees those of
    its part.

    Args:
        losses_fn: From a batch to the terms.
        batch: {name: tensor [batch, ...]}.
        parts: How many; the batch divides by it.
        seeds: Where the draws come from.
        variables: What the step may change.
        optimizer: Built on these variables.

    Returns:
        The means of the terms, and "gradient_norm".
    """
    drawn = seeds.draws

    def terms(i: int) -> dict[str, Tensor]:
        seeds.begin_step(drawn)
        if parts == 1:
            return losses_fn(batch)
        rows = batch["images"].shape[0]
        if rows is None or rows % parts:
            raise UserError(
                f"accumulate: expected batches of a fixed size that {parts} parts "
                f"divide, got {rows or 'unknown'} (tf.data: drop_remainder=True)"
            )
        size = rows // parts
        rows = slice(i * size, (i + 1) * size)
        return losses_fn({name: value[rows] for name, value in batch.items()})

    fns = [partial(terms, i) for i in range(parts)]
    return engine.minimize(fns, variables, optimizer)

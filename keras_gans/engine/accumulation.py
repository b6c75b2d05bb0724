"""One update from a batch that is computed part by part, to need less memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras

from keras_gans import engine

Tensor = Any


def minimize(
    losses_fn: Callable[..., dict[str, Tensor]],
    batch: tuple[Tensor, Tensor | None],
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
        losses_fn: From real pictures and labels to the terms.
        batch: Both, float [batch, ...] and int32 [batch] or None.
        parts: How many; the batch divides by it.
        seeds: Where the draws come from.
        variables: What the step may change.
        optimizer: Built on these variables.

    Returns:
        The means of the terms, and "gradient_norm".
    """
    drawn, size = seeds.draws, batch[0].shape[0] // parts

    def terms(i: int) -> dict[str, Tensor]:
        seeds.begin_step(drawn)
        rows = slice(i * size, (i + 1) * size)
        return losses_fn(*(x if x is None or parts == 1 else x[rows] for x in batch))

    fns = [partial(terms, i) for i in range(parts)]
    return engine.minimize(fns, variables, optimizer)

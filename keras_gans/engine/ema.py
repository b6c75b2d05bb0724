"""Moving average (EMA) of the generator, which is sampled, evaluated and exported."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


def update(average: keras.Model, network: keras.Model, decay: Tensor) -> None:
    """Move the average of a network's weights towards the current weights.

    All weights are averaged, including non-trainable ones, as the statistics of batch
    normalization.

    Args:
        average: Network of the same architecture that holds the average; changed in
            place.
        network: Network to average over the steps.
        decay: Share of the average that is kept, in [0, 1).
    """
    for mean, weight in zip(average.weights, network.weights, strict=True):
        mean.assign_sub((1.0 - decay) * (mean.value - weight.value))


def early(decay: float, step: keras.Variable) -> Tensor:
    """Return a lower decay in early steps, so that the average follows quickly.

    Args:
        decay: Decay of later steps, in [0, 1).
        step: Number of the training step, from 1.

    Returns:
        The smaller of `decay` and (1 + step) / (10 + step).
    """
    number = ops.cast(step.value, "float32")
    return ops.minimum(decay, (1.0 + number) / (10.0 + number))

"""The averaged generator: what is sampled, evaluated and exported."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


def update(average: keras.Model, network: keras.Model, decay: Tensor) -> None:
    """Moves an average of a network's weights, statistics included, towards it.

    Args:
        average: Of the same architecture; changed in place.
        network: What is averaged over the steps.
        decay: Share of the average that stays, in [0, 1).
    """
    for mean, weight in zip(average.weights, network.weights, strict=True):
        mean.assign_sub((1.0 - decay) * (mean.value - weight.value))


def early(decay: float, step: keras.Variable) -> Tensor:
    """A decay that lets the average follow at once early on.

    Args:
        decay: Of later steps, in [0, 1).
        step: The number of the training step, from 1.

    Returns:
        The decay, or (1 + step) / (10 + step) as long as that is lower.
    """
    number = ops.cast(step.value, "float32")
    return ops.minimum(decay, (1.0 + number) / (10.0 + number))

"""The averaged generator: what is sampled, evaluated and exported."""

from __future__ import annotations

import keras
from keras import ops


def update(
    average: keras.Model, network: keras.Model, step: keras.Variable, decay: float
) -> None:
    """Moves an average of a network's weights, statistics included, towards it.

    Args:
        average: Of the same architecture; changed in place.
        network: What is averaged over the steps.
        step: The number of the training step, from 1.
        decay: Share of the average that stays, in [0, 1); early on it is lowered to
            (1 + step) / (10 + step), so that the average follows at once.
    """
    number = ops.cast(step.value, "float32")
    decay = ops.minimum(decay, (1.0 + number) / (10.0 + number))
    for mean, weight in zip(average.weights, network.weights, strict=True):
        mean.assign_sub((1.0 - decay) * (mean.value - weight.value))

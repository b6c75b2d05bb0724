"""Gradients and devices: the only part of a training step that knows Keras's backend.

Variants, networks, losses and penalties speak `keras.ops`, and the names below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_gans.engine.seeds import StepSeed
from keras_gans.engine.tracing import part

if keras.backend.backend() == "jax":
    from keras_gans.engine import jax as backend
    from keras_gans.engine.jax_speed import BareLoop, multiplications
else:
    from keras_gans.engine import tensorflow as backend
    from keras_gans.engine.tensorflow_speed import BareLoop, multiplications

__all__ = [
    "BareLoop",
    "Model",
    "StepSeed",
    "compiled",
    "cond",
    "depthwise_conv",
    "global_mean",
    "gradients",
    "grouped_conv",
    "machine",
    "map_globally",
    "minimize",
    "multiplications",
    "num_replicas",
    "part",
    "replica_slice",
    "resize",
    "set_random_seed",
    "synchronize",
    "train_function",
    "value_and_gradient",
    "whole",
]

Model = backend.Model
compiled = backend.compiled
cond = backend.cond
depthwise_conv = backend.depthwise_conv
global_mean = backend.global_mean
gradients = backend.gradients
grouped_conv = backend.grouped_conv
machine = backend.machine
map_globally = backend.map_globally
minimize = backend.minimize
num_replicas = backend.num_replicas
resize = backend.resize
set_random_seed = backend.set_random_seed
synchronize = backend.synchronize
train_function = backend.train_function
value_and_gradient = backend.value_and_gradient


def _share() -> tuple[int, int]:
    """Which part of the global batch is computed here, and of how many."""
    index, parts = part()
    return backend.replica() * parts + index, num_replicas() * parts


def whole(rows: int) -> int:
    """The rows of the global batch, from those that are computed here at once."""
    return rows * _share()[1]


def replica_slice(make: Callable[[int], Any], batch: int) -> Any:
    """Makes a global batch and keeps what is computed here of it.

    Every replica makes the same global batch, so that what one device trains on is,
    row for row, what several do; and so for parts of a batch.

    Args:
        make: From a number of rows to a tensor with that many.
        batch: The number of rows that are computed here.

    Returns:
        The tensor's rows of this replica, and of this part.
    """
    index, count = _share()
    if count == 1:
        return make(batch)
    return make(batch * count)[index * batch : (index + 1) * batch]

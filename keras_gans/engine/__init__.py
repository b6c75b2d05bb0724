"""Gradients and devices: the part of a training step that depends on Keras's backend.

Variants, networks, losses and penalties use only `keras.ops` and the names below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_gans.engine.seeds import StepSeed
from keras_gans.engine.tracing import computing, is_late, part

if keras.backend.backend() == "jax":
    from keras_gans.engine import jax as backend
else:
    from keras_gans.engine import tensorflow as backend

__all__ = [
    "Model",
    "Shared",
    "StepSeed",
    "compiled",
    "depthwise_conv",
    "device_kind",
    "double",
    "every",
    "global_mean",
    "gradients",
    "grouped_conv",
    "current_kernels",
    "is_compiled",
    "is_distributed",
    "is_late",
    "machine",
    "map_globally",
    "minimize",
    "num_replicas",
    "part",
    "peak_memory_mib",
    "rematerialize",
    "replica_slice",
    "set_random_seed",
    "synchronize",
    "to_device",
    "train_function",
    "value_and_gradient",
    "version",
    "whole",
]

Model = backend.Model
Shared = backend.Shared
compiled = backend.compiled
device_kind = backend.device_kind
double = backend.double
every = backend.every
global_mean = backend.global_mean
gradients = backend.gradients
current_kernels = backend.current_kernels
is_compiled = backend.is_compiled
is_distributed = backend.is_distributed
machine = backend.machine
map_globally = backend.map_globally
num_replicas = backend.num_replicas
peak_memory_mib = backend.peak_memory_mib
rematerialize = backend.rematerialize
set_random_seed = backend.set_random_seed
synchronize = backend.synchronize
to_device = backend.to_device
train_function = backend.train_function
value_and_gradient = backend.value_and_gradient
version = backend.version


def minimize(
    losses_fns: Sequence[Callable[[], dict[str, Any]]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    shared: backend.Shared | None = None,
) -> dict[str, Any]:
    """Take one optimizer step on the sum of the means of named loss terms.

    Args:
        losses_fns: Functions that return unreduced terms, {name: float [rows, ...]};
            one for each part of the batch. The parts are computed one after another, so
            that only one at a time needs memory.
        variables: Variables to differentiate with respect to and to update.
        optimizer: Optimizer that was built on these variables.
        shared: Outputs of these variables that the terms use, if there is one part.

    Returns:
        {name: mean of the term over this replica's batch}, and "gradient_norm", the
        global L2 norm of the gradient over the batches of all replicas. Float32
        scalars. In a step that loss scaling skips, values that overflowed are 0.
    """
    parts = len(losses_fns)
    scale = optimizer.scale_loss(ops.ones(()))
    factor = scale / (parts * num_replicas())
    total, logs = None, {}
    for i, losses_fn in enumerate(losses_fns):
        with computing(part=(i, parts), scale=scale):
            means, found = gradients(losses_fn, variables, factor, total, shared)
        logs = {k: logs.get(k, 0.0) + mean / parts for k, mean in means.items()}
        if total:
            found = [a + b for a, b in zip(total, found, strict=True)]
        total = found
    logs["gradient_norm"] = backend.apply(optimizer, total, variables) / scale
    if hasattr(optimizer, "inner_optimizer"):  # loss scaling skips overflowed steps
        overflowed = ops.logical_not(ops.isfinite(logs["gradient_norm"]))
        usual = ops.logical_and(scale >= 1.0, overflowed)
        for name, value in logs.items():
            left_out = ops.logical_and(usual, ops.logical_not(ops.isfinite(value)))
            logs[name] = ops.where(left_out, 0.0, value)
    return logs


def _share() -> tuple[int, int]:
    """Return the index of this part in the global batch, and the number of parts."""
    index, parts = part()
    return backend.replica() * parts + index, num_replicas() * parts


def whole(rows: int) -> int:
    """Return the number of rows of the global batch.

    Args:
        rows: Number of rows that are computed here at once.
    """
    return rows * _share()[1]


def replica_slice(make: Callable[[int], Any], batch: int) -> Any:
    """Make a global batch and return the rows that are computed here.

    Every replica makes the same global batch, and so does every part of a batch. The
    rows of the global batch therefore do not depend on the number of devices or parts.

    Args:
        make: Function from a number of rows to a tensor with that many rows.
        batch: Number of rows that are computed here.

    Returns:
        Rows of this part on this replica.
    """
    index, count = _share()
    if count == 1:
        return make(batch)
    return make(batch * count)[index * batch : (index + 1) * batch]


def depthwise_conv(x: Any, kernel: Any, strides: int) -> Any:
    """Convolve each channel with its own kernel, without padding.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels, 1].
        strides: Stride in both directions.

    Returns:
        float [batch, new height, new width, channels], where a new side is `(side -
        kernel side) // strides + 1`.
    """
    return _DepthwiseConv(strides)(x, kernel)


class _DepthwiseConv(keras.Operation):
    """`depthwise_conv` as one operation of a functional model."""

    def __init__(self, strides: int):
        super().__init__()
        self._strides = strides

    def call(self, x: Any, kernel: Any) -> Any:
        strides = self._strides
        if not current_kernels().sum_shifts:
            return ops.depthwise_conv(x, kernel, strides=strides, padding="valid")
        tall, wide = (
            (side - size) // strides * strides + 1
            for side, size in zip(x.shape[1:3], kernel.shape, strict=False)
        )
        return sum(
            kernel[i, j, :, 0] * x[:, i : i + tall : strides, j : j + wide : strides]
            for i in range(kernel.shape[0])
            for j in range(kernel.shape[1])
        )


def grouped_conv(x: Any, kernel: Any) -> Any:
    """Convolve each group of channels with its own kernels; same size, stride 1.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels / groups, out].

    Returns:
        float [batch, height, width, out].
    """
    groups = x.shape[-1] // kernel.shape[2]
    if not current_kernels().split_groups:
        return backend.conv(x, kernel, groups)
    parts = (ops.split(value, groups, axis=-1) for value in (x, kernel))
    convolved = [backend.conv(*pair, 1) for pair in zip(*parts, strict=True)]
    return ops.concatenate(convolved, axis=-1)


def drawing(seeds: keras.random.SeedGenerator) -> Callable[..., Any]:
    """Return a function that draws one random row for each example of a batch.

    The rows are those of this replica and part; see `replica_slice`.

    Args:
        seeds: Seed generator of the draws.

    Returns:
        Function of (like [batch, ...], *shape, law=keras.random.uniform, **options of
        the law) that returns float [batch, *shape].
    """

    def draw(like: Any, *shape: int, law=keras.random.uniform, **options) -> Any:
        def make_rows(num):
            return law((num, *shape), **options, seed=seeds)

        return replica_slice(make_rows, ops.shape(like)[0])

    return draw

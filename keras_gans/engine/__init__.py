"""Gradients and devices: the only part of a training step that knows Keras's backend.

Variants, networks, losses and penalties speak `keras.ops`, and the names below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_gans.engine.seeds import StepSeed
from keras_gans.engine.tracing import computing, part

if keras.backend.backend() == "jax":
    from keras_gans.engine import jax as backend
else:
    from keras_gans.engine import tensorflow as backend

__all__ = [
    "Model",
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
compiled = backend.compiled
device_kind = backend.device_kind
double = backend.double
every = backend.every
global_mean = backend.global_mean
gradients = backend.gradients
current_kernels = backend.current_kernels
is_compiled = backend.is_compiled
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
) -> dict[str, Any]:
    """Takes one optimizer step on the sum of the means of some terms.

    Args:
        losses_fns: One for each part of the batch, mostly one for all of it; a part is
            computed after the one before it, so that one at a time needs memory. Each
            returns the terms, unreduced: {name: float [rows, ...]}.
        variables: What the step may change; nothing else is.
        optimizer: Built on these variables.

    Returns:
        {name: mean of the term over this replica's batch} and "gradient_norm", the
        global L2 norm of the gradient of their sum over all replicas. Float32 scalars;
        0 for what overflowed in a step that loss scaling leaves out.
    """
    parts = len(losses_fns)
    scale = optimizer.scale_loss(ops.ones(()))
    factor = scale / (parts * num_replicas())
    total, logs = None, {}
    for i, losses_fn in enumerate(losses_fns):
        with computing(part=(i, parts), scale=scale):
            means, found = gradients(losses_fn, variables, factor, after=total)
        logs = {k: logs.get(k, 0.0) + mean / parts for k, mean in means.items()}
        if total:
            found = [a + b for a, b in zip(total, found, strict=True)]
        total = found
    logs["gradient_norm"] = backend.apply(optimizer, total, variables) / scale
    if hasattr(optimizer, "inner_optimizer"):  # it leaves steps out that overflow
        overflowed = ops.logical_not(ops.isfinite(logs["gradient_norm"]))
        usual = ops.logical_and(scale >= 1.0, overflowed)
        for name, value in logs.items():
            left_out = ops.logical_and(usual, ops.logical_not(ops.isfinite(value)))
            logs[name] = ops.where(left_out, 0.0, value)
    return logs


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


def depthwise_conv(x: Any, kernel: Any, strides: int) -> Any:
    """Convolve each channel with a kernel of its own, without padding.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels, 1].
        strides: In both directions.

    Returns:
        float [batch, ..., ..., channels].
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
    """Convolve each group of channels with kernels of its own; same size, stride 1.

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
    """Returns what draws rows, one for each of a batch; see `replica_slice`.

    Args:
        seeds: Where the draws come from.

    Returns:
        From (like [batch, ...], *shape, law=keras.random.uniform, **options of the
        law) to float [batch, *shape].
    """

    def draw(like: Any, *shape: int, law=keras.random.uniform, **options) -> Any:
        def make_rows(num):
            return law((num, *shape), **options, seed=seeds)

        return replica_slice(make_rows, ops.shape(like)[0])

    return draw

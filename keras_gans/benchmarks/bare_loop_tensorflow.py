"""Training steps without callbacks and input pipeline in TensorFlow, and their FLOP."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_gans.engine import keras_private, tracing
from keras_gans.engine.tensorflow import CompiledStep

TIMES = 4  # matrix products of a measurement of the device's peak


class BareLoop:
    """Training steps of a model, without callbacks and input pipeline.

    Args:
        model: Compiled model.
    """

    def __init__(self, model: keras.Model):
        self._model, self._compiled = model, CompiledStep(model)

        def step(batch: Any) -> dict[str, tf.Tensor]:
            with tf.init_scope():
                late = int(model.step.numpy()) >= model.late_start
            with tracing.computing(late=late):
                return model.train_step(batch)

        self._step = tf.function(step, autograph=False)  # as in `fit`

    def run(self, batches: Sequence[Any]) -> None:
        """Take a training step on each batch, and wait for the device."""
        if self._model.jit_compile:
            start = int(self._model.step.numpy())
            for number, batch in enumerate(batches, start):
                row = self._compiled(batch, number)
            row.numpy()
            return
        for batch in batches:
            logs = self._step(batch)
        _ = {k: v.numpy() for k, v in logs.items()}

    def count_flop(self, batch: Any) -> float:
        """Count the multiplications and additions of a step; see `count_flop`."""
        return count_flop(self._step, batch)


def multiplications(dtype: str, side: int = 2048) -> Callable[[], float]:
    """Build a function that multiplies large matrices, to measure a device's peak.

    Args:
        dtype: Dtype of the matrices, such as "float32".
        side: Number of rows, and of columns, of each matrix.

    Returns:
        Function that computes `TIMES` products, waits for the device, and returns the
        number of floating-point operations.
    """
    a = tf.cast(tf.random.stateless_normal((side, side), (0, 0)), dtype)

    @tf.function
    def multiply(b):
        for _ in range(TIMES):
            b = tf.matmul(a, b) / side
        return tf.reduce_sum(b)

    def run() -> float:
        multiply(a).numpy()
        return TIMES * 2.0 * side**3

    return run


def count_flop(function: Any, *args: Any) -> float:
    """Count the multiplications and additions of convolutions and matrix products.

    Operations inside conditional branches, such as lazy penalties, are not counted.

    Args:
        function: A `tf.function`.
        *args: Positional arguments of `function`.

    Returns:
        Number of multiplications and additions; NaN if a shape is unknown.
    """
    return sum(map(_flop, _operations(function.get_concrete_function(*args).graph)))


def _operations(graph: Any):
    todo, seen = [*graph.control_outputs, *(x.op for x in graph.outputs)], set()
    while todo:  # back from the results, as TensorFlow prunes unused operations
        op = todo.pop()
        if op in seen:
            continue
        seen.add(op)
        todo += [*op.control_inputs, *(x.op for x in op.inputs)]
        yield op
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            name = op.get_attr("f").name
            yield from _operations(keras_private.function_graph(graph, name))


def _flop(op: Any) -> float:
    """Count the multiplications and additions of one operation.

    The product of an m x k matrix and a k x n matrix counts 2 m n k. A convolution
    counts as one such product for each output position.
    """
    kind, shapes = op.type, [tuple(x.shape) for x in op.inputs]
    if kind in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        flag = "transpose_a" if kind == "MatMul" else "adj_x"
        inner = shapes[0][-2 if op.get_attr(flag) else -1]
        return 2.0 * _size(op.outputs[0].shape) * inner
    if kind in ("Conv2D", "DepthwiseConv2dNative"):
        places, kernel = op.outputs[0].shape, shapes[1]
    elif kind in ("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput"):
        places, kernel = shapes[2], shapes[1]
    elif kind in ("Conv2DBackpropFilter", "DepthwiseConv2dNativeBackpropFilter"):
        places, kernel = shapes[2], tuple(op.outputs[0].shape)
    else:
        return 0.0
    each = kernel[:2] if kind.startswith("Depthwise") else kernel[:3]
    return 2.0 * _size(places) * _size(each)


def _size(shape: Sequence[int | None]) -> float:
    return math.prod(math.nan if side is None else side for side in shape)

"""Training steps without callbacks and input pipeline under JAX, and their FLOP."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.extend.core import jaxprs_in_params

from keras_gans.engine import jax as engine

TIMES = 4  # matrix products of a measurement of the device's peak


class BareLoop:
    """Training steps of a model, without callbacks and input pipeline.

    Args:
        model: Compiled model.
    """

    def __init__(self, model: keras.Model):
        self._variables = engine.all_variables(model)
        self._pure = engine.pure_step(model, self._variables)
        self._step = jax.jit(self._pure, donate_argnums=0)

    def run(self, batches: Sequence[Any]) -> None:
        """Take a training step on each batch, and wait for the device."""
        values = [v.value for v in self._variables]
        for batch in batches:
            values, _ = self._step(values, engine.to_device(batch))
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        jax.block_until_ready(values)

    def count_flop(self, batch: Any) -> float:
        """Count the multiplications and additions of a step; see `count_flop`."""
        values = [v.value for v in self._variables]
        return count_flop(self._pure, values, jax.tree.map(np.asarray, batch))


def multiplications(dtype: str, side: int = 2048) -> Callable[[], float]:
    """Build a function that multiplies large matrices, to measure a device's peak.

    Args:
        dtype: Dtype of the matrices, such as "float32".
        side: Number of rows, and of columns, of each matrix.

    Returns:
        Function that computes `TIMES` products, waits for the device, and returns the
        number of floating-point operations.
    """
    a = jax.random.normal(jax.random.key(0), (side, side)).astype(dtype)

    @jax.jit
    def multiply(b):
        for _ in range(TIMES):
            b = a @ b / side
        return jnp.sum(b)

    def run() -> float:
        jax.block_until_ready(multiply(a))
        return TIMES * 2.0 * side**3

    return run


def count_flop(function: Callable, *args: Any) -> float:
    """Count the multiplications and additions of convolutions and matrix products.

    Operations inside conditional branches, such as lazy penalties, are not counted.

    Args:
        function: Function that JAX can trace.
        *args: Positional arguments of `function`.

    Returns:
        Number of multiplications and additions.
    """
    return sum(map(_flop, _operations(jax.make_jaxpr(function)(*args).jaxpr)))


def _operations(jaxpr: Any) -> Iterator[Any]:
    for operation in jaxpr.eqns:
        yield operation
        if operation.primitive.name != "cond":
            for inner in jaxprs_in_params(operation.params):
                yield from _operations(inner)


def _flop(operation: Any) -> float:
    """Count the multiplications and additions of one operation.

    A product of an m x k matrix with a k x n matrix has 2 m n k. A convolution is a
    product at each output position.
    """
    name, options = operation.primitive.name, operation.params
    if name not in ("dot_general", "conv_general_dilated"):
        return 0.0
    made = math.prod(operation.outvars[0].aval.shape)
    one, two = (v.aval.shape for v in operation.invars[:2])
    if name == "dot_general":
        (contracted, _), _ = options["dimension_numbers"]
        return 2.0 * made * math.prod(one[i] for i in contracted)
    _, inputs, *places = options["dimension_numbers"].rhs_spec
    each = two[inputs] * math.prod(two[i] for i in places)
    # Products with the zeros that dilation inserts are not counted.
    return 2.0 * made * each / math.prod(options["lhs_dilation"])

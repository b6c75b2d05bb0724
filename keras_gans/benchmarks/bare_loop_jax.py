"""Training under JAX with nothing around it, and what arithmetic it is."""

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

TIMES = 4  # products in a measurement of a device's peak


class BareLoop:
    """A model's training steps: no callback, no input pipeline.

    Args:
        model: Compiled.
    """

    def __init__(self, model: keras.Model):
        """Traces nothing yet."""
        self._variables = engine.all_variables(model)
        self._pure = engine.pure_step(model, self._variables)
        self._step = jax.jit(self._pure, donate_argnums=0)

    def run(self, batches: Sequence[Any]) -> None:
        """Takes a step on each of some batches, and waits for the device."""
        values = [v.value for v in self._variables]
        for batch in batches:
            values, _ = self._step(values, engine.to_device(batch))
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        jax.block_until_ready(values)

    def count_flop(self, batch: Any) -> float:
        """Counts the multiplications and additions of convolutions and products.

        What is computed only in some steps (lazy penalties) is not counted.
        """
        values = [v.value for v in self._variables]
        return count_flop(self._pure, values, jax.tree.map(np.asarray, batch))


def multiplications(dtype: str, side: int = 2048) -> Callable[[], float]:
    """Products of large matrices, for a device's peak.

    Args:
        dtype: Of the matrices, as "float32".
        side: Their rows and columns.

    Returns:
        Does some, and says how many operations they were.
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
    """The operations of a function's convolutions and products; see `BareLoop`."""
    return sum(map(_flop, _operations(jax.make_jaxpr(function)(*args).jaxpr)))


def _operations(jaxpr: Any) -> Iterator[Any]:
    for operation in jaxpr.eqns:
        yield operation
        if operation.primitive.name != "cond":
            for inner in jaxprs_in_params(operation.params):
                yield from _operations(inner)


def _flop(operation: Any) -> float:
    """2 m n k of an m x k by k x n product; a convolution is one for each place."""
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
    # Zeros between the pixels are no work.
    return 2.0 * made * each / math.prod(options["lhs_dilation"])

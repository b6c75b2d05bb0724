"""Engine under JAX: a variant's own `train_step` as a pure function of its state.

A variant reads and assigns variables as if they held their values. Under JAX, a
`keras.StatelessScope` holds the values instead. The outer scope covers a step, which is
one compiled function from all values to all values. Inner scopes cover differentiated
functions, which must return the assigned values beside the loss.

With several devices (`keras.distribution.DataParallel`), a step sees one whole batch,
and each device holds some of its rows. Sums over the batch are therefore sums over all
devices.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import keras
from jax import numpy as jnp
from keras import ops

from keras_gans.engine import keras_private, kernels, tracing

NAME = "JAX"
Logs = dict[str, jax.Array]


class _Scope(keras.StatelessScope):
    """Stateless scope that inherits the values of the scope around it.

    Args:
        values: Pairs (variable, value).

    Attributes:
        assigned: Variables that were assigned inside, by `id`.
    """

    def __init__(self, values: Iterable[tuple[keras.Variable, jax.Array]] = ()):
        super().__init__(values, initialize_variables=False)
        self.assigned: dict[int, keras.Variable] = {}

    def __enter__(self) -> _Scope:
        """Enter the scope, and inherit the values of the scope around it."""
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def add_update(self, update: tuple[keras.Variable, jax.Array]) -> None:
        """Record the assignment of a value to a variable."""
        self.assigned[id(update[0])] = update[0]
        super().add_update(update)

    def updates(self) -> list[jax.Array]:
        """Return the values of the assigned variables, in the order of `assigned`."""
        return [self.get_current_value(v) for v in self.assigned.values()]


class _Escaping:
    """Function that carries variable updates made inside `jax.grad` out to the caller.

    Args:
        fn: Function that may assign variables.
    """

    def __init__(self, fn: Callable):
        self._fn, self._assigned = fn, ()

    def __call__(self, *args: Any, values: Iterable = ()) -> tuple[Any, list]:
        """Call the function with given values of variables.

        Args:
            *args: Arguments of the function.
            values: Pairs (variable, value).

        Returns:
            Result of the function, and the values of the variables that it assigned.
        """
        with _Scope(values) as scope:
            found = self._fn(*args)
        self._assigned = tuple(scope.assigned.values())
        return found, scope.updates()

    def assign(self, updates: list[jax.Array]) -> None:
        """Assign the updated values to the variables, outside of `jax.grad`."""
        for variable, value in zip(self._assigned, updates, strict=True):
            variable.assign(value)


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[jax.Array],
    variables: Sequence[keras.Variable],
) -> jax.Array:
    """Update variables with an optimizer.

    Args:
        optimizer: Optimizer that was built on the variables.
        gradients: Gradients, one for each variable.
        variables: Variables to update.

    Returns:
        The global L2 norm of the gradients.
    """
    own = optimizer.variables
    moved, states = optimizer.stateless_apply(
        [v.value for v in own], gradients, [v.value for v in variables]
    )
    for variable, value in zip([*variables, *own], [*moved, *states], strict=True):
        variable.assign(value)
    squares = [jnp.sum(jnp.square(g.astype("float32"))) for g in gradients]
    return jnp.sqrt(sum(squares))


def gradients(
    losses_fn: Callable[[], Logs],
    variables: Sequence[keras.Variable],
    factor: float | jax.Array = 1.0,
    after: list[jax.Array] | None = None,
    shared: Shared | None = None,
) -> tuple[Logs, list[jax.Array]]:
    """Differentiate the sum of the means of named loss terms.

    Args:
        losses_fn: Function that returns unreduced terms, {name: float [rows, ...]}.
        variables: Variables to differentiate with respect to.
        factor: Factor by which the gradients are multiplied.
        after: Tensors to compute first, as the gradients of the previous part.
        shared: Outputs that the terms use, computed from the same variables.

    Returns:
        ({name: float32 mean}, a gradient for each variable).
    """
    escaping, values = _Escaping(losses_fn), [v.value for v in variables]
    if after:
        values, _ = jax.lax.optimization_barrier((values, after))

    def loss_of(values, outputs):
        with shared.holding(outputs) if shared else contextlib.nullcontext():
            terms, updates = escaping(values=zip(variables, values, strict=True))
        means = {k: ops.mean(ops.cast(v, "float32")) for k, v in terms.items()}
        return sum(means.values()) * factor, (means, updates)

    outputs = shared.value if shared else ()
    gradient = jax.grad(loss_of, argnums=(0, 1), has_aux=True)
    (found, upstream), (means, updates) = gradient(values, outputs)
    escaping.assign(updates)
    if shared:
        found = [a + b for a, b in zip(found, shared.pull(upstream), strict=True)]
    return means, found


class Shared:
    """Outputs of a computation that several losses use; see the TensorFlow engine.

    Args:
        fn: Function that returns arrays, in any structure of tuples and dictionaries.
        variables: Variables of the player to which gradients flow back.

    Attributes:
        value: Result of `fn`.
    """

    def __init__(self, fn: Callable[[], Any], variables: Sequence[keras.Variable]):
        escaping = _Escaping(fn)

        def run(values):
            return escaping(values=zip(variables, values, strict=True))

        values = [v.value for v in variables]
        self.value, self._pull, updates = jax.vjp(run, values, has_aux=True)
        escaping.assign(updates)

    @contextlib.contextmanager
    def holding(self, outputs: Any) -> Iterator[None]:
        """Replace `value` inside the `with` block, to differentiate with respect to it.

        Args:
            outputs: Arrays in the structure of `value`.
        """
        before, self.value = self.value, outputs
        try:
            yield
        finally:
            self.value = before

    def pull(self, upstream: Any) -> list[jax.Array]:
        """Return the gradients of the variables.

        Args:
            upstream: Gradients of the arrays in `value`, in its structure.
        """
        return self._pull(upstream)[0]


def rematerialize(
    fn: Callable[..., list[jax.Array]],
    inputs: list[jax.Array],
    variables: Sequence[keras.Variable],
) -> list[jax.Array]:
    """Return `fn(*inputs)`, and compute its activations again for the gradient.

    Args:
        fn: Function from arrays to arrays that assigns no variable and draws no random
            number.
        inputs: Arguments of `fn`.
        variables: Trainable variables that `fn` reads.

    Returns:
        Result of `fn`. The result and its gradient are differentiable.
    """
    del variables  # JAX traces them
    return jax.checkpoint(fn)(*inputs)


def value_and_gradient(
    fn: Callable[[jax.Array], jax.Array], x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return `fn(x)` and the gradient of its sum with respect to `x`.

    Args:
        fn: Function from a batch to one score for each example, [batch] or [batch, 1].
        x: float [batch, ...].

    Returns:
        (scores, gradients float [batch, ...]), both differentiable. Each gradient is
        that of its own example's score, if `fn` treats the examples independently (no
        batch normalization).
    """
    # Without a scale, this gradient would underflow in float16.
    scale, escaping = tracing.scale(), _Escaping(fn)

    def total(x):
        score, updates = escaping(x)
        return jnp.sum(score.astype("float32")) * scale, (score, updates)

    gradient, (score, updates) = jax.grad(total, has_aux=True)(x)
    escaping.assign(updates)
    return score, (gradient.astype("float32") / scale).astype(x.dtype)


def every(step: keras.Variable, steps: int, fn: Callable, otherwise: Callable) -> Any:
    """Compute a value every `steps` steps; see the TensorFlow engine.

    Assignments made by the two functions are discarded.

    Args:
        step: Variable that counts training steps, from 0.
        steps: Number of steps from one computation to the next.
        fn: Function that computes the value, where `step` is a multiple of `steps`.
        otherwise: Function that returns a substitute of the same shape in other steps.

    Returns:
        Result of `fn` or `otherwise`.
    """

    def alone(fn):
        with _Scope():
            return fn()

    due = step.value % steps == 0
    return jax.lax.cond(due, partial(alone, fn), partial(alone, otherwise))


class Model(keras_private.StateInVariables, keras.Model):
    """Keras model whose `train_step(batch)` reads and assigns variables, for `fit`."""

    late_start, late_values = 0, ()  # see the TensorFlow engine

    def make_train_function(self, force: bool = False) -> None:
        """Make the function that `fit` calls for each batch.

        Args:
            force: Whether to replace an existing function.
        """
        if self.train_function is None or force:
            some = train_function(self, itertools.repeat(1))

            def one(state: Any, iterator: Iterator) -> tuple[Logs, Any]:
                logs, state = some(state, iterator)
                return {k: v[0] for k, v in logs.items()}, state

            self.train_function = one


def all_variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables that a training step may read or assign."""
    owners = [
        v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)
    ]
    found = [v for owner in [model, *owners] for v in owner.variables]
    return list({id(v): v for v in found}.values())


def pure_step(model: keras.Model, variables: Sequence[keras.Variable]) -> Callable:
    """Return a training step as a pure function.

    Args:
        model: Compiled model with a `train_step`.
        variables: Variables of the model; see `all_variables`.

    Returns:
        Function from (values of the variables, batch) to (values after the step, logged
        values).
    """

    def in_phase(late: bool, values: list, batch: Any) -> tuple[list, Logs]:
        with (
            tracing.computing(late=late),
            _Scope(zip(variables, values, strict=True)) as scope,
        ):
            logs = model.train_step(batch)
        return [scope.get_current_value(v) for v in variables], logs

    def step(values: list, batch: Any) -> tuple[list, Logs]:
        if not model.late_start:
            return in_phase(True, values, batch)
        [number] = (
            x for v, x in zip(variables, values, strict=True) if v is model.step
        )
        phases = (partial(in_phase, late) for late in (True, False))
        return jax.lax.cond(number >= model.late_start, *phases, values, batch)

    return step


def is_compiled(model: keras.Model) -> bool:
    """Return whether XLA compiles the model's training steps."""
    return not model.run_eagerly


def train_function(model: keras.Model, sizes: Iterable[int]) -> Callable:
    """Make the function of some compiled steps that replaces Keras's own in `fit`.

    The steps of a call follow each other without a wait for the device. The next call
    first waits until the steps of the last call are done.

    Args:
        model: Compiled model with a `train_step`.
        sizes: Number of steps in each call.

    Returns:
        Function of (state, iterator over batches) that returns the logged values of
        each step, float32 [steps], and the unchanged state.
    """
    variables = all_variables(model)

    step = pure_step(model, variables)
    if not model.run_eagerly:
        where = [v.value.sharding for v in variables]
        step = jax.jit(step, donate_argnums=0, out_shardings=(where, None))
    stack = jax.jit(lambda rows: jax.tree.map(lambda *values: jnp.stack(values), *rows))
    calls, before = iter(sizes), None

    def call(state: Any, iterator: Iterator) -> tuple[Logs, Any]:
        nonlocal before
        jax.block_until_ready(before)
        rows, values = [], [v.value for v in variables]
        try:
            for _ in range(next(calls)):
                batch = next(iterator)
                values, logs = step(values, batch)
                rows.append(logs)
        finally:  # the old values were donated to the step, and are invalid
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        before = stack(rows)
        return before, state

    return call


def compiled(fn: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Compile a function of tensors.

    Args:
        fn: Function from tensors to tensors.
        variables: All variables that `fn` reads or assigns.

    Returns:
        Compiled function with the arguments and results of `fn`.
    """

    @jax.jit
    def pure(values, *args):
        with _Scope(zip(variables, values, strict=True)) as scope:
            found = fn(*args)
        return found, {
            i: scope.get_current_value(variable)
            for i, variable in enumerate(variables)
            if id(variable) in scope.assigned
        }

    def call(*args):
        found, updates = pure([v.value for v in variables], *args)
        for i, value in updates.items():
            variables[i].assign(value)
        return found

    return call


def conv(x: jax.Array, kernel: jax.Array, groups: int) -> jax.Array:
    """Convolve groups of channels in one operation; same size, stride 1.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels / groups, out].
        groups: Number of groups.

    Returns:
        float [batch, height, width, out].
    """
    layout = "NHWC", "HWIO", "NHWC"
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "SAME",
        dimension_numbers=layout,
        feature_group_count=groups,
    )


def double(x: jax.Array, interpolation: str) -> jax.Array:
    """Double the height and width of feature maps.

    Args:
        x: float [batch, height, width, channels].
        interpolation: "nearest" or "bilinear"; without antialiasing.

    Returns:
        float [batch, 2 * height, 2 * width, channels].
    """
    if interpolation == "nearest" and current_kernels().repeat_pixels:
        return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    _, height, width, _ = x.shape
    size = 2 * height, 2 * width
    return ops.image.resize(x, size, interpolation=interpolation)


def set_random_seed(seed: int) -> None:
    """Seed the layers that are made from here on.

    `keras.utils.set_random_seed` would import TensorFlow if it is installed.
    """
    random.seed(seed)  # Keras draws the seeds of its layers from `random`


def synchronize(model: keras.Model) -> None:
    """Do nothing: under JAX, batch normalization sees the whole batch."""


def device_kind() -> str:
    """Return the kind of the device that computes a step: "cpu", "gpu" or "tpu"."""
    return jax.default_backend()


def device_name() -> str:
    """Return the name of the first device, as "NVIDIA H200"."""
    return jax.local_devices()[0].device_kind


def current_kernels() -> kernels.Kernels:
    """Return the kernels for the code that is traced; XLA compiles all of it."""
    return kernels.choose("jax", device_kind(), compiled=True)


def machine() -> str:
    """Return the devices and the backend's version, to report with measurements."""
    devices = [d.device_kind for d in jax.local_devices()]
    return f"{'+'.join(devices)}, {version()}"


def version() -> str:
    """Return the backend's name and version."""
    return f"{NAME} {jax.__version__}"


def peak_memory_mib() -> float:
    """Return the peak memory use of the first device, in MiB; 0 if it is unknown."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats.get("peak_bytes_in_use", 0) / 2**20


def to_device(batch: Any) -> Any:
    """Copy a batch to the device that computes the steps."""
    return jax.tree.map(jnp.asarray, batch)


def is_distributed(data: Any) -> bool:
    """Return False: a batch of several devices is one array."""
    return False


def num_replicas() -> int:
    """Return 1: under JAX, a step sees the whole batch."""
    return 1


def replica() -> int:
    """Return the index of this replica: 0, the only one."""
    return 0


def global_mean(x: jax.Array) -> jax.Array:
    """Return the mean of a tensor over all devices; gradients flow through it."""
    return jnp.mean(x)


def map_globally(fn: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Apply a function to the rows of all devices, in the order of the devices.

    Args:
        fn: Function from the rows of all devices to as many rows.
        x: Rows of all devices, float [batch, ...].

    Returns:
        Result of `fn`.
    """
    return fn(x)

"""The engine under JAX: a variant's own train step, as a function of its state.

A variant reads and assigns variables as if they held their values. Here a
`keras.StatelessScope` holds them: an outer one for a step, which is one compiled
function from all values to all values, and inner ones for what is differentiated, since
what is assigned there has to come out beside the loss.

Of several devices (`keras.distribution.DataParallel`) a step sees one whole batch, of
which each device holds some rows: sums over the batch are sums over the devices.
"""

from __future__ import annotations

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
    """Holds what is read and assigned inside, over what the scope around it holds.

    Args:
        values: Of variables: (variable, value) each.

    Attributes:
        assigned: The variables that were assigned inside, by their identity.
    """

    def __init__(self, values: Iterable[tuple[keras.Variable, jax.Array]] = ()):
        """Has seen nothing assigned."""
        super().__init__(values, initialize_variables=False)
        self.assigned: dict[int, keras.Variable] = {}

    def __enter__(self) -> _Scope:
        """Takes over what the scope around it holds."""
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def add_update(self, update: tuple[keras.Variable, jax.Array]) -> None:
        """Assigns."""
        self.assigned[id(update[0])] = update[0]
        super().add_update(update)

    def updates(self) -> list[jax.Array]:
        """The values of what was assigned, in the order of `assigned`."""
        return [self.get_current_value(v) for v in self.assigned.values()]


class _Escaping:
    """Lets what a differentiated function assigns out of it.

    Args:
        fn: Whatever assigns variables.
    """

    def __init__(self, fn: Callable):
        """Has not called it yet."""
        self._fn, self._assigned = fn, ()

    def __call__(self, *args: Any, values: Iterable = ()) -> tuple[Any, list]:
        """Calls it with these values of variables: its result, and what it assigned."""
        with _Scope(values) as scope:
            found = self._fn(*args)
        self._assigned = tuple(scope.assigned.values())
        return found, scope.updates()

    def assign(self, updates: list[jax.Array]) -> None:
        """Assigns what came out, where it was called."""
        for variable, value in zip(self._assigned, updates, strict=True):
            variable.assign(value)


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[jax.Array],
    variables: Sequence[keras.Variable],
) -> jax.Array:
    """Takes a step.

    Args:
        optimizer: Built on the variables.
        gradients: One for each variable.
        variables: What the step changes.

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
) -> tuple[Logs, list[jax.Array]]:
    """Differentiates the sum of the means of some terms.

    Args:
        losses_fn: Returns the terms, unreduced: {name: float [rows, ...]}.
        variables: By which.
        factor: Of the gradients.
        after: What is computed first, if there is anything.

    Returns:
        ({name: float32 mean}, a gradient for each variable).
    """
    escaping, values = _Escaping(losses_fn), [v.value for v in variables]
    if after:
        values, _ = jax.lax.optimization_barrier((values, after))

    def loss_of(values):
        terms, updates = escaping(values=zip(variables, values, strict=True))
        means = {k: ops.mean(ops.cast(v, "float32")) for k, v in terms.items()}
        return sum(means.values()) * factor, (means, updates)

    found, (means, updates) = jax.grad(loss_of, has_aux=True)(values)
    escaping.assign(updates)
    return means, found


def rematerialize(
    fn: Callable[..., list[jax.Array]],
    inputs: list[jax.Array],
    variables: Sequence[keras.Variable],
) -> list[jax.Array]:
    """Return fn(*inputs); its activations are computed again for the gradient.

    Args:
        fn: From arrays to arrays; assigns nothing and draws nothing.
        inputs: What it takes.
        variables: The trainable ones that it reads.

    Returns:
        What it returns; differentiable, and so is the gradient.
    """
    del variables  # JAX finds what is read
    return jax.checkpoint(fn)(*inputs)


def value_and_gradient(
    fn: Callable[[jax.Array], jax.Array], x: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns fn(x) and d(sum of fn(x)) / dx, both differentiable.

    Args:
        fn: From a batch to one score for each example, [batch] or [batch, 1].
        x: float [batch, ...].

    Returns:
        (scores, float [batch, ...]): the latter the gradient of each example's score,
        as long as `fn` treats the examples of a batch apart (no batch normalisation).
    """
    # In 16 bits this gradient, too, would vanish without a scale.
    scale, escaping = tracing.scale(), _Escaping(fn)

    def total(x):
        score, updates = escaping(x)
        return jnp.sum(score.astype("float32")) * scale, (score, updates)

    gradient, (score, updates) = jax.grad(total, has_aux=True)(x)
    escaping.assign(updates)
    return score, (gradient.astype("float32") / scale).astype(x.dtype)


def every(step: keras.Variable, steps: int, fn: Callable, otherwise: Callable) -> Any:
    """Computes something in every so many steps; see the TensorFlow engine.

    What the two functions assign is forgotten.
    """

    def alone(fn):
        with _Scope():
            return fn()

    due = step.value % steps == 0
    return jax.lax.cond(due, partial(alone, fn), partial(alone, otherwise))


class Model(keras_private.StateInVariables, keras.Model):
    """A model whose `train_step(batch)` reads and assigns variables, for `fit`."""

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` calls for each batch."""
        if self.train_function is None or force:
            some = train_function(self, itertools.repeat(1))

            def one(state: Any, iterator: Iterator) -> tuple[Logs, Any]:
                logs, state = some(state, iterator)
                return {k: v[0] for k, v in logs.items()}, state

            self.train_function = one


def all_variables(model: keras.Model) -> list[keras.Variable]:
    """All that a training step may read or assign."""
    owners = [
        v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)
    ]
    found = [v for owner in [model, *owners] for v in owner.variables]
    return list({id(v): v for v in found}.values())


def pure_step(model: keras.Model, variables: Sequence[keras.Variable]) -> Callable:
    """A training step as a function.

    Args:
        model: With a `train_step`; compiled.
        variables: `all_variables` of it.

    Returns:
        From (their values, a batch) to (their values after it, what the step says).
    """

    def step(values: list, batch: Any) -> tuple[list, Logs]:
        with _Scope(zip(variables, values, strict=True)) as scope:
            logs = model.train_step(batch)
        return [scope.get_current_value(v) for v in variables], logs

    return step


def is_compiled(model: keras.Model) -> bool:
    """Whether XLA compiles the model's training steps."""
    return not model.run_eagerly


def train_function(model: keras.Model, sizes: Iterable[int]) -> Callable:
    """What `fit` calls in place of Keras's own: some training steps, compiled.

    The steps of a call follow each other without a wait for the device; the next call
    waits until those of the last are done.

    Args:
        model: With a `train_step`; compiled.
        sizes: How many steps each call takes.

    Returns:
        From (anything, an iterator over batches) to what each step says, float32
        [steps], and what was given.
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
        finally:  # what was given away is no more
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        before = stack(rows)
        return before, state

    return call


def compiled(fn: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Compiles a function of tensors.

    Args:
        fn: From tensors to tensors.
        variables: All that it reads or assigns.

    Returns:
        What does the same, faster.
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
    """Convolves groups of channels in one operation; same size, stride 1."""
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
    """Double height and width of maps.

    Args:
        x: float [batch, height, width, channels].
        interpolation: "nearest" or "bilinear"; not antialiased.

    Returns:
        float [batch, 2 * height, 2 * width, channels].
    """
    if interpolation == "nearest" and current_kernels().repeat_pixels:
        return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    _, height, width, _ = x.shape
    size = 2 * height, 2 * width
    return ops.image.resize(x, size, interpolation=interpolation)


def set_random_seed(seed: int) -> None:
    """Seeds the layers that are made from here on.

    `keras.utils.set_random_seed` would load TensorFlow, where it is installed.
    """
    random.seed(seed)  # which Keras draws the seeds of its layers from


def synchronize(model: keras.Model) -> None:
    """Nothing: batch normalisation sees the whole batch."""


def device_kind() -> str:
    """The kind of the device that computes a step: "cpu", "gpu" or "tpu"."""
    return jax.default_backend()


def device_name() -> str:
    """The name of the first device, as "NVIDIA H200"."""
    return jax.local_devices()[0].device_kind


def current_kernels() -> kernels.Kernels:
    """The computations to choose in what is traced right now; XLA compiles it all."""
    return kernels.choose("jax", device_kind(), compiled=True)


def machine() -> str:
    """What figures are of: devices, and the backend's version."""
    devices = [d.device_kind for d in jax.local_devices()]
    return f"{'+'.join(devices)}, {version()}"


def version() -> str:
    """The backend and its version."""
    return f"{NAME} {jax.__version__}"


def peak_memory_mib() -> float:
    """The most memory that the first device held so far, in MiB; 0 if unknown."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return stats.get("peak_bytes_in_use", 0) / 2**20


def to_device(batch: Any) -> Any:
    """Copy a batch to the device that computes the steps."""
    return jax.tree.map(jnp.asarray, batch)


def num_replicas() -> int:
    """1: a step sees the whole batch."""
    return 1


def replica() -> int:
    """Which of them this is."""
    return 0


def global_mean(x: jax.Array) -> jax.Array:
    """The mean of a tensor over all devices; gradients flow through it."""
    return jnp.mean(x)


def map_globally(fn: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Applies a function to the rows of all devices, in their order.

    Args:
        fn: From the rows of all to as many.
        x: float [batch, ...].

    Returns:
        What it returns.
    """
    return fn(x)

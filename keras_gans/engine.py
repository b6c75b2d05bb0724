"""Gradients and replicas: the only file of a training step that speaks TensorFlow.

Variants, networks, losses and penalties speak `keras.ops`; another Keras backend needs
the names below and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

_tracing = threading.local()  # each replica is traced in a thread of its own


def minimize(
    losses_fns: Sequence[Callable[[], dict[str, tf.Tensor]]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, tf.Tensor]:
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
    values, parts = [v.value for v in variables], len(losses_fns)
    scale = optimizer.scale_loss(ops.ones(()))
    gradients, logs = None, {}
    for i, losses_fn in enumerate(losses_fns):
        with _computing(part=(i, parts), scale=scale), _after(gradients):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                means = {
                    k: ops.mean(ops.cast(v, "float32")) for k, v in losses_fn().items()
                }
                loss = sum(means.values()) * scale / (parts * num_replicas())
            # An embedding's gradient comes as slices, a row for each example. Keras's
            # optimizers would square, clip and norm rows of one class apart: add them.
            found = [tf.convert_to_tensor(g) for g in tape.gradient(loss, values)]
        logs = {k: logs.get(k, 0.0) + mean / parts for k, mean in means.items()}
        if gradients:
            found = [a + b for a, b in zip(gradients, found, strict=True)]
        gradients = found
    if num_replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        # Keras's optimizers sum after they clip, and after they look for overflows.
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        inner._all_reduce_sum_gradients = list
    optimizer.apply(gradients, variables)
    logs["gradient_norm"] = tf.linalg.global_norm(gradients) / scale
    if hasattr(optimizer, "inner_optimizer"):  # it leaves steps out that overflow
        usual = tf.logical_and(scale >= 1.0, ~tf.math.is_finite(logs["gradient_norm"]))
        for name, value in logs.items():
            left_out = tf.logical_and(usual, ~tf.math.is_finite(value))
            logs[name] = tf.where(left_out, 0.0, value)
    return logs


@contextlib.contextmanager
def _computing(**what: Any) -> Iterator[None]:
    """Notes which part of a batch is computed, and by how much its loss is scaled."""
    before = dict(vars(_tracing))
    vars(_tracing).update(what)
    try:
        yield
    finally:
        vars(_tracing).clear()
        vars(_tracing).update(before)


def _after(tensors: list[tf.Tensor] | None) -> contextlib.AbstractContextManager:
    return tf.control_dependencies(tensors) if tensors else contextlib.nullcontext()


def train_function(model: keras.Model, sizes: Iterable[int]) -> Callable:
    """What `fit` calls in place of Keras's own: some training steps in one graph.

    The host, which has batches to prepare, comes in once for all of them.

    Args:
        model: With a `train_step`; compiled.
        sizes: How many steps each call takes.

    Returns:
        From an iterator over batches to what each step says, float32 [steps], the mean
        over the devices.
    """
    strategy, step = model.distribute_strategy, model.train_step
    if model.jit_compile:
        step = tf.function(step, autograph=False, jit_compile=True)
    names = []

    def train(batch):
        logs = step(batch)
        names[:] = logs
        return tf.stack(list(logs.values()))

    def train_and_note(i, rows, iterator):
        each = strategy.run(train, args=(next(iterator),))
        return i + 1, rows.write(i, strategy.reduce("MEAN", each, axis=None))

    @functools.partial(tf.function, autograph=False)
    def call(iterator, num):
        _, rows = tf.while_loop(
            lambda i, rows: i < num,
            lambda i, rows: train_and_note(i, rows, iterator),
            (0, tf.TensorArray(tf.float32, num)),
            parallel_iterations=1,
        )
        return dict(zip(names, tf.unstack(rows.stack(), axis=1), strict=True))

    calls = iter(sizes)
    return lambda iterator: call(iterator, tf.constant(next(calls)))


def value_and_gradient(
    fn: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns fn(x) and d(sum of fn(x)) / dx, both differentiable.

    Args:
        fn: From a batch to one score for each example, [batch] or [batch, 1].
        x: float [batch, ...].

    Returns:
        (scores, float [batch, ...]): the latter the gradient of each example's score,
        as long as `fn` treats the examples of a batch apart (no batch normalisation).
    """
    # In 16 bits this gradient, too, would vanish without a scale.
    scale = getattr(_tracing, "scale", 1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = fn(x)
        scaled = tf.cast(score, tf.float32) * scale
    gradient = tf.cast(tape.gradient(scaled, x), tf.float32) / scale
    return score, tf.cast(gradient, x.dtype)


def grouped_conv(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves each group of channels with kernels of its own; same size, stride 1.

    `keras.ops.conv` does it through XLA, which takes a hundred times as long on a CPU.
    Some CPUs lack TensorFlow's gradients of it: there they are those of a convolution
    for each group.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels / groups, out].

    Returns:
        float [batch, height, width, out].
    """
    conv = _conv if has_grouped_gradients(x.dtype) else _group_by_group
    return conv(x, kernel)


@functools.cache
def has_grouped_gradients(dtype: tf.DType) -> bool:
    """Whether TensorFlow has the gradients of grouped convolutions on this device.

    On a CPU it has them where oneDNN is on: by default on x86 with AVX-512 alone.
    """
    with tf.init_scope():  # no tape records in here: the gradient by its own name
        maps, kernel = tf.zeros((1, 3, 3, 4), dtype), tf.zeros((3, 3, 2, 4), dtype)
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=maps.shape,
                filter=kernel,
                out_backprop=maps,
                strides=[1] * 4,
                padding="SAME",
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


def _conv(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


@tf.custom_gradient
def _group_by_group(x, kernel):
    def gradient(dy):
        groups = x.shape[-1] // kernel.shape[2]
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            parts = (tf.split(value, groups, axis=-1) for value in (x, kernel))
            y = tf.concat([_conv(*pair) for pair in zip(*parts, strict=True)], -1)
        return tape.gradient(y, [x, kernel], dy)

    return _conv(x, kernel), gradient


def resize(x: tf.Tensor, size: tuple, interpolation: str) -> tf.Tensor:
    """Resizes maps, as `keras.ops.image.resize`; height and width may be tensors.

    Args:
        x: float [batch, height, width, channels].
        size: The new (height, width).
        interpolation: "nearest" or "bilinear"; not antialiased.

    Returns:
        float [batch, *size, channels].
    """
    return tf.cast(tf.image.resize(x, size, interpolation), x.dtype)


def num_replicas() -> int:
    """The number of devices that share this step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def _share() -> tuple[int, int]:
    """Which part of the global batch is computed here, and of how many."""
    index, parts = part()
    if num_replicas() == 1:
        return index, parts
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return replica * parts + index, num_replicas() * parts


def part() -> tuple[int, int]:
    """Which part of this replica's batch is computed, and of how many."""
    return getattr(_tracing, "part", (0, 1))


def whole(rows: int) -> int:
    """The rows of the global batch, from those that are computed here at once."""
    return rows * _share()[1]


def replica_slice(make: Callable[[int], tf.Tensor], batch: int) -> tf.Tensor:
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


def global_mean(x: tf.Tensor) -> tf.Tensor:
    """The mean of a tensor over all devices; gradients flow through it."""
    mean = tf.reduce_mean(x)
    if num_replicas() == 1:
        return mean
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def map_globally(fn: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Applies a function to the rows of all devices, in their order.

    Args:
        fn: From the rows of all to as many.
        x: This device's, float [batch, ...].

    Returns:
        This device's rows of the result.
    """
    if num_replicas() == 1:
        return fn(x)
    context = tf.distribute.get_replica_context()
    rows, index = x.shape[0], context.replica_id_in_sync_group
    # Collectives forget the shape.
    whole = (num_replicas() * rows, *x.shape[1:])
    result = fn(tf.ensure_shape(context.all_gather(x, axis=0), whole))
    return tf.ensure_shape(result[index * rows : (index + 1) * rows], x.shape)


class StepSeed(keras.random.SeedGenerator):
    """Seeds as a function of (seed, step, number of the draw in the step).

    Unlike Keras's own generator it has no state that a draw changes: after a resume
    the draws go on as if nothing had happened, as long as the step is restored.

    Args:
        seed: The run's seed.
        step: Integer variable that counts training steps.
    """

    def __init__(self, seed: int, step: keras.Variable):
        """Starts at the step's first draw."""
        super().__init__(seed)
        self._step = step
        # Each replica is traced in a thread of its own, in turn with the others.
        self._local = threading.local()
        self.begin_step()

    @property
    def draws(self) -> int:
        """How many draws the step has made."""
        return self._local.draws

    def begin_step(self, draws: int = 0) -> None:
        """Goes back to the first draw, or to another; call it where a step begins."""
        self._local.draws = draws

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Returns the next draw's seed, int32 [2]."""
        del ordered  # always in order
        self._local.draws += 1
        # The draw stands in the upper bits: no two (step, draw) meet below 2^24 steps.
        low = ops.cast(self._step.value, self.state.dtype) + self._local.draws * 2**24
        return ops.stack([self.state.value[0], low])

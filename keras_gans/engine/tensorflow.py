"""The engine under TensorFlow: tapes, graphs, and the replicas of a strategy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gans.engine import tracing

cond = ops.cond
set_random_seed = keras.utils.set_random_seed


class Model(keras.Model):
    """A Keras model with a `train_step` of its own, built before `fit`."""

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: it is built, and Keras would sum a batch over several hosts."""


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> tf.Tensor:
    """Takes a step with the gradients of all replicas.

    Args:
        optimizer: Built on the variables.
        gradients: This replica's, one for each variable.
        variables: What the step changes.

    Returns:
        The global L2 norm of the sum of the gradients over all replicas.
    """
    if num_replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        # Keras's optimizers sum after they clip, and after they look for overflows.
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        inner._all_reduce_sum_gradients = list
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients)


def gradients(
    losses_fn: Callable[[], dict[str, tf.Tensor]],
    variables: Sequence[keras.Variable],
    factor: float | tf.Tensor = 1.0,
    after: list[tf.Tensor] | None = None,
) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
    """Differentiates the sum of the means of some terms.

    Args:
        losses_fn: Returns the terms, unreduced: {name: float [rows, ...]}.
        variables: By which.
        factor: Of the gradients.
        after: What is computed first, if there is anything.

    Returns:
        ({name: float32 mean}, a gradient for each variable).
    """
    values = [v.value for v in variables]
    with (
        tf.control_dependencies(after or []),
        tf.GradientTape(watch_accessed_variables=False) as tape,
    ):
        tape.watch(values)
        means = {k: ops.mean(ops.cast(v, "float32")) for k, v in losses_fn().items()}
        loss = sum(means.values()) * factor
    # An embedding's gradient comes as slices, a row for each example. Keras's
    # optimizers would square, clip and norm rows of one class apart: add them.
    with tf.control_dependencies(after or []):
        return means, [tf.convert_to_tensor(g) for g in tape.gradient(loss, values)]


def recompute(
    fn: Callable[..., list[tf.Tensor]],
    inputs: list[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> list[tf.Tensor]:
    """Returns fn(*inputs), and computes it again for its gradient.

    Args:
        fn: From tensors to tensors; assigns nothing and draws nothing.
        inputs: What it takes.
        variables: The trainable ones that it reads.

    Returns:
        What it returns; differentiable, and so is the gradient.
    """

    def run(values):
        weights, given = values[: len(variables)], values[len(variables) :]
        held = zip(variables, weights, strict=True)
        with keras.StatelessScope(held, initialize_variables=False):
            return fn(*given)

    @tf.custom_gradient
    def once(*values):
        def gradient(*upstream):
            # Not before the gradient is there: else both would be computed at once.
            with tf.control_dependencies(upstream):
                again = [tf.identity(x) for x in values]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                outputs = run(again)
            return tape.gradient(outputs, again, upstream)

        return run(values), gradient

    return once(*(tf.convert_to_tensor(v.value) for v in variables), *inputs)


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


def compiled(fn: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Compiles a function of tensors.

    Args:
        fn: From tensors to tensors.
        variables: All that it reads or assigns.

    Returns:
        What does the same, faster.
    """
    del variables  # TensorFlow finds them
    return tf.function(fn, autograph=False, reduce_retracing=True)


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
    scale = tracing.scale()
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


def depthwise_conv(x: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    """Convolves each channel with a kernel of its own, without padding.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels, 1].
        strides: In both directions.

    Returns:
        float [batch, ..., ..., channels].
    """
    return ops.depthwise_conv(x, kernel, strides=strides, padding="valid")


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


def synchronize(model: keras.Model) -> None:
    """Gives batch normalisation the statistics of all devices."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def machine() -> str:
    """What figures are of: devices, and the backend's version."""
    devices = [d.device_type for d in tf.config.list_physical_devices()]
    return f"{'+'.join(devices)}, TensorFlow {tf.__version__}"


def num_replicas() -> int:
    """The number of devices that share this step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica() -> int | tf.Tensor:
    """Which of them this is."""
    if num_replicas() == 1:
        return 0
    return tf.distribute.get_replica_context().replica_id_in_sync_group


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

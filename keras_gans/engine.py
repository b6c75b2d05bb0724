"""Gradients and replicas: the only file of a training step that speaks TensorFlow.

Variants, networks, losses and penalties speak `keras.ops`; another Keras backend needs
the names below and nothing else.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Sequence

import keras
import tensorflow as tf
from keras import ops


def minimize(
    losses_fn: Callable[[], dict[str, tf.Tensor]],
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, tf.Tensor]:
    """Takes one optimizer step on the sum of the means of some terms.

    Args:
        losses_fn: Returns the terms, unreduced: {name: float [batch, ...]}.
        variables: What the step may change; nothing else is.
        optimizer: Built on these variables.

    Returns:
        {name: mean of the term over this replica's batch} and "gradient_norm", the
        global L2 norm of the gradient of their sum. Float32 scalars.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([v.value for v in variables])
        terms = {k: ops.mean(ops.cast(v, "float32")) for k, v in losses_fn().items()}
        # Keras's optimizers SUM gradients over replicas: divide here, once.
        scale = optimizer.scale_loss(ops.ones(())) / num_replicas()
        loss = sum(terms.values()) * scale
    gradients = tape.gradient(loss, [v.value for v in variables])
    # An embedding's gradient comes as slices, a row for each example. Keras's
    # optimizers would square, clip and norm rows of one class apart: add them up.
    gradients = [tf.convert_to_tensor(g) for g in gradients]
    optimizer.apply(gradients, variables)
    norm = tf.linalg.global_norm(gradients) / scale
    return {**terms, "gradient_norm": norm}


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
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = fn(x)
    return score, tape.gradient(score, x)


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
    conv = _conv if has_grouped_gradients() else _group_by_group
    return conv(x, kernel)


@functools.cache
def has_grouped_gradients() -> bool:
    """Whether TensorFlow has the gradients of grouped convolutions on this device.

    On a CPU it has them where oneDNN is on: by default on x86 with AVX-512 alone.
    """
    with tf.init_scope():  # no tape records in here: the gradient by its own name
        maps, kernel = tf.zeros((1, 3, 3, 4)), tf.zeros((3, 3, 2, 4))
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


def replica_slice(make: Callable[[int], tf.Tensor], batch: int) -> tf.Tensor:
    """Makes a global batch and keeps this replica's part of it.

    Every replica makes the same global batch, so that what one device trains on is,
    row for row, what several do.

    Args:
        make: From a number of rows to a tensor with that many.
        batch: This replica's number of rows.

    Returns:
        The tensor's rows of this replica.
    """
    replicas = num_replicas()
    if replicas == 1:
        return make(batch)
    context = tf.distribute.get_replica_context()
    start = context.replica_id_in_sync_group * batch
    return make(batch * replicas)[start : start + batch]


def global_mean(x: tf.Tensor) -> tf.Tensor:
    """The mean of a tensor over all devices; gradients flow through it."""
    mean = tf.reduce_mean(x)
    if num_replicas() == 1:
        return mean
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def global_batch(x: tf.Tensor) -> tf.Tensor:
    """The rows of all devices, in their order; x itself if there is one."""
    if num_replicas() == 1:
        return x
    return tf.distribute.get_replica_context().all_gather(x, axis=0)


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

    def begin_step(self) -> None:
        """Goes back to the first draw; call it where a step begins."""
        self._local.draws = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Returns the next draw's seed, int32 [2]."""
        del ordered  # always in order
        self._local.draws += 1
        # The draw stands in the upper bits: no two (step, draw) meet below 2^24 steps.
        low = ops.cast(self._step.value, self.state.dtype) + self._local.draws * 2**24
        return ops.stack([self.state.value[0], low])

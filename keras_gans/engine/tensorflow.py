"""Engine under TensorFlow: tapes, graphs, and the replicas of a strategy."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_gans.engine import faults, keras_private, kernels, tracing

NAME = "TensorFlow"
set_random_seed = keras.utils.set_random_seed


class Model(keras_private.NoSymbolicBuild, keras.Model):
    """Keras model with its own `train_step`, built before `fit`.

    Attributes:
        late_start: First step of the later phase of a run, see `engine.is_late`; 0 if
            there is one phase.
        late_values: Beginnings of the names of logged values that only the later phase
            has.
    """

    late_start = 0
    late_values: Sequence[str] = ()

    def make_train_function(self, force: bool = False) -> None:
        """Make the function that `fit` calls for each batch.

        Args:
            force: Whether to replace an existing function.
        """
        several = self.distribute_strategy.num_replicas_in_sync > 1
        own = self.late_start or (self.jit_compile and not several)
        if self.run_eagerly or not own:
            super().make_train_function(force)
        elif self.train_function is None or force:
            sizes = itertools.repeat(self.steps_per_execution)
            steps = TrainFunction(self, sizes)
            self.train_function = _LastStep(steps)
        if isinstance(self.train_function, TrainFunction | _LastStep):
            self.train_function.restart()


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> tf.Tensor:
    """Update variables with the gradients of all replicas.

    Args:
        optimizer: Optimizer that was built on the variables.
        gradients: Gradients of this replica, one for each variable.
        variables: Variables to update.

    Returns:
        The global L2 norm of the gradients, summed over all replicas.
    """
    if num_replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        keras_private.sum_no_gradients(optimizer)
    optimizer.apply(gradients, variables)
    return tf.linalg.global_norm(gradients)


def gradients(
    losses_fn: Callable[[], dict[str, tf.Tensor]],
    variables: Sequence[keras.Variable],
    factor: float | tf.Tensor = 1.0,
    after: list[tf.Tensor] | None = None,
    shared: Shared | None = None,
) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
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
    values = [v.value for v in variables]
    outputs = tf.nest.flatten(shared.value) if shared else []
    with (
        tf.control_dependencies(after or []),
        tf.GradientTape(watch_accessed_variables=False) as tape,
    ):
        tape.watch([values, outputs])
        means = {k: ops.mean(ops.cast(v, "float32")) for k, v in losses_fn().items()}
        loss = sum(means.values()) * factor
    # The gradient of an embedding is `tf.IndexedSlices`, with a row for each example.
    # Keras's optimizers would square, clip and norm the rows of one class separately.
    # The conversion to a dense tensor adds these rows.
    with tf.control_dependencies(after or []):
        found, upstream = tape.gradient(loss, [values, outputs])
        if shared:
            pairs = zip(found, shared.pull(upstream), strict=True)
            found = [_sum(pair) for pair in pairs]
        return means, [tf.convert_to_tensor(g) for g in found]


def _sum(gradients: Iterable[Any]) -> tf.Tensor | None:
    """Return the sum of gradients, of which None is 0; None if all are."""
    dense = [tf.convert_to_tensor(g) for g in gradients if g is not None]
    return sum(dense[1:], dense[0]) if dense else None


class Shared:
    """Outputs of a computation that the losses of several players use.

    Args:
        fn: Function that returns tensors, in any structure of tuples and dictionaries.
        variables: Variables of the player to which gradients flow back.

    Attributes:
        value: Result of `fn`.
    """

    def __init__(self, fn: Callable[[], Any], variables: Sequence[keras.Variable]):
        self._variables = [v.value for v in variables]
        with tf.GradientTape(watch_accessed_variables=False) as self._tape:
            self._tape.watch(self._variables)
            self.value = fn()

    def pull(self, upstream: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
        """Return the gradients of the variables; call it once.

        Args:
            upstream: Gradients of the tensors in `value`, in the order of
                `tf.nest.flatten`; None for tensors that no loss uses.
        """
        pairs = zip(tf.nest.flatten(self.value), upstream, strict=True)
        used = [(x, g) for x, g in pairs if g is not None]
        outputs, gradients = zip(*used, strict=True) if used else ((), ())
        return self._tape.gradient(list(outputs), self._variables, list(gradients))


def rematerialize(
    fn: Callable[..., list[tf.Tensor]],
    inputs: list[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> list[tf.Tensor]:
    """Return `fn(*inputs)`, and compute its activations again for the gradient.

    Args:
        fn: Function from tensors to tensors that assigns no variable and draws no
            random number.
        inputs: Arguments of `fn`.
        variables: Trainable variables that `fn` reads.

    Returns:
        Result of `fn`. The result and its gradient are differentiable.
    """

    def run(values):
        weights, given = values[: len(variables)], values[len(variables) :]
        held = zip(variables, weights, strict=True)
        with keras.StatelessScope(held, initialize_variables=False):
            return fn(*given)

    @tf.custom_gradient
    def once(*values):
        def gradient(*upstream):
            # Wait for the gradient: else both forward passes would run at once.
            with tf.control_dependencies(upstream):
                again = [tf.identity(x) for x in values]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                outputs = run(again)
            return tape.gradient(outputs, again, upstream)

        return run(values), gradient

    return once(*(tf.convert_to_tensor(v.value) for v in variables), *inputs)


def every(step: keras.Variable, steps: int, fn: Callable, otherwise: Callable) -> Any:
    """Compute a value every `steps` steps.

    Args:
        step: Variable that counts training steps, from 0.
        steps: Number of steps from one computation to the next.
        fn: Function that computes the value, where `step` is a multiple of `steps`.
        otherwise: Function that returns a substitute of the same shape in other steps.

    Returns:
        Result of `fn` or `otherwise`.
    """
    due = tracing.is_due(step, steps)
    if due is None:
        return ops.cond(step.value % steps == 0, fn, otherwise)
    return fn() if due else otherwise()


class CompilationError(RuntimeError):
    """Failure of XLA to compile a training step; the message names the operation."""


class CompiledStep:
    """Training step compiled by XLA, once for each combination of lazy terms in a step.

    The lazy terms of a step are chosen while tracing. With `tf.cond`, XLA would treat
    the shapes that a branch passes to its gradient as constants. XLA would then compile
    the step again for every value of the step counter.

    Args:
        model: Compiled model with a `train_step`.

    Attributes:
        names: Names of the logged values, after the first call.
    """

    def __init__(self, model: keras.Model):
        self._model = model
        self._functions: list[tuple[int, Callable]] = []
        self._periods: set[int] = set()
        self.names: list[str] = []

    def __call__(self, batch: Any, number: int) -> tf.Tensor:
        """Take a training step.

        Args:
            batch: Batch for the model's `train_step`.
            number: Value of the model's `step`, as a Python integer.

        Returns:
            Logged values, float32 [names].

        Raises:
            CompilationError: If XLA cannot compile the step; no variable has changed
                then.
        """
        for traced_for, function in self._functions:
            if self._due(traced_for) == self._due(number):
                return function(batch)
        function = self._trace(number)
        try:
            row = function(batch)
        except tf.errors.OpError as error:
            if faults.find(error):
                raise
            raise CompilationError(faults.describe_compilation(str(error))) from None
        self._functions.append((number, function))
        return row

    def _due(self, number: int) -> list[bool]:
        due = [number % period == 0 for period in sorted(self._periods)]
        return [*due, self._is_late(number)]

    def _is_late(self, number: int) -> bool:
        return number >= getattr(self._model, "late_start", 0)

    def _trace(self, number: int) -> Callable:
        model, periods = self._model, self._periods

        def train(batch):
            with tracing.computing(
                step=model.step,
                number=number,
                periods=periods,
                late=self._is_late(number),
            ):
                logs = model.train_step(batch)
            self.names[:] = logs
            return tf.stack(list(logs.values()))

        return tf.function(train, autograph=False, jit_compile=True)


def is_compiled(model: keras.Model) -> bool:
    """Return whether XLA compiles the model's training steps."""
    return bool(model.jit_compile)


class TrainFunction:
    """Function that `fit` calls to perform some training steps, in place of Keras's.

    Without XLA, all steps of a call are one graph, so that the host is free to prepare
    batches. With XLA, the host starts one compiled step after another. In each call it
    waits until the steps of the call before the previous one have finished. If XLA
    cannot compile a step, this step and all later ones run without XLA.

    Args:
        model: Compiled model with a `train_step`.
        sizes: Numbers of steps, one for each call.
    """

    def __init__(self, model: keras.Model, sizes: Iterable[int]):
        self._model, self._sizes = model, iter(sizes)
        self._compiled, self._plain = CompiledStep(model), _Loop(model)
        self.restart()

    def restart(self) -> None:
        """Forget the step number, which other code may have changed."""
        self._number: int | None = None
        self._running: list[tf.Tensor] = []

    def __call__(self, iterator: Iterator) -> dict[str, tf.Tensor]:
        """Take the next steps.

        Args:
            iterator: Iterator over batches.

        Returns:
            Logged values of each step, float32 [steps], as means over the devices.

        Raises:
            StopIteration: If no batch is left.
        """
        size = next(self._sizes)
        if not self._model.jit_compile:
            return self._plain(iterator, size)
        if self._number is None:
            self._number = int(self._model.step.numpy())
        if len(self._running) == 2:
            self._running.pop(0).numpy()
        rows = [self._step(batch) for batch in itertools.islice(iterator, size)]
        if not rows:
            raise StopIteration
        self._running.append(tf.stack(rows))
        columns = tf.unstack(self._running[-1], axis=1)
        names = self._compiled.names or self._plain.names
        return dict(zip(names, columns, strict=True))

    def _step(self, batch: Any) -> tf.Tensor:
        self._number += 1
        if self._model.jit_compile:
            try:
                return self._compiled(batch, self._number - 1)
            except CompilationError as error:
                line = f"{self._model.name}: {error}"
                print(line, file=sys.stderr, flush=True)
                self._model.jit_compile = False
        alone = iter(tf.data.Dataset.from_tensors(batch))
        return tf.concat(list(self._plain(alone, 1).values()), axis=0)


train_function = TrainFunction


class _LastStep:
    """Train function that returns only the logs of the last step, as Keras's does."""

    def __init__(self, steps: TrainFunction):
        self._steps, self.restart = steps, steps.restart

    def __call__(self, iterator: Iterator) -> dict[str, tf.Tensor]:
        return {name: values[-1] for name, values in self._steps(iterator).items()}


class _Loop:
    """Training steps without XLA; all steps of a call are one graph.

    Args:
        model: Compiled model with a `train_step`.

    Attributes:
        names: Names of the logged values, after the first call.
    """

    def __init__(self, model: keras.Model):
        self._model, self.names = model, []

    def __call__(self, iterator: Iterator, size: int) -> dict[str, tf.Tensor]:
        """Take `size` steps and return the logged values of each, float32 [size]."""
        if isinstance(iterator, Generator):  # of `train_on_batch`
            # Each generator would be traced anew, with its batch as a constant.
            iterator = iter(tf.data.Dataset.from_tensors(next(iterator)))
        try:
            return self._call(iterator, tf.constant(size))
        except tf.errors.OutOfRangeError:
            raise StopIteration from None

    @functools.cached_property
    def _call(self) -> Callable:
        strategy, step = self._model.distribute_strategy, self._model.train_step

        start = self._model.late_start

        def train(batch, late):
            with tracing.computing(late=late):
                logs = step(batch)
            self.names[:] = logs
            return tf.stack(list(logs.values()))

        def train_on_all(batch, late):
            each = strategy.run(train, args=(batch, late))
            return strategy.reduce("MEAN", each, axis=None)

        def train_and_note(i, rows, iterator):
            batch = next(iterator)
            late = functools.partial(train_on_all, batch, True)
            if not start:
                return i + 1, rows.write(i, late())
            # The condition is outside of the replicas, which could not meet inside.
            early = functools.partial(train_on_all, batch, False)
            is_late = self._model.step.value >= start
            return i + 1, rows.write(i, tf.cond(is_late, late, early))

        @functools.partial(tf.function, autograph=False)
        def call(iterator, num):
            _, rows = tf.while_loop(
                lambda i, rows: i < num,
                lambda i, rows: train_and_note(i, rows, iterator),
                (0, tf.TensorArray(tf.float32, num)),
                parallel_iterations=1,
            )
            columns = tf.unstack(rows.stack(), axis=1)
            return dict(zip(self.names, columns, strict=True))

        return call


def compiled(fn: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Compile a function of tensors.

    Args:
        fn: Function from tensors to tensors.
        variables: All variables that `fn` reads or assigns.

    Returns:
        Compiled function with the arguments and results of `fn`.
    """
    del variables  # TensorFlow tracks them
    return tf.function(fn, autograph=False, reduce_retracing=True)


def value_and_gradient(
    fn: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
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
    scale = tracing.scale()
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = fn(x)
        scaled = tf.cast(score, tf.float32) * scale
    gradient = tf.cast(tape.gradient(scaled, x), tf.float32) / scale
    return score, tf.cast(gradient, x.dtype)


def conv(x: tf.Tensor, kernel: tf.Tensor, groups: int) -> tf.Tensor:
    """Convolve groups of channels in one operation; same size, stride 1.

    `keras.ops.conv` would use XLA here, which is far slower on a CPU. On some CPUs,
    TensorFlow lacks the gradients of a grouped convolution. They are computed group by
    group there.

    Args:
        x: float [batch, height, width, channels].
        kernel: float [height, width, channels / groups, out].
        groups: Number of groups.

    Returns:
        float [batch, height, width, out].
    """
    native = (
        groups == 1 or keras_private.is_compiling() or has_grouped_gradients(x.dtype)
    )
    return (_conv if native else _group_by_group)(x, kernel)


@functools.cache
def has_grouped_gradients(dtype: tf.DType) -> bool:
    """Return whether TensorFlow differentiates grouped convolutions on this device.

    A CPU needs oneDNN for these gradients. By default, oneDNN is on only on x86 CPUs
    with AVX-512.

    Args:
        dtype: Dtype of the convolution.
    """
    with tf.init_scope():  # without a tape: call the gradient's own operation
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


def double(x: tf.Tensor, interpolation: str) -> tf.Tensor:
    """Double the height and width of feature maps; both may be unknown while tracing.

    Args:
        x: float [batch, height, width, channels].
        interpolation: "nearest" or "bilinear"; without antialiasing.

    Returns:
        float [batch, 2 * height, 2 * width, channels].
    """
    if interpolation == "nearest" and current_kernels().repeat_pixels:
        return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
    size = [2 * side for side in ops.shape(x)[1:3]]
    return tf.cast(tf.image.resize(x, size, interpolation), x.dtype)


def synchronize(model: keras.Model) -> None:
    """Make batch normalization use the statistics of all devices."""
    for layer in keras_private.flatten_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def device_kind() -> str:
    """Return the kind of the device that computes a step: "cpu", "gpu" or "tpu"."""
    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return next((kind.lower() for kind in ("GPU", "TPU") if kind in kinds), "cpu")


def device_name() -> str:
    """Return the name of the first GPU, as "NVIDIA H200"; else the device's kind."""
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        return details.get("device_name", "GPU")
    return device_kind().upper()


def current_kernels() -> kernels.Kernels:
    """Return the kernels for the code that is traced, or run eagerly, right now."""
    return kernels.choose("tensorflow", device_kind(), keras_private.is_compiling())


def machine() -> str:
    """Return the devices and the backend's version, to report with measurements."""
    devices = [d.device_type for d in tf.config.list_physical_devices()]
    return f"{'+'.join(devices)}, {version()}"


def version() -> str:
    """Return the backend's name and version."""
    return f"{NAME} {tf.__version__}"


def peak_memory_mib() -> float:
    """Return the peak memory use of the first GPU, in MiB; 0 without a GPU."""
    if not tf.config.list_logical_devices("GPU"):
        return 0.0
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def to_device(batch: Any) -> Any:
    """Copy a batch to the device that computes the steps."""
    return tf.nest.map_structure(tf.identity, batch)


def is_distributed(data: Any) -> bool:
    """Return whether a strategy has divided the batches of a data set."""
    return isinstance(data, tf.distribute.DistributedDataset)


def num_replicas() -> int:
    """Return the number of devices that share this step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica() -> int | tf.Tensor:
    """Return the index of this replica, from 0."""
    if num_replicas() == 1:
        return 0
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def global_mean(x: tf.Tensor) -> tf.Tensor:
    """Return the mean of a tensor over all devices; gradients flow through it."""
    mean = tf.reduce_mean(x)
    if num_replicas() == 1:
        return mean
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, mean)


def map_globally(fn: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Apply a function to the rows of all devices, in the order of the devices.

    Args:
        fn: Function from the rows of all devices to as many rows.
        x: Rows of this device, float [batch, ...].

    Returns:
        Rows of the result that belong to this device.
    """
    if num_replicas() == 1:
        return fn(x)
    context = tf.distribute.get_replica_context()
    rows, index = x.shape[0], context.replica_id_in_sync_group
    # `all_gather` loses the static shape.
    whole = (num_replicas() * rows, *x.shape[1:])
    result = fn(tf.ensure_shape(context.all_gather(x, axis=0), whole))
    return tf.ensure_shape(result[index * rows : (index + 1) * rows], x.shape)

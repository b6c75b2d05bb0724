r"""Measures how fast this machine trains.

    python -m keras_gans.benchmark throughput --model=cgan

trains the recipe's networks in two ways, in turn, in one process: with `fit` and all
callbacks of the train command, and in a bare `tf.function` loop that does the same
updates on batches already in memory. Prints images per second of each, the ratios pair
by pair, and their medians.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time

from absl import flags

from keras_gans.command import run_command
from keras_gans.config import Config, load_config
from keras_gans.errors import UserError

KINDS = ("throughput",)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string("model", "cgan", "A name of the zoo, or a .toml file.", **flag)
    flags.DEFINE_multi_string("set", [], "Changes one key of the recipe.", **flag)
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_integer("rounds", 5, "Pairs of measurements.", **flag, lower_bound=1)
    flags.DEFINE_integer(
        "steps",
        None,
        "Steps in a measurement; the recipe's checkpoint_every if not given, so that "
        "grids and checkpoints count in their true share.",
        **flag,
        lower_bound=1,
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    # The kind of benchmark is the one word that is not a flag.
    kind = next((word for word in argv if word in KINDS), None)

    def body(values: flags.FlagValues) -> None:
        if kind is None:
            raise UserError(f"say which benchmark: one of {', '.join(KINDS)}")
        config = load_config(values.model, values.set)
        steps = values.steps or config.train.checkpoint_every
        throughput(config, values.data_dir, values.rounds, steps)

    rest = [word for word in argv if word != kind]
    return run_command("benchmark", __doc__, define_flags, body, rest)


def throughput(config: Config, data_dir: str | None, rounds: int, steps: int) -> None:
    """Times `fit` with its callbacks against a bare loop, and prints the figures.

    Args:
        config: The recipe.
        data_dir: Where TensorFlow Datasets keeps its sets.
        rounds: Pairs of measurements.
        steps: Training steps in each.
    """
    import keras
    import tensorflow as tf

    class Clock(keras.callbacks.Callback):
        """From the first step's start to the last one's end."""

        first = None

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            self.first = self.first or time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            if batch == steps - 1:
                _ = {k: v.numpy() for k, v in logs.items()}  # waits for the device
            self.last = time.perf_counter()

    from keras_gans import building, callbacks, data
    from keras_gans.workdir import Workdir

    source = data.open_source(config.step_data, data_dir)
    size = config.step_data.batch_size
    bare = building.build_model(config, source.info)
    batches = list(source.stream(0).take(16))

    # The same updates with nothing around them: no callback, no input pipeline.
    step = tf.function(bare.train_step, jit_compile=bare.jit_compile)

    def run_bare() -> float:
        start = time.perf_counter()
        for i in range(steps):
            logs = step(batches[i % len(batches)])
        _ = {k: v.numpy() for k, v in logs.items()}
        return steps * size / (time.perf_counter() - start)

    model = building.build_model(config, source.info)
    stream = source.stream(config.train.seed)

    def run_fit() -> float:
        with tempfile.TemporaryDirectory() as folder:
            # Opening the folder and the stream comes once in a run: not timed.
            begin, end = Clock(), Clock()
            workdir = Workdir(folder)
            workdir.write(config, source.info)
            info = building.generator_info(model, config, source.info)
            watching = callbacks.training_callbacks(
                building.KerasSampler(model, info), workdir, config.train
            )
            model.fit(
                stream,
                steps_per_epoch=steps,
                verbose=0,
                shuffle=False,
                callbacks=callbacks.CallbackList(
                    [begin, *watching, end], add_history=True, model=model
                ),
            )
            return steps * size / (end.last - begin.first)

    run_bare(), run_fit()  # trace, and warm up
    rows = [(run_bare(), run_fit()) for _ in range(rounds)]
    print(f"{config.name}, batch {size}, {steps} steps, {rounds} rounds; images/s")
    print(f"{'bare loop':>12} {'fit':>12} {'fit / bare':>12}")
    for a, b in rows:
        print(f"{a:12.0f} {b:12.0f} {b / a:12.3f}")
    a, b = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(y / x for x, y in rows)
    print(f"{a:12.0f} {b:12.0f} {ratio:12.3f}  median")
    devices = [d.device_type for d in tf.config.list_physical_devices()]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {'+'.join(devices)}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )


if __name__ == "__main__":
    sys.exit(main())

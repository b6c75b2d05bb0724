r"""Measures how fast this machine trains.

    python -m keras_gans.benchmark throughput --model=cgan

trains the recipe's networks in two ways, in turn, in one process: with `fit` and all
callbacks of the train command, and in a bare `tf.function` loop that does the same
updates on batches already in memory. Prints images per second of each, the ratios pair
by pair, and their medians.

    python -m keras_gans.benchmark models --model=dcgan --model=r3gan

runs the bare loop of each recipe in a process of its own and prints steps and images
per second (medians), the number of weights, and the most memory that the process held,
TensorFlow included.

    python -m keras_gans.benchmark input --model=dcgan --set=data.dataset=digits

reads each recipe's data alone, in a process of its own: seconds to the first batch,
images per second after it (median), and the most memory that the process held.

    python -m keras_gans.benchmark quality --model=dcgan --model=sngan \
        --dataset=fashion --budget=180 --seeds=3 --out=runs/board
    python -m keras_gans.benchmark report --out=runs/board --docs=docs

trains each model for as many steps as fill the budget of seconds on this machine, with
several seeds, measures each run by `keras_gans.evaluate`, and prints means and standard
deviations; runs that are in the folder already are not made again. `report` writes the
table and a plot of KID against time.

    python -m keras_gans.benchmark exports --model=dcgan --model=r3gan --steps=100 \
        --out=runs/exports --docs=docs

trains each model for some steps, exports it in every quantization, and writes sizes and
deviations of all that are in the folder to docs/exports.md.

    python -m keras_gans.benchmark doctor --out=runs/doctor --docs=docs

trains runs that are broken on purpose, one for each of the doctor's diagnoses, and
healthy ones, and writes what it says of them to docs/doctor.md.

    python -m keras_gans.benchmark watermark --source=runs/cgan --num=1000

marks a run's pictures as `export --watermark` does, changes them in several ways, and
prints how many are found again, how visible the mark is, and what it costs in KID.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from absl import flags

from keras_gans import board
from keras_gans.command import import_tensorflow, run_command
from keras_gans.config import Config, load_config
from keras_gans.errors import UserError
from keras_gans.export.sampler import peak_mib

KINDS = (
    "throughput",
    "models",
    "input",
    "quality",
    "report",
    "exports",
    "doctor",
    "watermark",
)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_multi_string(
        "model",
        ["cgan"],
        "A name of the zoo, or a .toml file; several, but of throughput.",
        **flag,
    )
    flags.DEFINE_multi_string("set", [], "Changes one key of the recipe.", **flag)
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_integer("rounds", 5, "Pairs of measurements.", **flag, lower_bound=1)
    flags.DEFINE_integer(
        "steps",
        None,
        "Steps in a measurement; the recipe's checkpoint_every if not given, so that "
        "grids and checkpoints count in their true share. exports: of training, 100.",
        **flag,
        lower_bound=1,
    )
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("dataset", "fashion", "quality: what all train on.", **flag)
    text("reference", None, "quality: as of keras_gans.evaluate.", **flag)
    number("budget", 600, "quality: seconds of training.", **flag, lower_bound=1)
    number("seeds", 3, "quality: runs of each model.", **flag, lower_bound=1)
    number(
        "num",
        10_000,
        "quality: samples to measure; watermark: 1000 if not given.",
        **flag,
        lower_bound=20,
    )
    text("source", None, "watermark: a run's workdir.", **flag)
    text("out", "runs/board", "For quality, report, exports, doctor: a folder.", **flag)
    text("docs", "docs", "report, exports, doctor: where their pages go.", **flag)
    text("readme", None, "report: a page with the marks of the board.", **flag)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    # The kind of benchmark is the one word that is not a flag.
    kind = next((word for word in argv if word in KINDS), None)

    def body(values: flags.FlagValues) -> None:
        if kind is None:
            raise UserError(f"say which benchmark: one of {', '.join(KINDS)}")
        if kind == "report":
            board.report(values.out, values.docs, values.readme)
            print(f"wrote {os.path.join(values.docs, 'board.md')}")
            return
        if kind == "quality":
            quality(values)
            return
        if kind == "exports":
            exports(values)
            return
        if kind == "doctor":
            doctor(values)
            return
        if kind == "watermark":
            watermark(values)
            return
        if kind == "throughput" and len(values.model) > 1:
            raise UserError("throughput: expected one --model")
        configs = [load_config(name, values.set) for name in values.model]
        steps = values.steps or configs[0].train.checkpoint_every
        if kind == "throughput":
            throughput(configs[0], values.data_dir, values.rounds, steps)
        elif kind == "input":
            read_input(configs, values.data_dir, values.rounds, steps)
        else:
            models(configs, values.data_dir, values.rounds, steps)

    rest = [word for word in argv if word != kind]
    return run_command("benchmark", __doc__, define_flags, body, rest)


def quality(values: flags.FlagValues) -> None:
    """Makes a board of models and prints it; the flags are those of the command."""
    contest = board.Contest(
        values.dataset,
        values.budget,
        values.seeds,
        values.num,
        tuple(values.set),
        values.data_dir,
        values.reference,
    )
    overrides = [*values.set, f"data.dataset={values.dataset}"]
    configs = {name: load_config(name, overrides) for name in values.model}
    rows = board.run(configs, contest, values.out, _steps_per_second, _machine())
    print(board.table(rows))


def exports(values: flags.FlagValues) -> None:
    """Exports models and writes the page; the flags are those of the command."""
    import_tensorflow()
    from keras_gans import export_table

    configs = {name: load_config(name, values.set) for name in values.model}
    export_table.run(configs, values.set, values.steps or 100, values.out)
    print(export_table.table(values.out))
    print(f"wrote {export_table.write_page(values.out, values.docs, _machine())}")


def doctor(values: flags.FlagValues) -> None:
    """Tries the doctor and writes the page; the flags are those of the command."""
    import_tensorflow()
    from keras_gans import doctor_trial

    doctor_trial.run(values.out)
    print(f"wrote {doctor_trial.write_page(values.out, values.docs, _machine())}")


def watermark(values: flags.FlagValues) -> None:
    """Measures the mark of a run's exports; the flags are those of the command."""
    if values.source is None:
        raise UserError("say which run: --source=runs/cgan")
    import_tensorflow()
    from keras_gans import building, watermark_trial
    from keras_gans.workdir import Workdir

    sampler = building.load_workdir(values.source)
    recipe, _ = Workdir(values.source).read()
    num = values.num if values["num"].present else 1000
    real = watermark_trial.real_pictures(recipe.data, values.data_dir, num)
    print(watermark_trial.run(sampler, real, recipe.data.dataset, num))
    print(f"{sampler.info['name']} at step {sampler.info['step']}, {_machine()}")


def _steps_per_second(config: Config, data_dir: str | None) -> tuple[float, int]:
    """Steps per second of a bare loop (the median of three), and pictures in a step."""
    from keras_gans import building, data

    source = data.open_source(config.data, data_dir, config.hparams.d_steps)
    run = _bare_loop(building.build_model(config, source.info), source, 10)
    run()  # trace, and warm up
    size = source.options.batch_size
    return statistics.median(run() for _ in range(3)) / size, size


def models(
    configs: list[Config], data_dir: str | None, rounds: int, steps: int
) -> None:
    """Times a bare loop of each recipe, and prints the figures.

    Args:
        configs: The recipes.
        data_dir: Where TensorFlow Datasets keeps its sets.
        rounds: Measurements of each.
        steps: Training steps in each.
    """
    titles = ("model", "batch", "steps/s", "images/s", "G weights", "D weights", "MiB")
    _measure_each(_measure, titles, configs, data_dir, rounds, steps)


def read_input(
    configs: list[Config], data_dir: str | None, rounds: int, steps: int
) -> None:
    """Times the input pipeline of each recipe, and prints the figures.

    Args:
        configs: The recipes.
        data_dir: Where TensorFlow Datasets keeps its sets.
        rounds: Measurements of each.
        steps: Batches in each.
    """
    titles = ("model", "batch", "first, s", "images/s", "pictures", "MiB")
    _measure_each(_measure_input, titles, configs, data_dir, rounds, steps)


def _measure_each(
    measure: Callable[[Config, str | None, int, int], tuple],
    titles: Sequence[str],
    configs: list[Config],
    *how: object,
) -> None:
    """Prints a row for each recipe, measured in a process of its own."""
    print("".join(f"{title:>12}" for title in titles), flush=True)
    for config in configs:
        # A fresh process: its most memory is this recipe's.
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), import_tensorflow
        ) as pool:
            row = pool.submit(measure, config, *how).result()
        print(f"{config.name:>12}" + "".join(f"{v:>12}" for v in row), flush=True)
    print(_machine())


def _measure_input(
    config: Config, data_dir: str | None, rounds: int, steps: int
) -> tuple:
    from keras_gans import data

    source = data.open_source(config.data, data_dir, config.hparams.d_steps)
    start = time.perf_counter()
    batches = iter(source.stream(config.train.seed))
    next(batches)
    first, size, rates = time.perf_counter() - start, source.options.batch_size, []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(steps):
            next(batches)
        rates.append(steps * size / (time.perf_counter() - start))
    found = f"{first:.2f}", round(statistics.median(rates)), source.info.num_examples
    return size, *found, round(peak_mib()) or "?"


def _measure(config: Config, data_dir: str | None, rounds: int, steps: int) -> tuple:
    from keras_gans import building, data

    source = data.open_source(config.data, data_dir, config.hparams.d_steps)
    model = building.build_model(config, source.info)
    run = _bare_loop(model, source, steps)
    run()  # trace, and warm up
    rate = statistics.median(run() for _ in range(rounds))
    size = source.options.batch_size
    sizes = model.generator.count_params(), model.discriminator.count_params()
    return size, f"{rate / size:.2f}", round(rate), *sizes, round(peak_mib()) or "?"


def _bare_loop(model, source, steps: int):
    """The same updates with nothing around them: no callback, no input pipeline."""
    import tensorflow as tf

    batches = list(source.stream(0).take(16))
    # Without autograph, as in fit().
    step = tf.function(model.train_step, autograph=False, jit_compile=model.jit_compile)

    def run() -> float:
        """Returns images per second."""
        start = time.perf_counter()
        for i in range(steps):
            logs = step(batches[i % len(batches)])
        _ = {k: v.numpy() for k, v in logs.items()}
        size = batches[0][0].shape[0]
        return steps * size / (time.perf_counter() - start)

    return run


def _machine() -> str:
    """What the figures are of: machine and versions."""
    import keras
    import tensorflow as tf

    devices = [d.device_type for d in tf.config.list_physical_devices()]
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {'+'.join(devices)}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )


def throughput(config: Config, data_dir: str | None, rounds: int, steps: int) -> None:
    """Times `fit` with its callbacks against a bare loop, and prints the figures.

    Args:
        config: The recipe.
        data_dir: Where TensorFlow Datasets keeps its sets.
        rounds: Pairs of measurements.
        steps: Training steps in each.
    """
    import keras

    class Clock(keras.callbacks.Callback):
        """From the first step's start to the last one's end."""

        first = None

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            self.first = self.first or time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            _ = {k: v.numpy() for k, v in logs.items()}  # waits for the device
            self.last = time.perf_counter()

    from keras_gans import building, callbacks, data, engine, strategies, vitals
    from keras_gans.workdir import Workdir

    source = data.open_source(config.data, data_dir, config.hparams.d_steps)
    size = source.options.batch_size
    run_bare = _bare_loop(building.build_model(config, source.info), source, steps)
    model = building.build_model(config, source.info)
    stream = source.stream(config.train.seed)
    examples = vitals.examples(source)
    ends = itertools.count(steps, steps)
    model.train_function = engine.train_function(  # traced once for all rounds
        model,
        itertools.chain.from_iterable(
            strategies.sizes(start, start + steps, config.train)
            for start in itertools.count(0, steps)
        ),
    )

    def run_fit() -> float:
        options = dataclasses.replace(config.train, steps=next(ends))
        with tempfile.TemporaryDirectory() as folder:
            # Opening the folder and the stream comes once in a run: not timed.
            begin, end = Clock(), Clock()
            workdir = Workdir(folder)
            workdir.write(config, source.info)
            info = building.generator_info(model, config, source.info)
            sampler = building.KerasSampler(model, info)
            watching = callbacks.training_callbacks(
                sampler, workdir, options, source, examples
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
    print(_machine())


if __name__ == "__main__":
    sys.exit(main())

"""Speed, number of weights and memory of each recipe, in a process of its own."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence

from keras_gans.backend import import_backend
from keras_gans.benchmarks import throughput
from keras_gans.device.sampler import peak_mib
from keras_gans.recipes.config import Config


def steps_per_second(config: Config, data_dir: str | None) -> tuple[float, int]:
    """Time a bare loop of a recipe.

    Args:
        config: The recipe.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        (steps per second, the median of three measurements; images per step).
    """
    from keras_gans import data
    from keras_gans.benchmarks import bare_loop
    from keras_gans.recipes import build

    source = data.open_source(config.data, data_dir, config.hparams.batches_per_step)
    loop = bare_loop.BareLoop(build.build_model(config, source.info))
    run = throughput.loop_timer(loop, source)
    run(10)  # trace, and warm up
    size = source.options.batch_size
    return statistics.median(run(10) for _ in range(3)) / size, size


def models(
    configs: list[Config], data_dir: str | None, rounds: int, steps: int
) -> None:
    """Time a bare loop of each recipe, and print a row for each.

    Args:
        configs: The recipes.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        rounds: Number of measurements of each recipe.
        steps: Training steps of each measurement.
    """
    titles = ("model", "batch", "steps/s", "images/s", "G weights", "D weights", "MiB")
    _measure_each(_measure, titles, configs, data_dir, rounds, steps)


def read_input(
    configs: list[Config], data_dir: str | None, rounds: int, steps: int
) -> None:
    """Time the input pipeline of each recipe, and print a row for each.

    Args:
        configs: The recipes.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        rounds: Number of measurements of each recipe.
        steps: Batches of each measurement.
    """
    titles = ("model", "batch", "first, s", "images/s", "images", "MiB")
    _measure_each(_measure_input, titles, configs, data_dir, rounds, steps)


def _measure_each(
    measure: Callable[[Config, str | None, int, int], tuple],
    titles: Sequence[str],
    configs: list[Config],
    *how: object,
) -> None:
    """Measure each recipe in a process of its own, and print a row for each."""
    print("".join(f"{title:>12}" for title in titles), flush=True)
    for config in configs:
        # A new process, so that its peak memory is that of this recipe alone.
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), import_backend
        ) as pool:
            row = pool.submit(measure, config, *how).result()
        print(f"{config.name:>12}" + "".join(f"{v:>12}" for v in row), flush=True)
    print(machine())


def _measure_input(
    config: Config, data_dir: str | None, rounds: int, steps: int
) -> tuple:
    from keras_gans import data

    source = data.open_source(config.data, data_dir, config.hparams.batches_per_step)
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
    from keras_gans import data
    from keras_gans.benchmarks import bare_loop
    from keras_gans.recipes import build

    source = data.open_source(config.data, data_dir, config.hparams.batches_per_step)
    model = build.build_model(config, source.info)
    run = throughput.loop_timer(bare_loop.BareLoop(model), source)
    run(min(steps, throughput.WARM_UP))  # trace, and warm up
    rate = statistics.median(run(steps) for _ in range(rounds))
    size = source.options.batch_size
    sizes = (
        model.generator.count_params(),
        sum(
            getattr(model, name).count_params()
            for name in model.networks
            if name != "generator"
        ),
    )
    return size, f"{rate / size:.2f}", round(rate), *sizes, round(peak_mib()) or "?"


def machine() -> str:
    """Describe the machine and the versions of the backend and Keras."""
    import keras

    from keras_gans import engine

    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {engine.machine()}, "
        f"Keras {keras.__version__}"
    )

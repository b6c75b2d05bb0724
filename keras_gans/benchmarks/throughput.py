"""Training speed, and its share of this machine's peak (`benchmark throughput`).

A contender is a recipe in a precision, or PyTorch's DCGAN in one of its variants. Each
contender has a process of its own, so that its peak memory is measured separately. The
contenders are measured in turn, round by round, so that other load on the machine
affects all of them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from keras_gans.backend import import_backend
from keras_gans.benchmarks import torch_dcgan
from keras_gans.device.sampler import peak_mib
from keras_gans.recipes.config import Config

WARM_UP = 20  # most steps of the warm-up, in which the steps are traced and compiled

TITLES = (
    "contender",
    "fit, images/s",
    "bare",
    "fit/bare",
    "waiting",
    "MFLOP/img",
    "GFLOP/s",
    "of peak",
    "MiB",
    "x the first",
)


def throughput(
    configs: Sequence[Config],
    data_dir: str | None,
    rounds: int,
    steps: int | None,
    with_torch: bool,
) -> None:
    """Time training, and print a row for each contender.

    - "fit" is training as the train command does it, callbacks included.
    - "bare" is a loop of the same updates on batches already in memory.
    - "waiting" is the share of its time that a loop waits for the input pipeline.
    - "of peak" is the share of the rate that products of large matrices reach in the
      same precision.

    Args:
        configs: Recipes, one for each contender.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        rounds: Number of measurements of each contender.
        steps: Training steps of each measurement; the recipe's `checkpoint_every` if
            not given.
        with_torch: Whether to time PyTorch's DCGAN of the first recipe's shape as well.

    Raises:
        UserError: If PyTorch is missing, or PyTorch's DCGAN does not follow the first
            recipe.
    """
    names = [f"{c.name} {c.train.precision}" for c in configs]
    counts = [steps or config.train.checkpoint_every for config in configs]
    makers: list[tuple] = [
        (Recipe, config, data_dir, count)
        for config, count in zip(configs, counts, strict=True)
    ]
    if with_torch:
        torch_dcgan.check(configs[0])
        for way in torch_dcgan.WAYS:
            names.append(f"torch {way}")
            makers.append(
                (torch_dcgan.open_recipe, configs[0], way, data_dir, counts[0])
            )
    with contextlib.ExitStack() as stack:
        pools = [
            stack.enter_context(
                concurrent.futures.ProcessPoolExecutor(
                    1, multiprocessing.get_context("spawn"), _start
                )
            )
            for _ in makers
        ]
        for name, pool, maker in zip(names, pools, makers, strict=True):
            start = time.monotonic()
            pool.submit(_prepare, *maker).result()
            print(f"{name}: ready in {time.monotonic() - start:.0f} s", flush=True)
        found: list[list[dict]] = [[] for _ in makers]
        for number in range(1, rounds + 1):
            for name, pool, rows in zip(names, pools, found, strict=True):
                rows.append(pool.submit(_measure).result())
                fit = f"{rows[-1]['fit']:.0f} images/s"
                print(f"{name}: round {number} of {rounds}: fit {fit}", flush=True)
        facts = [pool.submit(_facts).result() for pool in pools]
    first, width = [row["fit"] for row in found[0]], max(map(len, names))
    print(f"{TITLES[0]:>{width}}" + "".join(f"{t:>14}" for t in TITLES[1:]))
    for name, rows, fact in zip(names, found, facts, strict=True):
        line = _line(rows, fact, first)
        print(f"{name:>{width}}" + "".join(f"{value:>14}" for value in line))


def _line(rows: list[dict], fact: dict, first: list[float]) -> list[str]:
    line = [f"{statistics.median(r['fit'] for r in rows):.0f}"]
    if "bare" in rows[0]:
        bare = statistics.median(r["bare"] for r in rows)
        ratio = statistics.median(r["fit"] / r["bare"] for r in rows)
        waiting = statistics.median(r["waiting"] for r in rows)
        flop, rate = fact["flop"] / 1e6, bare * fact["flop"] / 1e9
        line += [f"{bare:.0f}", f"{ratio:.3f}", f"{waiting:.1%}"]
        line += [f"{flop:.1f}", f"{rate:.0f}", f"{rate / fact['peak']:.0%}"]
    else:
        line += ["-"] * 6
    times = statistics.median(r["fit"] / f for r, f in zip(rows, first, strict=True))
    return [*line, f"{fact['mib']:.0f}", f"{times:.2f}"]


_contender: Any = None  # the contender that this process measures


def _start() -> None:
    # The processes share the GPU, so none may reserve all of its memory.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import_backend()


def _prepare(maker: Callable, *how: Any) -> None:
    global _contender
    _contender = maker(*how)
    _contender.measure(min(WARM_UP, _contender.steps))


def _measure() -> dict[str, float]:
    return _contender.measure()


def _facts() -> dict[str, float]:
    return {"mib": peak_mib(), **_contender.facts()}


class Recipe:
    """Contender that trains a recipe.

    Args:
        config: The recipe.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        steps: Training steps of each measurement.
    """

    def __init__(self, config: Config, data_dir: str | None, steps: int):
        from keras_gans import data, engine
        from keras_gans.benchmarks import bare_loop
        from keras_gans.diagnostics import sample_stats
        from keras_gans.recipes import build
        from keras_gans.training import pacing

        self.config, self.steps = config, steps
        self.source = data.open_source(
            config.data, data_dir, config.hparams.batches_per_step
        )
        self.size = self.source.options.batch_size
        self.model = build.build_model(config, self.source.info)
        self.examples = sample_stats.examples(self.source)
        self.loop = bare_loop.BareLoop(self.model)
        self.bare = loop_timer(self.loop, self.source)
        self.stream = self.source.stream(config.train.seed)
        self.spans: list[tuple[int, int]] = []  # first and last step of each fit
        self.model.train_function = engine.train_function(  # traced once
            self.model,
            itertools.chain.from_iterable(
                pacing.sizes(*self.spans[i], config.train) for i in itertools.count()
            ),
        )

    def measure(self, steps: int | None = None) -> dict[str, float]:
        """Measure `fit`, the bare loop, and the time spent waiting for data.

        Args:
            steps: Training steps of each measurement; `self.steps` if not given.

        Returns:
            "fit" and "bare" in images per second, and "waiting", the share of its time
            that a loop waits for the input pipeline.
        """
        steps = steps or self.steps
        fit = self._fit(steps)  # first, as it relies on the model's step counter
        step = int(self.model.step.numpy())
        found = {"fit": fit, "bare": self.bare(steps), "waiting": self._waiting(steps)}
        self.model.step.assign(step)
        return found

    def facts(self) -> dict[str, float]:
        """Measure "flop" (operations per image) and "peak" (GFLOP/s of the device)."""
        from keras_gans.benchmarks import bare_loop

        flop = self.loop.count_flop(next(iter(self.stream))) / self.size
        dtype = self.config.train.precision.removeprefix("mixed_")
        return {"flop": flop, "peak": peak_gflops(bare_loop.multiplications(dtype))}

    def _fit(self, steps: int) -> float:
        import keras

        from keras_gans.sampling import keras_sampler
        from keras_gans.storage.workdir import Workdir
        from keras_gans.training import callbacks, step_callback

        class Clock(keras.callbacks.Callback):
            """Times of the start of the first step and of the end of the last step."""

            first = None

            def on_train_batch_begin(self, batch: int, logs: dict | None = None):
                self.first = self.first or time.perf_counter()

            def on_train_end(self, logs: dict | None = None):
                self.last = time.perf_counter()

        start = self.spans[-1][1] if self.spans else 0
        self.spans.append((start, start + steps))
        options = dataclasses.replace(self.config.train, steps=start + steps)
        with tempfile.TemporaryDirectory() as folder:
            # Opening the folder and the stream happens once in a run: not timed.
            clock, workdir = Clock(), Workdir(folder)
            workdir.write(self.config, self.source.info)
            info = keras_sampler.generator_info(
                self.model, self.config, self.source.info
            )
            watching = callbacks.training_callbacks(
                keras_sampler.KerasSampler(self.model, info),
                workdir,
                options,
                self.source,
                self.examples,
            )
            self.model.fit(
                self.stream,
                steps_per_epoch=steps,
                verbose=0,
                shuffle=False,
                callbacks=step_callback.CallbackList(
                    [*watching, clock], add_history=True, model=self.model
                ),
            )
        return steps * self.size / (clock.last - clock.first)

    def _waiting(self, steps: int) -> float:
        batches, waited = iter(self.stream), 0.0
        next(batches)  # opens the pipeline
        begin = time.perf_counter()
        for _ in range(steps):
            start = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - start
            self.loop.run([batch])
        return waited / (time.perf_counter() - begin)


def loop_timer(loop: Any, source: Any) -> Callable[[int], float]:
    """Build a timer of a bare loop, without callbacks and input pipeline.

    Args:
        loop: A `bare_loop.BareLoop`.
        source: Data source; its first 16 batches are reused in a loop.

    Returns:
        Function from a number of training steps to images per second.
    """
    from keras_gans import engine

    batches = list(map(engine.to_device, itertools.islice(source.stream(0), 16)))
    size = len(batches[0]["images"])

    def run(steps: int) -> float:
        start = time.perf_counter()
        loop.run([batches[i % len(batches)] for i in range(steps)])
        return steps * size / (time.perf_counter() - start)

    return run


def peak_gflops(multiply: Callable[[], float]) -> float:
    """Measure the peak rate of large matrix products on this device.

    Args:
        multiply: Function that computes some products, waits for the device, and
            returns the number of floating-point operations.

    Returns:
        Highest of seven measured rates, in 10^9 operations per second.
    """
    multiply()  # traces
    rates = []
    for _ in range(7):
        start = time.perf_counter()
        operations = multiply()
        rates.append(operations / (time.perf_counter() - start) / 1e9)
    return max(rates)

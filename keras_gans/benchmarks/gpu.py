"""Speed of the zoo on this machine's GPU, within a few minutes (`benchmark gpu`).

Rows are measured in a fixed order, the most informative first. Each group of rows has a
process of its own, which is stopped when its time is over. A row is printed and saved
as soon as it is measured. A group that fails does not affect the other groups. The
parent process imports no backend.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import importlib.util
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_gans.backend import BACKENDS
from keras_gans.device.sampler import peak_mib
from keras_gans.errors import UserError, message_lines

MAIN_SECONDS = 60  # limit of the training time of the first row
ROW_SECONDS = 3.0  # time spent on the compiled steps of a row
STEPS = 32  # steps of a measurement: two periods of the longest lazy penalty
PRECISIONS = "mixed_bfloat16", "float32"  # the one with the larger peak memory last
# A data set that needs no download, at 64x64x3.
COLOR_64 = ["data.dataset=fashion", "data.image_size=64", "data.channels=3"]
MODELS = {
    "cgan": [],
    "dcgan_64": COLOR_64,
    "r3gan": COLOR_64,
    "stylegan2": COLOR_64,
    "sngan": COLOR_64,
}
TORCH_WAYS = "eager", "compiled", "bfloat16", "bfloat16+all"
SOFTWARE = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
LEAST_SECONDS = 5  # least remaining time to begin a group
MARK = "row: "  # prefix of the lines that hold a row in a child's output
TITLES = "row", "software", "precision", "figure", "images/s", "ready, s", "memory, MiB"


@dataclasses.dataclass(frozen=True)
class Group:
    """Rows that one process measures, one after another.

    Attributes:
        kind: Key of a function in `MEASURES`: "main", "steps", "torch" or "peaks".
        backend: Name of the Keras backend, or "torch".
        title: Name of the rows in the table: the recipe's name, or "peaks".
        overrides: `KEY=VALUE` words that change the recipe.
    """

    kind: str
    backend: str
    title: str
    overrides: tuple[str, ...] = ()


def plan(backends: Sequence[str], with_torch: bool) -> list[Group]:
    """List the groups of rows, the most informative first.

    Args:
        backends: Names of the installed Keras backends.
        with_torch: Whether to measure PyTorch's DCGAN.
    """
    groups = [Group("main", backend, "cgan") for backend in backends[:1]]
    groups += [
        Group("steps", backend, name, tuple(overrides))
        for name, overrides in MODELS.items()
        for backend in backends
    ]
    if with_torch:
        groups.append(Group("torch", "torch", "dcgan_64", tuple(COLOR_64)))
    return groups + [Group("peaks", backend, "peaks") for backend in backends]


def run(
    seconds: float,
    out: str,
    smoke: bool,
    groups: Sequence[Group] | None = None,
) -> list[dict]:
    """Measure all groups, and print each row as soon as it is measured.

    Args:
        seconds: Limit of the total time, in seconds. A group that is not reached gets a
            row that says so.
        out: Folder of the results: rows.jsonl holds the rows.
        smoke: Whether to rehearse. Recipes have their smoke sizes, two processes run
            side by side, and only cgan runs in bfloat16.
        groups: Groups to measure; `plan` for the installed software if not given.

    Returns:
        Rows with the keys "row", "software" and "precision", and either "figure" and
        numbers or "failed".

    Raises:
        UserError: If no backend is installed, or the folder cannot be written to.
    """
    end = time.monotonic() + seconds
    if groups is None:
        backends = [name for name in BACKENDS if importlib.util.find_spec(name)]
        if not backends:
            raise UserError("no Keras backend is installed; pip install jax")
        groups = plan(backends, importlib.util.find_spec("torch") is not None)
    path = os.path.join(out, "rows.jsonl")
    try:
        os.makedirs(out, exist_ok=True)
        file = open(path, "w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out={out}: {error.strerror}") from None
    asked = {"smoke": smoke, "seconds": seconds, "out": out}
    rows: list[dict] = []
    lock = threading.Lock()

    def measure(group: Group) -> None:
        left = end - time.monotonic()
        # A group that hangs must not use up all of the time.
        share = max(30, seconds / 5)
        if smoke or group.kind == "main":
            share = max(MAIN_SECONDS + 60, seconds / 3)
        for row in _rows(group, min(left, share), asked):
            with lock:
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(_line(cells(row)), flush=True)

    # A rehearsal's timings do not matter, so two processes share the machine.
    workers = concurrent.futures.ThreadPoolExecutor(2 if smoke else 1)
    with file, workers:
        print(_line(TITLES), flush=True)
        list(workers.map(measure, groups))
    return rows


def _rows(group: Group, limit: float, asked: dict) -> Iterator[dict]:
    """Yield the rows of a group; there is at least one."""
    begin = time.monotonic()
    if limit < LEAST_SECONDS:
        yield _failed(group, "not reached in time")
        return
    if group.kind == "torch":
        backend = next(name for name in BACKENDS if importlib.util.find_spec(name))
        helper = dataclasses.replace(group, kind="shape", backend=backend)
        shape = next(
            _measure(helper, limit, asked), _failed(group, "recipe not resolved")
        )
        if "failed" in shape:
            yield shape | _failed(group, shape["failed"])
            return
        asked = {**asked, **shape}
    yield from _measure(group, limit - (time.monotonic() - begin), asked)


def cells(row: dict) -> list[str]:
    """Format a row as table cells, in the order of `TITLES`."""
    if "failed" in row:
        figure = f"- ({row['failed']})"
    else:
        figure = row["figure"]
    numbers = (row.get(name) for name in ("rate", "ready", "memory"))
    return [
        row["row"],
        row["software"],
        row["precision"].removeprefix("mixed_"),
        figure,
        *("-" if n is None else f"{n:,.0f}" for n in numbers),
    ]


def page(rows: Sequence[dict], command: str, date: str) -> str:
    """Render the page of results in Markdown.

    Args:
        rows: Rows of `run`.
        command: Command that measured the rows.
        date: Date of the measurement, in the form YYYY-MM-DD.

    Raises:
        UserError: If no row was measured on a GPU.
    """
    devices = sorted({r["device"] for r in rows if r.get("kind") == "gpu"})
    if not devices:
        raise UserError("--write: expected rows measured on a GPU, got none")
    software = sorted({r["versions"] for r in rows if "versions" in r})
    lines = [
        "# Speed on a GPU",
        "",
        f"One {' and one '.join(devices)}, {platform.machine()} with {os.cpu_count()} "
        f"cores, {date}; {', '.join(software)}.",
        "",
        "```sh",
        command,
        "```",
        "",
        "Step times are means of a bare loop, after compilation, on batches in device",
        "memory. cgan has 28x28x1 images and batches of 64. The other models have",
        "64x64x3 images and their recipes' batch sizes. 'ready' is the time from the",
        "start of the process, or from the previous row, until the steps are compiled.",
        "PyTorch's rows are a DCGAN of dcgan_64's shape. float32 is each library's",
        "default, which may use TF32. Memory is the process's peak on the device.",
        "",
        f"| {' | '.join(TITLES)} |",
        f"|{'---|' * len(TITLES)}",
    ]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _line(words: Sequence[str]) -> str:
    widths = 20, 12, 10, 34, 10, 9, 12
    return "".join(f"{w:<{n}} " for w, n in zip(words, widths, strict=True)).rstrip()


def _failed(group: Group, why: str) -> dict:
    software = SOFTWARE[group.backend]
    return {"row": group.title, "software": software, "precision": "", "failed": why}


def _measure(group: Group, limit: float, asked: dict) -> Iterator[dict]:
    """Yield the rows that a group's process prints; the last may be a failure."""
    environment = {
        **os.environ,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "KERAS_BACKEND": group.backend,
    }
    if asked["smoke"]:  # compilation takes most of a rehearsal's time
        environment.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    if group.kind == "shape":  # computes nothing, so it must not occupy the GPU
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    words = json.dumps({**asked, **dataclasses.asdict(group)})
    program = "from keras_gans.benchmarks import gpu; gpu.work()"
    late = threading.Event()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", program, words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )

        def stop():
            late.set()
            kill()

        def kill():  # including the compilers that the process has started
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit, stop)
        timer.start()
        try:
            for line in process.stdout:
                if line.startswith(MARK):
                    named = {"row": group.title, "software": SOFTWARE[group.backend]}
                    yield named | json.loads(line.removeprefix(MARK))
            status = process.wait()
        finally:
            timer.cancel()
            kill()
        if late.is_set():
            yield _failed(group, f"stopped after {limit:.0f} s")
        elif status:
            errors.seek(0)
            lines = [line for line in errors.read().splitlines() if line.strip()]
            yield _failed(group, lines[-1].strip()[:100] if lines else f"{status}")


def work() -> None:
    """Measure a group in this process, and print each row to stdout as a JSON line."""
    asked = json.loads(sys.argv[-1])
    asked["start"] = time.monotonic()
    try:
        for row in MEASURES[asked["kind"]](asked):
            print(MARK + json.dumps(row), flush=True)
    except Exception as error:
        traceback.print_exc()
        first = next(iter(message_lines(error)), "")
        sys.exit(f"{type(error).__name__}: {first}")


def _keras_row(precision: str, **numbers: Any) -> dict:
    """Return a row of a Keras measurement: numbers, device and versions."""
    import keras

    from keras_gans import engine
    from keras_gans.engine import devices

    hardware = devices.find(1, compiled=False)
    return {
        "precision": precision,
        "memory": engine.peak_memory_mib() or peak_mib(),
        "kind": hardware.kind,
        "device": hardware.name,
        "versions": f"{engine.version()}, Keras {keras.__version__}",
        **numbers,
    }


def _main_job(asked: dict) -> Iterator[dict]:
    """Train cgan as the train command does, for `MAIN_SECONDS` at most."""
    from keras_gans import strategies
    from keras_gans.recipes.config import load_config
    from keras_gans.storage.workdir import Workdir
    from keras_gans.training import run as run_lib

    rare = ["train.steps=1000000", "train.log_every=50", "train.grid_every=50"]
    rare += ["train.checkpoint_every=500"]  # smoke recipes do these every few steps
    config = load_config("cgan", rare if asked["smoke"] else [], asked["smoke"])
    seconds = 10 if asked["smoke"] else min(MAIN_SECONDS, asked["seconds"] / 5)
    with tempfile.TemporaryDirectory() as folder:
        workdir, first, done = Workdir(folder), [], threading.Event()
        begin = time.monotonic()

        def interrupt():
            while not os.path.exists(workdir.metrics):
                time.sleep(0.05)
            first.append(time.monotonic())
            if not done.wait(max(5, begin + seconds - first[0])):
                os.kill(os.getpid(), signal.SIGINT)  # training ends after its step

        threading.Thread(target=interrupt, daemon=True).start()
        run_lib.run(config, workdir, None, strategies.make_team("auto"))
        done.set()
        seconds = time.monotonic() - begin
        with open(workdir.metrics, encoding="utf-8") as file:
            lines = [row for row in map(json.loads, file) if "steps_per_second" in row]
        rate = statistics.median(row["steps_per_second"] for row in lines)
        step = lines[-1]["step"]
        if os.path.isdir(workdir.samples):
            newest = max(os.scandir(workdir.samples), key=lambda file: file.name)
            shutil.copy(newest, os.path.join(asked["out"], "cgan.png"))
    yield _keras_row(
        config.train.precision,
        figure=f"{step} steps of train in {seconds:.0f} s",
        rate=rate * config.data.batch_size,
        ready=first[0] - asked["start"] - lines[0]["step"] / rate,
    )


def _steps(asked: dict) -> Iterator[dict]:
    """Time a bare loop in each precision."""
    from keras_gans import data, engine
    from keras_gans.benchmarks import bare_loop, throughput
    from keras_gans.recipes import build
    from keras_gans.recipes.config import load_config

    start, precisions = asked["start"], PRECISIONS
    if asked["smoke"] and asked["title"] != "cgan":
        precisions = ("float32",)
    for precision in precisions:
        own = [] if asked["smoke"] else asked["overrides"]
        overrides = [*own, f"train.precision={precision}"]
        config = load_config(asked["title"], overrides, asked["smoke"])
        source = data.open_source(config.data, None, config.hparams.batches_per_step)
        model = build.build_model(config, source.info)
        loop = throughput.loop_timer(bare_loop.BareLoop(model), source)
        steps = 4 if asked["smoke"] else STEPS
        loop(steps // 2 + 1)  # compiles steps with and without lazy penalties
        ready = time.monotonic() - start
        size = source.options.batch_size
        rate = _rate(asked, lambda: loop(steps))  # noqa: B023
        yield _keras_row(
            precision,
            figure=f"{1000 * size / rate:.2f} ms per step of {size}",
            rate=rate,
            ready=ready,
            compiled=engine.is_compiled(model),
        )
        start = time.monotonic()


def _rate(asked: dict, measure: Callable[[], float]) -> float:
    """Return the harmonic mean of rates that are measured for `ROW_SECONDS`."""
    rates, begin = [], time.monotonic()
    seconds = 0.0 if asked["smoke"] else ROW_SECONDS
    while not rates or time.monotonic() - begin < seconds:
        rates.append(measure())
    return statistics.harmonic_mean(rates)


def _shape(asked: dict) -> Iterator[dict]:
    """Resolve a recipe's shape and batch size for PyTorch's process without Keras."""
    from keras_gans.benchmarks import torch_dcgan
    from keras_gans.recipes.config import load_config

    config = load_config(asked["title"], asked["overrides"], asked["smoke"])
    options, size = config.data, config.data.image_size
    shape = torch_dcgan.Shape.of_recipe(config, (size, size, options.channels or 1))
    yield {"shape": dataclasses.asdict(shape), "batch_size": options.batch_size}


def _torch(asked: dict) -> Iterator[dict]:
    """Time PyTorch's DCGAN in each of `TORCH_WAYS`."""
    import numpy as np
    import torch

    from keras_gans.benchmarks import torch_dcgan

    shape, size = torch_dcgan.Shape(**asked["shape"]), asked["batch_size"]
    rng, gpu = np.random.default_rng(0), torch.cuda.is_available()
    images = rng.uniform(-1, 1, (16, size, *shape.image_shape)).astype(np.float32)
    name = torch.cuda.get_device_name(0) if gpu else f"{os.cpu_count()} cores"
    start = asked["start"]
    for way in TORCH_WAYS:
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        contender = torch_dcgan.TorchDCGAN(shape, way, list(images), STEPS)
        contender.measure(4)
        ready = time.monotonic() - start
        rate = _rate(asked, lambda: contender.measure()["fit"])  # noqa: B023
        yield {
            "precision": "bfloat16" if way.startswith("bfloat16") else "float32",
            "figure": f"{1000 * size / rate:.2f} ms per step of {size}, {way}",
            "rate": rate,
            "ready": ready,
            "memory": torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_mib(),
            "kind": "gpu" if gpu else "cpu",
            "device": name,
            "versions": f"PyTorch {torch.__version__}",
        }
        start = time.monotonic()


def _peaks(asked: dict) -> Iterator[dict]:
    """Measure the device's peaks: matrix products and memory bandwidth."""
    import keras
    import numpy as np

    from keras_gans import engine
    from keras_gans.benchmarks import bare_loop, throughput

    gpu = engine.device_kind() != "cpu"
    side, start = 8192 if gpu else 1024, asked["start"]
    for dtype in ("bfloat16", "float32"):
        peak = throughput.peak_gflops(bare_loop.multiplications(dtype, side))
        figure = f"{peak:,.0f} GFLOP/s, {side}x{side} products"
        ready, start = time.monotonic() - start, time.monotonic()
        yield _keras_row(dtype, figure=figure, ready=ready)
    numbers = np.ones(2**27 if gpu else 2**24, np.float32)

    def wait(tensor: Any) -> None:
        keras.ops.convert_to_numpy(tensor[:1])

    on_device = keras.ops.convert_to_tensor(numbers)
    add = engine.compiled(lambda x: x + 1.0, [])
    for what, times, copy in (
        ("device memory", 2, lambda: wait(add(on_device))),  # reads and writes
        ("host to device", 1, lambda: wait(keras.ops.convert_to_tensor(numbers))),
    ):
        copy()
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            copy()
            seconds.append(time.perf_counter() - begin)
        rate = times * numbers.nbytes / min(seconds) / 1e9
        ready, start = time.monotonic() - start, time.monotonic()
        yield _keras_row("float32", figure=f"{rate:.1f} GB/s, {what}", ready=ready)


MEASURES: dict[str, Callable[[dict], Iterator[dict]]] = {
    "main": _main_job,
    "steps": _steps,
    "shape": _shape,
    "torch": _torch,
    "peaks": _peaks,
}

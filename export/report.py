"""Measurements of exports: size, deviation from the Keras generator, speed, memory.

Call these functions after `export_workdir`, which has checked the run and written the
exports. Code of both is therefore allowed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.sampling import load

NUM = 64  # images that are compared
NUM_FROM_PICTURES = 16  # the same for translation models, whose images may be large
# Columns that `judge` adds: (key, title, format).
JUDGED = (("kid", "KID", "{:.3g}"), ("accuracy", "label accuracy", "{:.1%}"))
# A process of its own measures speed and memory, as other work would change both.
CHILD = """
import json, sys
from keras_gans.device import sampler
from keras_gans.device.sampler import BATCH
from keras_gans.sampling import load
path, threads = sys.argv[1], int(sys.argv[2])
if path.endswith(".tflite"):
    found = sampler.Sampler(path, threads)
else:
    found = load.load(path, allow_code=True)
    if getattr(found, "model", None) and not found.model.is_translation:
        found.run = lambda inputs: found.model.predict(inputs, BATCH, verbose=0)
print(json.dumps(sampler.speed(found)))
"""


def measure(sampler: BaseSampler, path: str, speed: bool) -> dict:
    """Measure one export.

    Args:
        sampler: Sampler that was exported.
        path: Path of a SavedModel folder or of a .tflite file.
        speed: Whether to measure speed and memory, with one thread and with all cores.

    Returns:
        A dictionary with these entries:

        - "file": name of the export.
        - "bytes": size of the export.
        - "largest_deviation", "mean_deviation": absolute differences from the pixels
          of the sampler's images, over 64 images in [-1, 1]. For a translation model,
          over 16 images, translated from `sampler.examples`.
        - "threads": {number of threads: `sampler.speed`}, if `speed` is true.
    """
    exported = load.load(path, allow_code=True)
    if "condition_shape" in sampler.info:
        conditions = sampler.examples(NUM_FROM_PICTURES, exported.info.get("tile"))
        batches = [{"condition": one[None]} for one in conditions]
    else:
        latents = sampler.latents(range(NUM), SampleOptions(seed=1))
        labels = sampler.labels(NUM, None)
        parts = np.split(np.arange(NUM), range(sampler.at_once, NUM, sampler.at_once))
        batches = [
            sampler.inputs(latents[part], None if labels is None else labels[part])
            for part in parts
        ]
    apart = np.concatenate([np.abs(exported.run(b) - sampler.run(b)) for b in batches])
    row = {
        "file": os.path.basename(path),
        "bytes": size_of(path),
        "largest_deviation": float(apart.max()),
        "mean_deviation": float(apart.mean()),
    }
    return row | _speeds(path) if speed else row


def judge(path: str, num: int, data_dir: str | None) -> dict[str, float]:
    """Measure the samples of an export with `keras_gans.evaluate`.

    Args:
        path: Path of a SavedModel folder or of a .tflite file.
        num: Number of samples.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        {"kid": value}, and "accuracy" as well if the feature network knows the classes.

    Raises:
        UserError: If `keras_gans.evaluate` fails, with the message of that command.
    """
    from keras_gans.cli.child import run_child

    with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
        command = ["evaluate", f"--source={path}", f"--num={num}", f"--out={folder}"]
        command.append("--allow_code")
        run_child(command + ([f"--data_dir={data_dir}"] if data_dir else []))
        [name] = [name for name in os.listdir(folder) if name.endswith(".json")]
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            found = json.load(file)["samples"]
    kept = {"kid": found["kid"]["mean"]}
    return kept | ({"accuracy": found["accuracy"]} if "accuracy" in found else {})


def measure_keras(workdir: str) -> dict:
    """Measure the speed of a run's Keras generator with `Model.predict`.

    Args:
        workdir: Workdir of the run; its newest checkpoint is measured.

    Returns:
        {"file": "Keras", "threads": speeds}, as in `measure`.
    """
    return {"file": "Keras", **_speeds(workdir)}


def size_of(path: str) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(path)
        for name in names
    )


def table(rows: list[dict]) -> str:
    """Format measured rows as a Markdown table.

    The share is the size divided by that of the first .tflite file. "times" is the
    milliseconds divided by those of the SavedModel, if there is a SavedModel.

    Args:
        rows: Rows of `measure_keras`, `measure` and `judge`.
    """
    threads = sorted({n for row in rows for n in row.get("threads", ())}, key=int)
    heads = ["file", "KiB", "share", "largest deviation", "mean deviation"]
    judged = [column for column in JUDGED if any(column[0] in row for row in rows)]
    heads += [title for _, title, _ in judged]
    for n in threads:
        heads += [f"ms ({n} thr.)", "times", f"images/s ({n} thr.)"]
        heads += [f"MiB ({n} thr.)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first = next((r["bytes"] for r in rows if r["file"].endswith(".tflite")), None)
    servers = [r["threads"] for r in rows if threads and r["file"] == "saved_model"]
    for row in rows:
        cells = [row["file"], *[""] * 4]
        if "bytes" in row:
            share = row["bytes"] / (first or row["bytes"])
            cells[1:3] = f"{row['bytes'] / 1024:.0f}", f"{share:.2f}"
            cells[3:] = (f"{row[f'{k}_deviation']:.1e}" for k in ("largest", "mean"))
        for key, _, form in judged:
            cells.append(form.format(row[key]) if key in row else "")
        for n in threads:
            found, times = row["threads"][n], ""
            if servers:
                times = found["milliseconds"] / servers[0][n]["milliseconds"]
                times = f"{times:.2f}"
            cells += [
                f"{found['milliseconds']:.2f}",
                times,
                f"{found['pictures_per_second']:.0f}",
                f"{found.get('peak_mib', float('nan')):.0f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _speeds(path: str) -> dict:
    numbers = sorted({1, os.cpu_count() or 1})
    return {"threads": {str(n): _speed(path, n) for n in numbers}}


def _speed(path: str, threads: int) -> dict:
    limit = {f"TF_NUM_{kind}_THREADS": str(threads) for kind in ("INTRAOP", "INTEROP")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, path, str(threads)],
        env={**os.environ, **limit},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)

"""What exports cost: size, distance from the Keras generator, speed, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
from keras_gans.export.sampler import BaseSampler

NUM = 64  # pictures that are compared
NUM_FROM_PICTURES = 16  # of those that are made from pictures, which may be large
# Speed and memory are those of a process of its own, which runs nothing else.
CHILD = """
import json, sys
from keras_gans import sample
from keras_gans.export import sampler
path, threads = sys.argv[1], int(sys.argv[2])
if path.endswith(".tflite"):
    found = sampler.Sampler(path, threads)
else:
    found = sample.load(path)
print(json.dumps(sampler.speed(found)))
"""


def measure(sampler: BaseSampler, path: str, speed: bool) -> dict:
    """Measures one export.

    Args:
        sampler: What it was exported from.
        path: A SavedModel folder or a .tflite file.
        speed: Whether to measure speed and memory, with one thread and with all cores.

    Returns:
        {"file": its name, "bytes": its size, "largest_deviation" and "mean_deviation":
        of its pictures from the sampler's, over the pixels of 64 pictures in [-1, 1]
        (of 16, if they are made from pictures: the first sources of the run), and
        "threads": {number: `sampler.speed`} if it was measured}.
    """
    from keras_gans import sample

    exported = sample.load(path)
    if "source_shape" in sampler.info:
        sources = sampler.examples(NUM_FROM_PICTURES, exported.info.get("tile"))
        batches = [{"source": one[None]} for one in sources]
    else:
        latents = sampler.latents(range(NUM), seed=1)
        batches = [sampler.inputs(latents, sampler.labels(NUM, None))]
    apart = [np.abs(exported.run(b) - sampler.run(b)) for b in batches]
    row = {
        "file": os.path.basename(path),
        "bytes": size_of(path),
        "largest_deviation": float(np.max(apart)),
        "mean_deviation": float(np.mean(apart)),
    }
    if speed:
        numbers = sorted({1, os.cpu_count() or 1})
        row["threads"] = {str(n): _speed(path, n) for n in numbers}
    return row


def size_of(path: str) -> int:
    """Bytes of a file, or of all files of a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(path)
        for name in names
    )


def table(rows: list[dict]) -> str:
    """The measured rows as a Markdown table; sizes against the first .tflite."""
    threads = sorted({n for row in rows for n in row.get("threads", ())}, key=int)
    heads = ["file", "KiB", "share", "largest deviation", "mean deviation"]
    for n in threads:
        heads += [f"ms ({n} thr.)", f"pictures/s ({n} thr.)", f"MiB ({n} thr.)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first = next((r["bytes"] for r in rows if r["file"].endswith(".tflite")), None)
    for row in rows:
        share = row["bytes"] / (first or row["bytes"])
        cells = [row["file"], f"{row['bytes'] / 1024:.0f}", f"{share:.2f}"]
        cells += [f"{row[f'{k}_deviation']:.1e}" for k in ("largest", "mean")]
        for n in threads:
            found = row["threads"][n]
            cells += [
                f"{found['milliseconds']:.2f}",
                f"{found['pictures_per_second']:.0f}",
                f"{found.get('peak_mib', float('nan')):.0f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _speed(path: str, threads: int) -> dict:
    limit = {f"TF_NUM_{kind}_THREADS": str(threads) for kind in ("INTRAOP", "INTEROP")}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, path, str(threads)],
        env={**os.environ, **limit},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)

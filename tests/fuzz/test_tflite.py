"""Mutated .tflite files: one line or an image, never a crash, a hang or a flood."""

import concurrent.futures
import io
import json
import multiprocessing
import pathlib
import zipfile

import numpy as np
import pytest
from PIL import Image
from read_tflite import read

FROZEN = pathlib.Path(__file__).parent.parent / "frozen"
NAMES = ("cgan", "infogan", "stylegan2", "pix2pix")  # exports without a checksum
COUNT = 300
SECONDS = 10  # upper limit of one file
GIB = 1.5  # upper limit of the memory of the process that reads the files

VALUES = [
    *(None, True, False, 0, 1, -1, 1.5, 1e300, -0.0, 2**31, 2**63, 10**300),
    *("", "x", "normal", "\x1b[2J\n", "\ud800", "0" * 10_000, "../../x"),
    *([], {}, [[]], [1], [28, 28, 1], [1, 1, 2], [0, 0, 0], [-1, 28, 1], [2**31] * 3),
    *([8192, 8192, 4], [100_000, 100_000, 3], ["28", "28", "1"], [1.0, 1.0, 1.0]),
    *({"x": 1}, {"x": {"shape": [], "default": 1}}, {"truncation": {}}),
    {"truncation": {"shape": [10_000, 10_000], "default": 0}},
]
KEYS = (
    *("name", "image_shape", "latent_dim", "latents", "num_codes", "inputs", "step"),
    *("num_classes", "class_names", "data_credit", "recipe", "versions", "tile"),
    *("condition_shape", "source_shape", "backward", "quantization", "bytes"),
    *("sha256", "format", "unknown"),
)


def mutate(rng, data):
    """Return a mutated file, and the name of the mutation."""
    at = data.rfind(b"PK\x03\x04")
    kind = rng.choice(["bits", "bytes", "cut", "archive", "keys", "text"],
                      p=[0.35, 0.1, 0.1, 0.1, 0.3, 0.05])  # fmt: skip
    changed = bytearray(data)
    if kind == "cut":
        return data[: rng.integers(len(data))], kind
    if kind in ("bits", "archive"):
        low, high = (0, at) if kind == "bits" else (at, len(data))
        if rng.random() < 0.5 and kind == "bits":
            high = 4000  # the structure, rather than weights
        for place in rng.integers(low, high, rng.integers(1, 9)):
            changed[place] ^= 1 << int(rng.integers(8))
        return bytes(changed), kind
    if kind == "bytes":
        start = int(rng.integers(at))
        part = rng.choice([b"\x00", b"\xff", b"\x7f"]) * int(rng.integers(1, 64))
        changed[start : start + len(part)] = part
        return bytes(changed[: len(data)]), kind
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read("keras_gans.json").decode()
    if kind == "text":
        text = list(text)
        for place in rng.integers(len(text), size=rng.integers(1, 9)):
            text[place] = chr(rng.choice([0, 34, 44, 58, 91, 93, 123, 125, 0xD7FF]))
        text = "".join(text)
    else:
        info = json.loads(text)
        for key in rng.choice(KEYS, rng.integers(1, 4)):
            if rng.random() < 0.3:
                info.pop(key, None)
            else:
                info[key] = VALUES[rng.integers(len(VALUES))]
        text = json.dumps(info)
    file = io.BytesIO(data[:at])
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keras_gans.json", text)
    return file.getvalue(), kind


@pytest.mark.slow
def test_mutated_files(tmp_path):
    files = {}
    for name in NAMES:
        with zipfile.ZipFile(FROZEN / f"{name}.zip") as archive:
            files[name] = archive.read("run/export/generator.tflite")
    given = tmp_path / "given.png"
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(given)
    rng, faults, kinds = np.random.default_rng(0), [], {}
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        for i in range(COUNT):
            name = NAMES[i % len(NAMES)]
            data, kind = mutate(rng, files[name])
            kinds[kind] = kinds.get(kind, 0) + 1
            path = tmp_path / f"{name}_{i}.tflite"
            path.write_bytes(data)
            task = pool.submit(read, str(path), str(given), str(tmp_path / "x.png"))
            try:  # the first waits for imports; BrokenProcessPool: a crash
                fault, peak = task.result(timeout=SECONDS if i else 120)
            except Exception as error:
                pytest.fail(f"{path} ({kind}): {type(error).__name__}: {error}")
            if fault or peak > GIB:
                faults.append(f"{path} ({kind}): {peak:.2f} GiB, {fault}")
            else:
                path.unlink()
    assert not faults, "\n".join(faults)
    assert len(kinds) == 6

"""Make the archives of this folder: runs of an older version, and what they draw.

The archives are of commit 025f790. To make them again, install that commit in an
environment of its own and run, in an empty folder,

    python /path/to/tests/frozen/make.py

Each `<recipe>.zip` holds

- `run/`: the workdir of `keras_gans.train --model=<recipe> --smoke`, with its newest
  checkpoint alone, and without the TensorBoard events and the sample grids;
- `drawn/workdir.png`, `drawn/saved_model.png`, `drawn/tflite.png`: the images that
  `keras_gans.sample` drew from the workdir and from the two exported files, by the
  words of `drawn/words.json`;
- `drawn/signature.npy`: the images that plain TensorFlow drew from the SavedModel;
- `drawn/input.png`: the image that the translation network was given;
- `resumed.jsonl`: the log of two more steps, resumed from the checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from typing import Any

import numpy as np

RECIPES = ("cgan", "infogan", "stylegan2", "pix2pix")
KEPT = ("config.toml", "info.json", "metrics.jsonl", "sources.npz", "export")
STEPS = 6  # of the smoke runs
SOURCES = {
    "workdir": "",
    "saved_model": "export/saved_model",
    "tflite": "export/generator.tflite",
}
WORDS = {
    "cgan": ["--num=4", "--seed=3", "--label=3"],
    "infogan": ["--num=4", "--seed=3", "--label=3", "--code=0:0.5"],
    "stylegan2": ["--num=4", "--seed=3", "--label=3", "--truncation=0.7"],
    "pix2pix": [],
}
# Schedules last for the whole run; two more steps need the length of the first run.
SCHEDULED = ("cgan", "infogan")
SCHEDULES = [
    f"--set={table}.learning_rate.decay_steps={STEPS}"
    for table in ("g_optimizer", "d_optimizer")
]


def main() -> None:
    """Make the archives in the current folder; finished runs in `runs` are reused."""
    for name in RECIPES:
        run, drawn = os.path.join("runs", name), os.path.join("drawn", name)
        if not os.path.isdir(run):
            command("train", f"--model={name}", "--smoke")
        os.makedirs(drawn, exist_ok=True)
        draw(name, run, drawn)
        archive(name, run, drawn, resume(name, run))


def command(name: str, *words: str) -> None:
    """Run a command of the installed package in this process."""
    import importlib

    status = importlib.import_module(f"keras_gans.{name}").main(list(words))
    if status:
        sys.exit(f"{name} {' '.join(words)}: exit status {status}")


def draw(name: str, run: str, drawn: str) -> None:
    """Draw from the workdir, the SavedModel and the .tflite file of a run."""
    import tensorflow as tf
    from PIL import Image

    words, image = WORDS[name], None
    model = tf.saved_model.load(os.path.join(run, SOURCES["saved_model"]))
    if name == "pix2pix":
        given = os.path.join(drawn, "input.png")
        with np.load(os.path.join(run, "sources.npz")) as sources:
            image = sources["pictures"][0]
        Image.fromarray(image[..., 0]).save(given)
        words = [f"--input={given}"]
        image = image[..., 0]
    np.save(os.path.join(drawn, "signature.npy"), signature(model, image))
    for kind, path in SOURCES.items():
        out = os.path.join(drawn, f"{kind}.png")
        command("sample", f"--source={os.path.join(run, path)}", *words, f"--out={out}")
    with open(os.path.join(drawn, "words.json"), "w", encoding="utf-8") as file:
        json.dump(WORDS[name], file)


def signature(model: Any, image: np.ndarray | None) -> np.ndarray:
    """Draw from a loaded SavedModel by TensorFlow alone.

    Args:
        model: SavedModel with the signature `sample` or `translate`.
        image: uint8 [height, width], for a translation network.

    Returns:
        uint8 [num, height, width, 1].
    """
    import tensorflow as tf

    if image is not None:
        given = tf.constant(image[None, ..., None])
        images = model.signatures["translate"](pictures=given)
    else:
        num, seed, label = tf.constant(4), tf.constant(3, tf.int64), tf.constant(3)
        images = model.signatures["sample"](num=num, seed=seed, label=label)
    return images["images"].numpy()


def resume_words(name: str, run: str) -> list[str]:
    """Words of the `train` command that goes on with a run for two more steps."""
    words = [f"--model={name}", "--smoke", f"--workdir={run}", "--resume"]
    words += [f"--set=train.steps={STEPS + 2}", "--export=none"]
    return [*words, *(SCHEDULES if name in SCHEDULED else [])]


def resume(name: str, run: str) -> str:
    """Train a copy of a run for two more steps; returns the lines they logged."""
    copy = os.path.join("resumed", name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    command("train", *resume_words(name, copy))
    with open(os.path.join(copy, "metrics.jsonl"), encoding="utf-8") as file:
        lines = [line for line in file if json.loads(line)["step"] > STEPS]
    return "".join(lines)


def archive(name: str, run: str, drawn: str, resumed: str) -> None:
    """Write `<name>.zip`."""
    newest = os.path.join("checkpoints", f"step_{STEPS:08d}.npz")
    with zipfile.ZipFile(
        f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9
    ) as z:
        for part in (*KEPT, newest):
            path = os.path.join(run, part)
            for folder, _, files in os.walk(path):
                for file in sorted(files):
                    inner = os.path.join(folder, file)
                    z.write(inner, os.path.join("run", os.path.relpath(inner, run)))
            if os.path.isfile(path):
                z.write(path, os.path.join("run", part))
        for file in sorted(os.listdir(drawn)):
            z.write(os.path.join(drawn, file), os.path.join("drawn", file))
        z.writestr("resumed.jsonl", resumed)


if __name__ == "__main__":
    main()

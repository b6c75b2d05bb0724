"""Make the archives of this folder: runs of an older version, and their images.

The code of commit 025f790 wrote the archives. To make them again, install that commit
in an environment of its own and run, in an empty folder,

    python /path/to/tests/frozen/make.py

Each `<recipe>.zip` holds

- `run/`: the workdir of `keras_gans.train --model=<recipe> --smoke`, with only its
  newest checkpoint, and without the TensorBoard events and the sample grids;
- `drawn/workdir.png`, `drawn/saved_model.png`, `drawn/tflite.png`: the images that
  `keras_gans.sample` generated from the workdir and from the two exports, with the
  arguments in `drawn/words.json`;
- `drawn/signature.npy`: the images that plain TensorFlow generated from the
  SavedModel;
- `drawn/input.png`: the condition image of the translation network;
- `resumed.jsonl`: the log of two more steps after a resume from the checkpoint.
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
# A schedule lasts for the whole run. For the resume, its length must stay the same.
SCHEDULED = ("cgan", "infogan")
SCHEDULES = [
    f"--set={table}.learning_rate.decay_steps={STEPS}"
    for table in ("g_optimizer", "d_optimizer")
]


def main() -> None:
    """Make the archives in the current folder; reuse the runs in `runs`."""
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
    """Generate images from the workdir and the two exports of a run."""
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
    """Generate images from a loaded SavedModel with TensorFlow alone.

    Args:
        model: SavedModel with the signature `sample` or `translate`.
        image: Condition image of a translation network, uint8 [height, width].

    Returns:
        Images, uint8 [num, height, width, 1].
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
    """Return the arguments of `train` that resume a run for two more steps."""
    words = [f"--model={name}", "--smoke", f"--workdir={run}", "--resume"]
    words += [f"--set=train.steps={STEPS + 2}", "--export=none"]
    return [*words, *(SCHEDULES if name in SCHEDULED else [])]


def resume(name: str, run: str) -> str:
    """Train a copy of a run for two more steps; return the lines of their log."""
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

r"""Trains a model of the zoo, then exports it.

    python -m keras_gans.train --model=cgan

trains on pictures inside the package and leaves, in runs/cgan: sample grids, metrics,
checkpoints, a SavedModel and a .tflite file. Ctrl-C ends with a checkpoint; the same
command goes on from there. Your own pictures:

    python -m keras_gans.train --model=dcgan --data=folder:/my/pictures \
        --image_size=64 --workdir=runs/mine
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.errors import UserError
from keras_gans.export import EXPORTS
from keras_gans.recipes.config import load_config, zoo_names
from keras_gans.storage.workdir import Workdir

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
# Flags of the recipe's most used keys.
SHORT = {
    "data": "data.dataset",
    "steps": "train.steps",
    "image_size": "data.image_size",
    "batch_size": "data.batch_size",
    "seed": "train.seed",
    "init_from": "train.init_from",
}


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    text, flag = flags.DEFINE_string, {"flag_values": values}
    text("model", None, "Recipe: a name of the zoo, or a .toml file.", **flag)
    text(
        "data",
        None,
        "What to train on: the name of a set in the package, folder:/my/images, "
        "tfds:NAME and others; short for --set=data.dataset=...",
        **flag,
    )
    whole = flags.DEFINE_integer
    whole("steps", None, "Training steps: --set=train.steps=...", **flag)
    whole(
        "image_size",
        None,
        "Side of the images in pixels: --set=data.image_size=...",
        **flag,
    )
    whole("batch_size", None, "Images in a batch: --set=data.batch_size=...", **flag)
    whole("seed", None, "Seed of the run: --set=train.seed=...", **flag)
    text("workdir", None, "The run's folder; runs/<model> if not given.", **flag)
    flags.DEFINE_multi_string(
        "set",
        [],
        "Changes one key of the recipe, as train.steps=100; may be given many times.",
        **flag,
    )
    text(
        "init_from",
        None,
        "A run's workdir, whose networks to begin with: --set=train.init_from=...",
        **flag,
    )
    text("data_dir", None, "Where TensorFlow Datasets keeps its sets.", **flag)
    flags.DEFINE_list(
        "export",
        list(EXPORTS),
        f"What to write after training: any of {', '.join(EXPORTS)}, or none.",
        **flag,
    )
    flags.DEFINE_bool("smoke", False, "Shrinks the recipe to a quick test.", **flag)
    flags.DEFINE_bool("dry_run", False, "Prints the resolved recipe and ends.", **flag)
    flags.DEFINE_enum(
        "strategy",
        "auto",
        STRATEGIES,
        "Devices: one, all of this machine (mirrored), or those of the workers that "
        "TF_CONFIG names; auto takes what there is.",
        **flag,
    )
    flags.DEFINE_bool(
        "resume",
        None,
        "If the workdir holds a run: go on with it, even if train.steps has grown; "
        "--noresume refuses. If not given, goes on if the recipe is the same.",
        **flag,
    )
    flags.DEFINE_bool("overwrite", False, "Deletes the run in the workdir.", **flag)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("train", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> int:
    if values.model is None:
        names = ", ".join(zoo_names())
        raise UserError(f"say which model: --model=NAME, one of {names}")
    exports = [] if values.export == ["none"] else values.export
    for name in exports:
        if name not in EXPORTS:
            choices = ", ".join(EXPORTS)
            raise UserError(f"--export={name}: expected any of {choices}, or none")
    if values.resume and values.overwrite:
        raise UserError("--resume and --overwrite: expected one of them")
    config = load_config(values.model, _overrides(values), values.smoke)
    if values.dry_run:
        print(config.to_toml(), end="")
        return 0
    workdir = Workdir(values.workdir or f"runs/{config.name}")
    from keras_gans import strategies
    from keras_gans.training.run import run

    team = strategies.make_team(values.strategy)
    status = run(
        config, workdir, values.data_dir, team, values.resume, values.overwrite
    )
    if status == 0 and exports and team.chief:
        status = _export(workdir, exports)
    if status == 130 and team.chief:
        used = {"--overwrite": values.overwrite, "--noresume": values.resume is False}
        without = "".join(f" without {flag}" for flag, was in used.items() if was)
        print(f"The same command{without} goes on from there", flush=True)
    return status


def _overrides(values: flags.FlagValues) -> list[str]:
    """Write the short flags as words of --set, after those."""
    overrides = list(values.set)
    for name, key in SHORT.items():
        value = values[name].value
        if value is None:
            continue
        written = json.dumps(value, ensure_ascii=False)
        for word in values.set:
            other, _, text = word.partition("=")
            if other == key and text not in (written, str(value)):
                raise UserError(
                    f"--{name}={value} and --set={word}: expected one of them"
                )
        overrides.append(f"{key}={written}")
    return overrides


def _export(workdir: Workdir, exports: list[str]) -> int:
    import keras

    if keras.backend.backend() == "tensorflow":
        from keras_gans.export import export_workdir

        export_workdir(workdir, exports)
        return 0
    words = ["-m", "keras_gans.export", f"--workdir={workdir.path}"]
    words.append(f"--to={','.join(exports)}")
    if not importlib.util.find_spec("tensorflow"):
        command = shlex.join(["python", *words])
        print(f"not exported, without TensorFlow here; where it is: {command}")
        return 0
    # TensorFlow, which exports, is another backend than this process has, and needs no
    # part of the device that this one holds.
    apart = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(
        [sys.executable, *words], env={**os.environ, **apart}
    ).returncode


if __name__ == "__main__":
    sys.exit(main())

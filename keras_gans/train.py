r"""Train a model of the zoo, then export it.

    python -m keras_gans.train --model=cgan

This command needs only images inside the package. It fills the folder runs/cgan with
sample grids, metrics, checkpoints, a SavedModel and a .tflite file. Ctrl-C writes a
checkpoint and stops; the same command resumes from that checkpoint. To train on your
own images:

    python -m keras_gans.train --model=dcgan --data=folder:my_images \
        --image_size=64 --workdir=runs/mine
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys

from absl import flags

from keras_gans import export
from keras_gans.cli.flags import define_allow_code
from keras_gans.cli.run import run_command
from keras_gans.device.sampler import SamplerError
from keras_gans.errors import UserError, first_line, os_line
from keras_gans.export import EXPORTS
from keras_gans.recipes.config import SHORT, load_config, zoo_names
from keras_gans.storage.workdir import Workdir

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    text, flag = flags.DEFINE_string, {"flag_values": values}
    text("model", None, "Recipe: the name of a zoo model, or a .toml file.", **flag)
    text(
        "data",
        None,
        "Training data set: the name of a data set in the package, "
        "folder:my_images, tfds:NAME or another data set; short for "
        "--set=data.dataset=...",
        **flag,
    )
    whole = flags.DEFINE_integer
    whole(
        "steps",
        None,
        "Number of training steps; short for --set=train.steps=...",
        **flag,
    )
    whole(
        "image_size",
        None,
        "Side of the images in pixels; short for --set=data.image_size=...",
        **flag,
    )
    whole(
        "batch_size",
        None,
        "Images in a batch; short for --set=data.batch_size=...",
        **flag,
    )
    whole("seed", None, "Seed of the run; short for --set=train.seed=...", **flag)
    text("workdir", None, "Folder of the run; runs/<model> if not given.", **flag)
    flags.DEFINE_multi_string(
        "set",
        [],
        "KEY=VALUE that changes one key of the recipe, such as train.steps=100",
        **flag,
    )
    text(
        "init_from",
        None,
        "Workdir of another run, whose weights initialize the networks; short for "
        "--set=train.init_from=...",
        **flag,
    )
    text(
        "data_dir",
        None,
        "Folder in which TensorFlow Datasets keeps its data sets.",
        **flag,
    )
    flags.DEFINE_list(
        "export",
        list(EXPORTS),
        f"Exports to write after training: any of {', '.join(EXPORTS)}, or none.",
        **flag,
    )
    flags.DEFINE_bool("smoke", False, "Shrink the recipe to a quick test.", **flag)
    flags.DEFINE_bool("dry_run", False, "Print the resolved recipe and exit.", **flag)
    flags.DEFINE_enum(
        "strategy",
        "auto",
        STRATEGIES,
        "Devices to train on: one, all of this machine (mirrored), or those of the "
        "workers in TF_CONFIG (multi_worker); auto detects them.",
        **flag,
    )
    flags.DEFINE_bool(
        "resume",
        None,
        "Resume the run in the workdir, even if train.steps has grown; --noresume "
        "refuses a workdir that holds a run. If not given, resume if the recipe is the "
        "same.",
        **flag,
    )
    flags.DEFINE_bool(
        "overwrite", False, "Delete the run in the workdir first.", **flag
    )
    define_allow_code(values)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("train", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> int:
    if values.model is None:
        names = ", ".join(zoo_names())
        raise UserError(f"no model; pass --model=NAME, one of {names}")
    exports = [] if values.export == ["none"] else values.export
    for name in exports:
        if name not in EXPORTS:
            choices = ", ".join(EXPORTS)
            raise UserError(f"--export={name}: expected any of {choices}, or none")
    if values.resume and values.overwrite:
        raise UserError(
            "--resume and --overwrite: expected at most one of them, got both"
        )
    config = load_config(
        values.model, _overrides(values), values.smoke, values.allow_code
    )
    if values.dry_run:
        print(config.to_toml(), end="")
        return 0
    path = values.workdir or f"runs/{_folder_name(config.name)}"
    workdir = Workdir(path, values.allow_code)
    export.check(workdir, () if values.overwrite else exports)
    from keras_gans import strategies
    from keras_gans.training.run import how_to_resume, run

    team = strategies.make_team(values.strategy)
    status = run(
        config, workdir, values.data_dir, team, values.resume, values.overwrite
    )
    if status == 0 and exports and team.chief:
        status = _export(workdir, exports)
    elif status == 130 and team.chief:
        print(how_to_resume(values.resume, values.overwrite), flush=True)
    return status


def _folder_name(name: str) -> str:
    """Return a recipe's name without characters that part a path."""
    return re.sub(r"[\x00-\x1f/\\:]", "_", name).strip(". ") or "run"


def _overrides(values: flags.FlagValues) -> list[str]:
    """Return the values of --set, followed by the short flags in the same form."""
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
                    f"--{name}={value} and --set={word}: expected one value, got two; "
                    "leave one out"
                )
        overrides.append(f"{key}={written}")
    return overrides


def _export(workdir: Workdir, exports: list[str]) -> int:
    """Export a trained run; if that fails, print the command that exports it again."""
    import keras

    words = ["-m", "keras_gans.export", f"--workdir={workdir.path}"]
    words.append(f"--to={','.join(exports)}")
    words += ["--allow_code"] * workdir.allow_code
    command = shlex.join(["python", *words])
    if not importlib.util.find_spec("tensorflow"):
        print(f"not exported: needs TensorFlow; where it is installed, run: {command}")
        return 0
    try:
        if keras.backend.backend() == "tensorflow":
            export.export_workdir(workdir, exports)
            return 0
        # An export needs TensorFlow as its backend, hence a process of its own. It runs
        # on the CPU, since this process may hold the memory of the device.
        apart = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
        apart = subprocess.run([sys.executable, *words], env={**os.environ, **apart})
        if apart.returncode == 0:
            return 0
        reason, status = "see the line above", 1
    except KeyboardInterrupt:
        reason, status = "interrupted", 130
    except (UserError, SamplerError, OSError) as error:
        reason = os_line(error) if isinstance(error, OSError) else str(error)
        status = 1
    except Exception as error:  # has a traceback as well
        print(_not_exported(first_line(error), workdir, command), file=sys.stderr)
        raise
    print(_not_exported(reason, workdir, command), file=sys.stderr)
    return status


def _not_exported(reason: str, workdir: Workdir, command: str) -> str:
    return (
        f"train: not exported: {reason}. The run is trained; its checkpoints are in "
        f"{workdir.checkpoints}. To export it, run: {command}"
    )


if __name__ == "__main__":
    sys.exit(main())

r"""Trains a model of the zoo, then exports it.

    python -m keras_gans.train --model=cgan

trains on pictures inside the package and leaves, in runs/cgan: sample grids, metrics,
checkpoints, a SavedModel and a .tflite file. Ctrl-C ends with a checkpoint; the same
command goes on from there. Your own pictures:

    python -m keras_gans.train --model=dcgan --set=data.dataset=folder:/my/pictures \
        --set=data.image_size=64 --workdir=runs/mine
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.errors import UserError, WorkerLost
from keras_gans.recipes.config import Config, load_config, zoo_names
from keras_gans.storage.workdir import Workdir

if TYPE_CHECKING:
    from keras_gans.strategies import Team

EXPORTS = ("saved_model", "tflite")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    text, flag = flags.DEFINE_string, {"flag_values": values}
    text("model", None, "Recipe: a name of the zoo, or a .toml file.", **flag)
    text("workdir", None, "The run's folder; runs/<model> if not given.", **flag)
    flags.DEFINE_multi_string(
        "set",
        [],
        "Changes one key of the recipe, as train.steps=100; may be given many times.",
        **flag,
    )
    text("data_dir", None, "Where TensorFlow Datasets keeps its sets.", **flag)
    flags.DEFINE_integer(
        "seed", None, "The run's seed: the same as --set=train.seed=<seed>.", **flag
    )
    text(
        "init_from",
        None,
        "A run's workdir, whose networks to begin with: the same as "
        "--set=train.init_from=<workdir>.",
        **flag,
    )
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
    overrides = list(values.set)
    if values.seed is not None:
        overrides.append(f"train.seed={values.seed}")
    if values.init_from is not None:
        overrides.append(
            f"train.init_from={json.dumps(values.init_from, ensure_ascii=False)}"
        )
    config = load_config(values.model, overrides, values.smoke)
    if values.dry_run:
        print(config.to_toml(), end="")
        return 0
    workdir = Workdir(values.workdir or f"runs/{config.name}")
    from keras_gans import strategies

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


def run(
    config: Config,
    workdir: Workdir,
    data_dir: str | None,
    team: Team,
    resume: bool | None = None,
    overwrite: bool = False,
) -> int:
    """Trains a recipe in a workdir.

    Args:
        config: The recipe.
        workdir: The run's folder; goes on from its newest checkpoint.
        data_dir: Where TensorFlow Datasets keeps its sets.
        team: What it is trained on, see `strategies.make_team`.
        resume: As for `Workdir.check`.
        overwrite: Whether to delete the run in the workdir first.

    Returns:
        0; 1 if the values stopped being finite; 130 after Ctrl-C.

    Raises:
        UserError: for data that are missing or do not fit, or a workdir that may not be
            used.
        WorkerLost: if another worker has gone.
    """
    from keras_gans.sampling import keras_sampler

    with contextlib.ExitStack() as stack, team.minded(workdir.path):
        team.as_chief(lambda: workdir.check(config, resume, overwrite))
        source = team.together(lambda: _open(config, data_dir, team))
        # Where all have come: a worker without data has no part in this.
        team.check_same(
            f"{config.to_toml()}\n{source.info.num_examples} pictures, in batches of "
            f"{source.options.batch_size // config.hparams.d_steps}"
        )
        stack.enter_context(_device_faults(config, source))
        with team.scope():
            model = team.together(
                lambda: keras_sampler.build_model(config, source.info)
            )
        examples = team.as_chief(
            lambda: _begin(config, workdir, source, model, overwrite, stack)
        )
        team.share_state(model)
        return _fit(model, source, examples, config, workdir, team)


@contextlib.contextmanager
def _device_faults(config: Config, source):
    """Turns what a device lacks (memory, cuDNN) into a line of a UserError."""
    from keras_gans.engine import faults

    try:
        yield
    except (UserError, WorkerLost):
        raise
    except Exception as error:
        images = source.options.batch_size // config.hparams.d_steps
        line = faults.describe(error, images, config.train.accumulate)
        if line is None:
            raise
        raise UserError(line) from None


def _open(config: Config, data_dir: str | None, team: Team):
    """Opens the data and checks that they, and the recipe, suit the devices."""
    from keras_gans import data

    source = data.open_source(config.data, data_dir, config.hparams.d_steps)
    devices, parts = team.devices, config.train.accumulate
    size = source.options.batch_size // config.hparams.d_steps
    if size % (devices * parts):
        times = f" times the {parts} parts of train.accumulate" if parts > 1 else ""
        raise UserError(
            f"[data] batch_size: expected a multiple of the {devices} devices{times}, "
            f"got {size}"
        )
    team.check(config.train)
    return source


def _begin(config: Config, workdir: Workdir, source, model, overwrite: bool, stack):
    """Readies the workdir, which is locked until the stack closes, and the model."""
    from keras_gans import data
    from keras_gans.data import images
    from keras_gans.diagnostics import sample_stats
    from keras_gans.storage import checkpoint
    from keras_gans.training import transfer

    examples = sample_stats.examples(source)
    if config.train.evaluate_every:
        from keras_gans.training import kid_monitor

        kid_monitor.check(source)
    fresh = overwrite or not checkpoint.steps(workdir.checkpoints)
    if fresh and config.train.init_from:  # before anything is made or deleted
        transfer.begin_from(config.train.init_from, model, workdir)
    stack.enter_context(workdir.locked())
    if overwrite:
        workdir.clear()
    workdir.check_data(source.info)
    found = checkpoint.steps(workdir.checkpoints)
    if found:
        checkpoint.restore(model, checkpoint.path_of(workdir.checkpoints, found[-1]))
        print(f"{workdir.path}: going on from step {found[-1]}", flush=True)
    workdir.write(config, source.info)
    if source.info.source_shape:
        _, given = data.first_examples(source.held_out or source, 64)
        workdir.write_sources(images.to_uint8(given))
    for note in source.notes:  # nothing is wrong: now they count
        print(f"{config.data.dataset}: {note}", flush=True)
    return examples


def _note_hardware(model, workdir: Workdir, options, team: Team) -> None:
    """Prints what computes the steps, and whether that is another than before."""
    from keras_gans import engine
    from keras_gans.engine import devices

    hardware = devices.find(team.devices, engine.is_compiled(model))
    words = options.precision, options.jit_compile, team.mirrored
    print(devices.describe(hardware, *words), flush=True)
    before = devices.parse(workdir.write_hardware(dataclasses.asdict(hardware)))
    if int(model.step.numpy()) and before and not hardware.rounds_like(before):
        print(
            f"{workdir.path}: earlier steps were computed on {before}; from here on "
            "the run is not bit-identical to one that stays there",
            flush=True,
        )


def _fit(model, source, examples, config: Config, workdir: Workdir, team: Team) -> int:
    from keras_gans import engine, strategies
    from keras_gans.sampling import keras_sampler
    from keras_gans.training import callbacks

    step, options = int(model.step.numpy()), config.train
    if step >= options.steps:
        print(f"{workdir.path}: trained already, to step {step}", flush=True)
        return 0
    team.as_chief(lambda: _note_hardware(model, workdir, options, team))
    info = keras_sampler.generator_info(model, config, source.info)
    watching = callbacks.training_callbacks(
        keras_sampler.KerasSampler(model, info),
        workdir,
        options,
        source,
        examples,
        team,
    )
    sizes = strategies.sizes(step, options.steps, options, paced=team.size == 1)
    model.train_function = engine.train_function(model, sizes)
    model.fit(
        team.stream(source, options.seed, step),
        steps_per_epoch=options.steps - step,  # calls, at most; StopOnSignal ends it
        verbose=0,
        shuffle=False,  # the stream is shuffled; Keras would warn
        callbacks=callbacks.CallbackList(watching, add_history=True, model=model),
    )
    team.agree(True)  # nobody leaves before the chief has written its checkpoint
    return _report(model, workdir, watching)


def _report(model, workdir: Workdir, watching) -> int:
    from keras_gans.storage import checkpoint
    from keras_gans.training import callbacks

    [stop] = (c for c in watching if isinstance(c, callbacks.StopOnSignal))
    recorder = next((c for c in watching if isinstance(c, callbacks.Recorder)), None)
    if not recorder:  # not the chief, whose words are enough
        return 130 if stop.interrupted else 0 if stop.finished else 1
    found = checkpoint.steps(workdir.checkpoints)
    last = f"step {found[-1]}" if found else "none"
    if recorder.broken:
        step, names = recorder.broken
        print(
            f"train: step {step}: not finite: {', '.join(names)}; stopped. Last good "
            f"checkpoint: {last}. Try a lower --set=g_optimizer.learning_rate= and "
            "--set=d_optimizer.learning_rate= (or clipnorm=1.0 for both), with another "
            "--workdir or --overwrite",
            file=sys.stderr,
        )
        return 1
    if stop.interrupted:
        print(
            f"interrupted at step {int(model.step.numpy())}; checkpoint: {last}",
            flush=True,
        )
        return 130
    print(f"trained to {last}; pictures: {workdir.samples}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

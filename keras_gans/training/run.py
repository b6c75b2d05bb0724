"""A training run, from an opened data set to the last checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_gans import data, engine
from keras_gans.core.trainer import Trainer
from keras_gans.data import images
from keras_gans.data.source import Source
from keras_gans.device.sampler import SamplerError, shown
from keras_gans.diagnostics import sample_stats
from keras_gans.engine import devices, faults
from keras_gans.errors import UserError, WorkerLost, os_line
from keras_gans.recipes import build
from keras_gans.recipes.config import Config
from keras_gans.sampling import keras_sampler
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.strategies import Team
from keras_gans.training import (
    advice,
    callbacks,
    kid_monitor,
    label_maps,
    pacing,
    transfer,
)
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import CallbackList


def run(
    config: Config,
    workdir: Workdir,
    data_dir: str | None,
    team: Team,
    resume: bool | None = None,
    overwrite: bool = False,
) -> int:
    """Train a recipe in a workdir.

    Args:
        config: Recipe.
        workdir: Folder of the run; training goes on from its newest checkpoint.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        team: Devices and workers of the run, see `strategies.make_team`.
        resume: Whether to resume a run in the workdir. None resumes a run of the same
            recipe only, see `Workdir.check`.
        overwrite: Whether to delete the run in the workdir first.

    Returns:
        Exit status: 0 at the last step; 1 if values were not finite or a file could not
        be written or read; 130 after Ctrl-C.

    Raises:
        UserError: If the data are missing or do not suit the recipe, or if the workdir
            may not be used.
        WorkerLost: If another worker has ended.
    """
    # `team.active` is the inner context: a lost worker must not count as a full device.
    with contextlib.ExitStack() as stack, team.active(workdir.path):
        with team.agreement():
            config, notes = label_maps.choose_palette(config, data_dir)
            changes = workdir.check(config, resume, overwrite) if team.chief else ()
            source = data.open_source(
                config.data, data_dir, config.hparams.batches_per_step
            )
            if not overwrite:
                data.keep_class_order(source, workdir.class_names())
            source.notes += (*notes, *advice.on_few_images(config, source.info))
            size = source.options.batch_size // config.hparams.batches_per_step
            _check_devices(config, size, team)
        team.check_same(
            f"{config.to_toml()}\n{source.info.num_examples} images, in batches of "
            f"{size}"
        )
        stack.enter_context(_device_faults(size, config.train.accumulate))
        with team.agreement():
            with team.scope():
                model = build.build_model(config, source.info)
            examples, pending = None, {}
            if team.chief:
                examples = sample_stats.examples(source)
                if config.train.evaluate_every:
                    kid_monitor.check(source)
                resumed = not overwrite and checkpoint.steps(workdir.checkpoints)
                # Errors come before any file is written or deleted.
                if config.train.init_from and not resumed:
                    transfer.begin_from(config.train.init_from, model, workdir)
                if not resumed or resumed[-1] < config.train.steps:
                    workdir.check_room(checkpoint.size_of(model), config.train)
                stack.enter_context(workdir.locked())
                pending = _prepare(config, workdir, source, model, overwrite, changes)
        team.share_state(model)
        step = int(model.step.numpy())
        if step >= config.train.steps:
            print(f"{workdir.path}: already trained to step {step}", flush=True)
            return 0
        if team.chief:
            _note_hardware(model, workdir, config, team)
        watching = callbacks.training_callbacks(
            keras_sampler.KerasSampler(
                model, keras_sampler.generator_info(model, config, source.info)
            ),
            workdir,
            config.train,
            source,
            examples,
            team,
            pending,
        )
        for callback in watching:
            stack.callback(callback.close)
        try:
            _fit(model, source, watching, config, team)
        except (OSError, SamplerError) as error:
            hint = how_to_resume(resume, overwrite)
            return _report_failure(workdir, error, hint)
        team.agree(True)  # all wait until the chief has written its checkpoint
        return _report(model, workdir, watching)


def _check_devices(config: Config, size: int, team: Team) -> None:
    """Check that the batch size and the recipe suit the devices."""
    count, parts = team.devices, config.train.accumulate
    if size % (count * parts):
        times = f" times the {parts} parts of train.accumulate" if parts > 1 else ""
        raise UserError(
            f"[data] batch_size: expected a multiple of the {count} devices{times}, "
            f"got {size}"
        )
    team.check(config.train)


@contextlib.contextmanager
def _device_faults(size: int, parts: int) -> Iterator[None]:
    """Turn a device error (out of memory, no cuDNN) into a UserError of one line."""
    try:
        yield
    except (UserError, WorkerLost):
        raise
    except Exception as error:
        line = faults.describe(error, size, parts)
        if line is None:
            raise
        raise UserError(line) from None


def _prepare(
    config: Config,
    workdir: Workdir,
    source: Source,
    model: Trainer,
    overwrite: bool,
    changes: Sequence[str],
) -> dict[str, np.ndarray]:
    """Write the description of the run, and restore its newest checkpoint.

    Returns:
        Values of the steps since the last log line, see `checkpoint.restore`.
    """
    if overwrite:
        workdir.clear()
    workdir.check_data(source.info)
    pending = {}
    if checkpoint.steps(workdir.checkpoints):
        restore = functools.partial(checkpoint.restore, model)
        step, pending = checkpoint.newest(workdir.checkpoints, restore)
        print(f"{workdir.path}: resuming from step {step}", flush=True)
    for change in changes:
        print(shown(f"{workdir.path}: {change}"), flush=True)
    workdir.write(config, source.info)
    if source.info.condition_shape:
        examples = data.first_examples(source.held_out or source, 64)
        conditions = images.to_uint8(examples["condition"])
        workdir.write_conditions(conditions)
        source.notes += label_maps.note_class_numbers(config, conditions)
    for note in source.notes:  # after all checks have passed
        print(shown(f"{config.data.dataset}: {note}"), flush=True)
    return pending


def _note_hardware(
    model: Trainer, workdir: Workdir, config: Config, team: Team
) -> None:
    """Print the hardware of the run, and a warning if it has changed."""
    options = config.train
    hardware = devices.find(team.devices, engine.is_compiled(model))
    words = options.precision, options.jit_compile, team.mirrored
    print(devices.describe(hardware, *words), flush=True)
    before = devices.parse(workdir.write_hardware(dataclasses.asdict(hardware)))
    if int(model.step.numpy()) and before and not hardware.rounds_like(before):
        print(
            f"{workdir.path}: earlier steps were computed on {before}; later steps are "
            "not bit-identical to those of a run on the same hardware",
            flush=True,
        )


def _fit(
    model: Trainer, source: Source, watching: list, config: Config, team: Team
) -> None:
    """Train the remaining steps."""
    step, options = int(model.step.numpy()), config.train
    sizes = pacing.sizes(step, options.steps, options, paced=team.size == 1)
    model.train_function = engine.train_function(model, sizes)
    watching[-1].listen()  # `StopOnSignal`, before another callback prints
    keras.Model.fit(  # without the checks of arrays: the source has checked its data
        model,
        team.stream(source, options.seed, step),
        steps_per_epoch=options.steps - step,  # or fewer: StopOnSignal ends the run
        verbose=0,
        shuffle=False,  # the stream is shuffled already
        callbacks=CallbackList(watching, add_history=True, model=model),
    )


def how_to_resume(resume: bool | None, overwrite: bool) -> str:
    """Return the line that says how a stopped run goes on.

    Args:
        resume: Value of `run`'s argument.
        overwrite: Value of `run`'s argument.
    """
    used = {"--overwrite": overwrite, "--noresume": resume is False}
    without = "".join(f" without {flag}" for flag, was in used.items() if was)
    return f"The same command{without} resumes from there"


def _report_failure(workdir: Workdir, error: OSError | SamplerError, hint: str) -> int:
    """Print why training stopped, and how it goes on; return the exit status."""
    found = checkpoint.steps(workdir.checkpoints)
    last = (
        f"Last good checkpoint: step {found[-1]}. {hint}" if found else "No checkpoint"
    )
    reason = os_line(error) if isinstance(error, OSError) else error
    print(f"train: {reason}; stopped. {last}", file=sys.stderr)
    return 1


def _report(model: Trainer, workdir: Workdir, watching: list) -> int:
    """Print the result of the run and return the exit status."""
    [stop] = (c for c in watching if isinstance(c, callbacks.StopOnSignal))
    recorder = next((c for c in watching if isinstance(c, Recorder)), None)
    if not recorder:  # only the chief prints
        return 130 if stop.interrupted else 0 if stop.finished else 1
    found = checkpoint.steps(workdir.checkpoints)
    last = f"step {found[-1]}" if found else "none"
    if recorder.broken:
        step, names = recorder.broken
        players = [player.name for player in reversed(model.players)]
        rates = " and ".join(f"--set={p}_optimizer.learning_rate=" for p in players)
        both = " for both" * (len(players) > 1)
        print(
            f"train: step {step}: not finite: {', '.join(names)}; stopped. Last good "
            f"checkpoint: {last}. Try a lower {rates} (or clipnorm=1.0{both}), with "
            "another --workdir or with --overwrite",
            file=sys.stderr,
        )
        return 1
    if stop.interrupted:
        print(
            f"interrupted at step {int(model.step.numpy())}; checkpoint: {last}",
            flush=True,
        )
        return 130
    print(f"trained to {last}; sample grids: {workdir.samples}", flush=True)
    return 0

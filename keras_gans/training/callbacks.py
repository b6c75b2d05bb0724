"""Callbacks of a run: held-out scores, diagnosis, checkpoints, Ctrl-C.

The callbacks count training steps, not epochs: `fit` runs a whole command as one epoch.
Values stay on the device until a log line is written; no step waits for the host.
"""

from __future__ import annotations

import math
import signal
import sys
from typing import Any

import numpy as np
from keras import ops

from keras_gans import data, engine
from keras_gans.core.gan import BaseGAN
from keras_gans.data.pipeline import Batch
from keras_gans.data.source import Source
from keras_gans.diagnostics import rules
from keras_gans.diagnostics.sample_stats import SampleStatistics
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.sampling.keras_sampler import KerasSampler
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.terminal.output import Output, stop_signals
from keras_gans.terminal.shown import ShownStream
from keras_gans.training.grids import SampleGrid, ScatterPlot, TranslationGrid
from keras_gans.training.kid_monitor import KIDMonitor
from keras_gans.training.progress import Progress
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import StepCallback

Tensor = Any


class HeldOut(StepCallback):
    """Log the discriminator's score of held-out images.

    "held_out_score" has a log line of its own. This score is the counterpart of
    "real_score" for held-out images. A discriminator that has memorized the training
    set scores held-out images like fake images (Karras et al. 2020, arXiv 2006.06676,
    figure 1).

    Args:
        source: Source of the held-out images; each log line uses one batch,
            preprocessed as in training.
        options: Options of the run; the callback uses `log_every` and `seed`.
        recorder: Writer of the log.
    """

    def __init__(self, source, options: TrainOptions, recorder: Recorder):
        super().__init__()
        self._source, self._options, self._recorder = source, options, recorder

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Open the stream at the position of an uninterrupted run."""
        super().on_train_begin()
        every = self._options.log_every
        self._batches = iter(
            self._source.stream(self._options.seed, self.step // every)
        )
        model = self.model

        networks = model.generator, model.discriminator
        state = [v for network in networks for v in network.non_trainable_variables]

        def score(batch):
            before = [ops.copy(v.value) for v in state]
            model.seeds.begin_step()
            logits = beside = model.score(batch["images"], batch)
            if model.neutral_logit is None:
                beside = model.score(model.fakes(batch), batch)
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)  # undo batch statistics, dropout seeds
            return ops.mean(ops.sigmoid(model.relative(logits, beside)))

        self._score = engine.compiled(score, model.variables)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Log the score, if a log line is due."""
        if step % self._options.log_every == 0:
            found = float(self._score(next(self._batches)))
            self._recorder.line(step, {"held_out_score": found})


class Doctor(StepCallback):
    """Print the findings of `diagnostics.rules` during training.

    The values of `diagnostics.sample_stats`, "diversity" and "saturation", have a log
    line of their own.

    Args:
        statistics: Statistics of the generator's samples.
        options: Options of the run; the callback uses `log_every`.
        recorder: Writer of the log, which the rules read.
    """

    def __init__(
        self, statistics: SampleStatistics, options: TrainOptions, recorder: Recorder
    ):
        super().__init__()
        self._statistics, self._options, self._recorder = statistics, options, recorder

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Repeat the diagnosis of the existing log, without printing it."""
        super().on_train_begin()
        self._diagnosis = rules.Diagnosis()
        self._diagnosis.catch_up(self._recorder.log)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Measure the samples and apply the rules, if a log line is due."""
        if step % self._options.log_every or not self._recorder.check():
            return
        found = self._statistics.measure()
        bad = [name for name, value in found.items() if not math.isfinite(value)]
        if bad:  # in the averaged generator's weights or its images
            self._recorder.broken = step, bad
            self.model.stop_training = True
            return
        self._recorder.line(step, found)
        for finding in self._diagnosis.update(self._recorder.log):
            print(f"doctor: {finding}", flush=True)


class Checkpointer(StepCallback):
    """Write checkpoints at regular steps, and one at the end of the run.

    Args:
        workdir: Folder of the run.
        options: Options of the run; the callback uses `checkpoint_every` and
            `keep_checkpoints`.
        recorder: Recorder that checks the values; once they are not finite, no
            checkpoint is written.
    """

    def __init__(self, workdir: Workdir, options: TrainOptions, recorder: Recorder):
        super().__init__()
        self._folder, self._options = workdir.checkpoints, options
        self._recorder = recorder
        self._saved = -1

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Write a checkpoint, if one is due."""
        if step % self._options.checkpoint_every == 0:
            self._save()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Write the last checkpoint."""
        if self.step != self._saved:
            self._save()

    def _save(self) -> None:
        if not self._recorder.check():
            return
        pending = self._recorder.pending()
        if checkpoint.save(self.model, self._folder, pending=pending):
            self._saved = self.step
            checkpoint.keep_newest(self._folder, self._options.keep_checkpoints)


class StopOnSignal(StepCallback):
    """Stop a run at its last step, after a signal, or if stdout is closed.

    The signals are Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a closed terminal, unless
    `nohup` has made the process ignore it. A second Ctrl-C raises `KeyboardInterrupt`
    at once. Several workers stop together, at the next log line, as soon as one of the
    workers has a reason to stop.

    Args:
        options: Options of the run; the callback uses `steps` and `log_every`.
        team: Workers of the run; None for a single process.

    Attributes:
        caught: Whether this worker has received a signal or lost its output.
        interrupted: Whether a signal has stopped the run.
        finished: Whether the run has completed its last step.
    """

    caught = interrupted = finished = False

    def __init__(self, options: TrainOptions, team: Any = None):
        super().__init__()
        self._options, self._team = options, team
        self._previous: dict = {}
        self._output: Output | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Listen, unless `listen` was called before."""
        super().on_train_begin()
        self.listen()

    def listen(self) -> None:
        """Install the signal handlers, and watch stdout."""
        if self._output:
            return
        self._previous = {s: signal.signal(s, self._note) for s in stop_signals()}
        # Below a `ShownStream`, whose own stream the progress bar writes to.
        shown = sys.stdout if isinstance(sys.stdout, ShownStream) else None
        stream = shown.stream if shown else sys.stdout
        self._output = Output(stream, self._lose_output)
        if shown:
            shown.stream = self._output
        else:
            sys.stdout = self._output

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Stop training at the last step, or after a signal."""
        last = step == self._options.steps
        if not (self._team and self._team.size > 1):
            self.interrupted = self.caught
        elif last or step % self._options.log_every == 0:
            stop = self.caught, self.model.stop_training
            self.interrupted, self.model.stop_training = self._team.agree(*stop)
        self.finished = last and not self.model.stop_training
        if self.interrupted or last:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        """Restore the earlier signal handlers."""
        self.close()

    def close(self) -> None:
        """Restore the earlier signal handlers, also after an exception."""
        for number, handler in self._previous.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._previous = {}
        if self._output and isinstance(sys.stdout, ShownStream):
            sys.stdout.stream = self._output.stream
        elif self._output:
            sys.stdout = self._output.stream
        self._output = None

    def _lose_output(self) -> None:
        self.caught = True

    def _note(self, number: int, frame: Any) -> None:
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = True


def training_callbacks(
    sampler: KerasSampler,
    workdir: Workdir,
    options: TrainOptions,
    source: Source,
    examples: Batch,
    team: Any = None,
    pending: dict[str, np.ndarray] | None = None,
) -> list[StepCallback]:
    """Return all callbacks of the train command, in the order that they need.

    Args:
        sampler: Sampler of the model in training.
        workdir: Folder of the run.
        options: Options of the run, with the intervals of the callbacks in steps.
        source: Source of the training data.
        examples: Batch of real images for the statistics, see `data.first_examples`.
        team: Workers of the run; None for a single process. Workers other than the
            chief have the callback `StopOnSignal` alone.
        pending: Values of the steps since the last log line of a resumed run, by name.
    """
    stop = StopOnSignal(options, team)
    if team and not team.chief:
        return [stop]
    recorder, model = Recorder(workdir, options, pending), sampler.model
    args = sampler, workdir, options, recorder
    if source.mixture:
        grids = ScatterPlot(source.mixture, *args)
    elif source.info.condition_shape:
        grids = TranslationGrid(_shown(source), *args)
    else:
        grids = SampleGrid(*args)
    watching = [Progress(options.steps), recorder, grids]
    if source.held_out and isinstance(model, BaseGAN):
        watching.append(HeldOut(source.held_out, options, recorder))
    watching.append(Doctor(SampleStatistics(sampler, examples), options, recorder))
    if options.evaluate_every:
        watching.append(KIDMonitor(sampler, workdir, options, source, recorder))
    return [*watching, Checkpointer(workdir, options, recorder), stop]


def _shown(source: Source) -> tuple[np.ndarray | None, np.ndarray]:
    """Return (images, conditions) for a `TranslationGrid`, held out if possible."""
    shown = source.held_out or source
    examples = data.first_examples(shown, TranslationGrid.NUM)
    images = None if shown.info.unpaired else examples["images"]
    return images, examples["condition"]

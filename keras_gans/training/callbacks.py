"""What watches a run: log, progress bar, sample grids, checkpoints, Ctrl-C.

They go by training steps, not epochs: a command's `fit` is one long epoch. Values stay
on the device until a line is written; no step waits for the host.
"""

from __future__ import annotations

import math
import signal
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
from keras_gans.training.grids import SampleGrid, ScatterPlot, TranslationGrid
from keras_gans.training.kid_monitor import KIDMonitor
from keras_gans.training.progress import Progress
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import StepCallback

Tensor = Any


class HeldOut(StepCallback):
    """Asks the discriminator about pictures that it does not learn from.

    "held_out_score" gets a line of its own in the log: of them what "real_score" is of
    the pictures of training. A discriminator that has learned
    its pictures by heart takes the others for generated ones (Karras et al. 2020, arXiv
    2006.06676, figure 1).

    Args:
        source: Where they come from; a batch for each line, seen as in training.
        options: `log_every`, `seed`.
        recorder: Where they go.
    """

    def __init__(self, source, options: TrainOptions, recorder: Recorder):
        """Reads nothing yet."""
        super().__init__()
        self._source, self._options, self._recorder = source, options, recorder

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Opens the stream where an unbroken run would be."""
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
                variable.assign(value)  # statistics of batches, draws of dropout
            return ops.mean(ops.sigmoid(model.relative(logits, beside)))

        self._score = engine.compiled(score, model.variables)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Asks, when a line of the log is due."""
        if step % self._options.log_every == 0:
            found = float(self._score(next(self._batches)))
            self._recorder.line(step, {"held_out_score": found})


class Doctor(StepCallback):
    """Says what is wrong with a run as soon as it shows; see `diagnostics.rules`.

    "diversity" and "saturation" get a line of their own in the log; see
    `keras_gans.diagnostics.sample_stats`.

    Args:
        statistics: Statistics of the generator's samples.
        options: `log_every`.
        recorder: Holds the log.
    """

    def __init__(
        self, statistics: SampleStatistics, options: TrainOptions, recorder: Recorder
    ):
        """Looks at nothing yet."""
        super().__init__()
        self._statistics, self._options, self._recorder = statistics, options, recorder

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over what was noticed before a resume."""
        super().on_train_begin()
        self._diagnosis = rules.Diagnosis()
        self._diagnosis.catch_up(self._recorder.log)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Measures and judges, when a line of the log is due."""
        if step % self._options.log_every or not self._recorder.check():
            return
        found = self._statistics.measure()
        bad = [name for name, value in found.items() if not math.isfinite(value)]
        if bad:  # the averaged generator's weights, or what it makes
            self._recorder.broken = step, bad
            self.model.stop_training = True
            return
        self._recorder.line(step, found)
        for finding in self._diagnosis.update(self._recorder.log):
            print(f"doctor: {finding}", flush=True)


class Checkpointer(StepCallback):
    """Writes checkpoints, and one at the end, however the run ends.

    Args:
        workdir: Where to.
        options: `checkpoint_every`, `keep_checkpoints`.
        recorder: Says whether the values are finite; nothing is written if not.
    """

    def __init__(self, workdir: Workdir, options: TrainOptions, recorder: Recorder):
        """Writes nothing yet."""
        super().__init__()
        self._folder, self._options = workdir.checkpoints, options
        self._recorder = recorder
        self._saved = -1

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Writes a checkpoint when one is due."""
        if step % self._options.checkpoint_every == 0:
            self._save()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Writes the last one."""
        if self.step != self._saved:
            self._save()

    def _save(self) -> None:
        if self._recorder.check() and checkpoint.save(self.model, self._folder):
            self._saved = self.step
            checkpoint.keep_newest(self._folder, self._options.keep_checkpoints)


class StopOnSignal(StepCallback):
    """Ends a run at its last step, or where Ctrl-C (or SIGTERM) came.

    A second Ctrl-C ends it at once. Several workers stop together, at the next line of
    the log, whichever of them has a reason.

    Args:
        options: `steps`, `log_every`.
        team: The workers, if there are several.

    Attributes:
        caught: Whether a signal came, to this worker.
        interrupted: Whether one has ended the run.
        finished: Whether it went to its last step.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)
    caught = interrupted = finished = False

    def __init__(self, options: TrainOptions, team: Any = None):
        """Takes over no signals yet."""
        super().__init__()
        self._options, self._team = options, team
        self._previous: dict = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over the signals."""
        super().on_train_begin()
        self._previous = {s: signal.signal(s, self._note) for s in self.SIGNALS}

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Stops, if it is time to."""
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
        """Gives the signals back."""
        self.close()

    def close(self) -> None:
        """Give the signals back, also where no `on_train_end` comes."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

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
) -> list[StepCallback]:
    """All that the train command watches a run with, in the order that they need.

    Args:
        sampler: Draws from the model that is trained.
        workdir: The run's folder.
        options: How often each does its work.
        source: Source of the training data.
        examples: Some of its examples, see `data.first_examples`.
        team: The workers, if there are several; on all but the chief only
            `StopOnSignal` is at work.
    """
    stop = StopOnSignal(options, team)
    if team and not team.chief:
        return [stop]
    recorder, model = Recorder(workdir, options), sampler.model
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
    """Return (images, conditions) for a `TranslationGrid`: held-out ones, if any."""
    shown = source.held_out or source
    examples = data.first_examples(shown, TranslationGrid.NUM)
    images = None if shown.info.unpaired else examples["images"]
    return images, examples["condition"]

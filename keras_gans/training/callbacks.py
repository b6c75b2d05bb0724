"""What watches a run: log, progress bar, sample grids, checkpoints, Ctrl-C.

They go by training steps, not epochs: a command's `fit` is one long epoch. Values stay
on the device until a line is written; no step waits for the host.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import time
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_gans import data, engine
from keras_gans.data import images
from keras_gans.data.points import Mixture
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.diagnostics import rules
from keras_gans.diagnostics.sample_stats import Vitals
from keras_gans.evaluation.metrics.modes import modes_covered
from keras_gans.recipes.config import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.training.tensorboard import Events

Tensor = Any


class CallbackList(keras.callbacks.CallbackList):
    """Hands a step's values over as they are, still on the device.

    Keras's own list turns them into floats after each step, which waits for the device.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Tells each callback."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class StepCallback(keras.callbacks.Callback):
    """Counts training steps, over resumes, and calls `on_step(step, logs)`.

    Some steps may come at once, see `engine.train_function`.
    """

    step = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over the model's step."""
        self.step = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the steps."""
        self.step += len(next(iter(logs.values())))
        self.on_step(self.step, logs)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Does the callback's work after some steps.

        Args:
            step: The last of them.
            logs: What each said, float32 [steps].
        """
        raise NotImplementedError


class Recorder(StepCallback):
    """Writes means to metrics.jsonl and TensorBoard; stops a run that is not finite.

    Args:
        workdir: Where to.
        options: `log_every`.

    Attributes:
        broken: None, or (step, names): where values first were not finite, and which.
        log: What metrics.jsonl holds.
        events: Shows the same in TensorBoard.
    """

    def __init__(self, workdir: Workdir, options: TrainOptions):
        """Opens nothing yet."""
        super().__init__()
        self._workdir, self._options = workdir, options
        self._pending: list[dict[str, Tensor]] = []
        self._since = time.monotonic()
        self.broken: tuple[int, list[str]] | None = None
        self.log = rules.Log()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Drops the lines that an interrupted run wrote after its last checkpoint."""
        super().on_train_begin()
        self._trim()
        self.events = Events(self._workdir.tensorboard)
        self._since = time.monotonic()

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Keeps the steps' values; writes a line when one is due."""
        self._pending.append(logs)
        if step % self._options.log_every == 0 or step == self._options.steps:
            self._flush(step)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Says what stopped the run, if something did."""
        self.check()
        if self.broken:
            self._note({"step": self.broken[0], "not_finite": self.broken[1]})
        self.events.close()

    def check(self) -> bool:
        """Whether every value since the last line is finite; fills in `broken`."""
        if self._pending and self.broken is None:
            values = self._values()
            finite = np.isfinite(np.stack(list(values.values())))
            broken = np.flatnonzero(~finite.all(axis=0))
            if broken.size:
                bad = ~finite[:, broken[0]]
                step = self.step - finite.shape[1] + 1 + int(broken[0])
                self.broken = step, [k for k, b in zip(values, bad, strict=True) if b]
        return self.broken is None

    def _values(self) -> dict[str, np.ndarray]:
        return {
            k: np.concatenate([np.asarray(logs[k], float) for logs in self._pending])
            for k in self._pending[0]
        }

    def _flush(self, step: int) -> None:
        if not self.check():
            self.model.stop_training = True
            return
        values = self._values()
        means = {k: float(column.mean()) for k, column in values.items()}
        gaps = values["real_score"] - values["fake_score"]
        means["score_spread"] = float(gaps.std())
        now = time.monotonic()
        means["steps_per_second"] = len(gaps) / (now - self._since)
        self._since, self._pending = now, []
        self.line(step, means)

    def line(self, step: int, values: dict[str, float]) -> None:
        """Writes one line of metrics.jsonl, and the same to TensorBoard."""
        self._note({"step": step, **values})
        self.events.numbers(values, step)

    def _note(self, row: dict) -> None:
        with open(self._workdir.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.log.add(row)

    def _trim(self) -> None:
        if not os.path.isfile(self._workdir.metrics):
            return
        kept = []
        with open(self._workdir.metrics, encoding="utf-8") as file:
            for line in file:
                # A kill may have cut the last line short.
                row = json.loads(line) if line.endswith("\n") else {"step": math.inf}
                if row["step"] <= self.step:
                    kept.append(line)
                    self.log.add(row)
        temporary = f"{self._workdir.metrics}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(kept)
        os.replace(temporary, self._workdir.metrics)


class SampleGrid(StepCallback):
    """Draws the same latents again and again with the averaged generator.

    The first grid comes after EARLY seconds at the latest, however slow the model is.

    Args:
        sampler: Draws from the model.
        workdir: Where to.
        options: `grid_every`, `steps`.
        recorder: Shows the grid in TensorBoard, too.
    """

    EARLY = 30.0

    def __init__(
        self,
        sampler: BaseSampler,
        workdir: Workdir,
        options: TrainOptions,
        recorder: Recorder,
    ):
        """Chooses the layout: a column for each class, as far as they fit."""
        super().__init__()
        self._sampler, self._workdir = sampler, workdir
        self._options, self._recorder = options, recorder
        classes = sampler.info.get("num_classes", 0)
        self._columns = classes if 2 < classes <= 16 else 8
        self._drawn = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the clock of the first grid."""
        super().on_train_begin()
        self._began = time.monotonic()

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Writes `samples/step_<step>.png` when one is due."""
        due = step % self._options.grid_every == 0 or step == self._options.steps
        early = not self._drawn and time.monotonic() - self._began > self.EARLY
        if not due and not early:
            return
        self._drawn = True
        if not self._recorder.check():
            return
        sheet = self._sheet(step)
        # The model goes on: its step is now another than the sampler's info says.
        about = sampler_lib.describe({**self._sampler.info, "step": step}, seed=0)
        encoded = sampler_lib.encode(sheet, about)
        os.makedirs(self._workdir.samples, exist_ok=True)
        path = os.path.join(self._workdir.samples, f"step_{step:08d}.png")
        sampler_lib.write(encoded, path)
        self._recorder.events.picture("samples", encoded, sheet.shape, step)

    def _sheet(self, step: int) -> np.ndarray:
        pictures = self._sampler.sample(8 * self._columns, seed=0)
        return sampler_lib.sheet(pictures, self._columns)


class ScatterPlot(SampleGrid):
    """Draws points against the modes of their mixture, and counts.

    "modes_covered" and "high_quality" get a line of their own in the log.

    Args:
        mixture: What the points should come from.
        *args: As for SampleGrid.
    """

    NUM = 2500  # points

    def __init__(self, mixture: Mixture, *args: Any):
        """Draws nothing yet."""
        super().__init__(*args)
        self._mixture = mixture

    def _sheet(self, step: int) -> np.ndarray:
        modes, stddev = self._mixture.modes, self._mixture.stddev
        latents = self._sampler.latents(range(self.NUM), seed=0)
        points = self._sampler.generate(latents, None)
        found = modes_covered(points.reshape(-1, 2), modes, stddev)
        self._recorder.line(step, found)
        print("  ".join(f"{k} {v:.3g}" for k, v in found.items()), flush=True)
        centres = (modes + 1.0) * 127.5  # as to_uint8, unrounded
        circles = [(x, y, 3 * stddev * 127.5) for x, y in centres]
        return sampler_lib.scatter(sampler_lib.to_uint8(points), circles)


class TranslationGrid(SampleGrid):
    """Shows what a model makes of the same pictures again and again.

    Side by side: source, what is made of it, and the true picture; or, if no one knows
    that, what a model that goes back makes of it again.

    Args:
        pictures: (pictures, sources), float32 [num, ...] in [-1, 1]; `pictures` is None
            where they do not belong together.
        *args: As for SampleGrid.
    """

    NUM = 16  # sources, four in a row

    def __init__(self, pictures: tuple[np.ndarray | None, np.ndarray], *args: Any):
        """Keeps the pictures."""
        super().__init__(*args)
        self._real, self._source = pictures

    def _sheet(self, step: int) -> np.ndarray:
        made = self._sampler.run({"source": self._source})
        columns = [self._source, made]
        if self._real is not None:
            columns.append(self._real)
        elif self.model.goes_back:
            again = self.model.translate(made, backward=True)
            columns.append(keras.ops.convert_to_numpy(again))
        shown = [images.beside(images.to_uint8(c), made.shape[1]) for c in columns]
        pictures = np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])
        return sampler_lib.sheet(pictures, 4 * len(columns))


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

        players = model.generator, model.discriminator
        state = [v for player in players for v in player.non_trainable_variables]

        def ask(images, labels):
            before = [ops.copy(v.value) for v in state]
            model.seeds.begin_step()
            logits = beside = model.score(images, labels)
            if model.undecided is None:
                beside = model.score(model.fakes(images, labels), labels)
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)  # statistics of batches, draws of dropout
            return ops.mean(ops.sigmoid(model.relative(logits, beside)))

        self._ask = engine.compiled(ask, model.variables)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Asks, when a line of the log is due."""
        if step % self._options.log_every == 0:
            found = float(self._ask(*next(self._batches)))
            self._recorder.line(step, {"held_out_score": found})


class Doctor(StepCallback):
    """Says what is wrong with a run as soon as it shows; see `diagnostics.rules`.

    "diversity" and "saturation" get a line of their own in the log; see
    `keras_gans.diagnostics.sample_stats`.

    Args:
        vitals: Measures the generator.
        options: `log_every`.
        recorder: Holds the log.
    """

    def __init__(self, vitals: Vitals, options: TrainOptions, recorder: Recorder):
        """Looks at nothing yet."""
        super().__init__()
        self._vitals, self._options, self._recorder = vitals, options, recorder

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over what was noticed before a resume."""
        super().on_train_begin()
        self._watch = rules.Watch()
        self._watch.catch_up(self._recorder.log)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Measures and judges, when a line of the log is due."""
        if step % self._options.log_every or not self._recorder.check():
            return
        found = self._vitals.measure()
        bad = [name for name, value in found.items() if not math.isfinite(value)]
        if bad:  # the averaged generator's weights, or what it makes
            self._recorder.broken = step, bad
            self.model.stop_training = True
            return
        self._recorder.line(step, found)
        for finding in self._watch.look(self._recorder.log):
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
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        if self.caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.caught = True


class Progress(StepCallback):
    """A progress bar with the losses and the time left.

    Args:
        steps: Steps of the whole run.
    """

    EVERY = 1.0  # seconds between two updates; longer where it is no terminal

    def __init__(self, steps: int):
        """Shows nothing yet."""
        super().__init__()
        self._steps = steps
        self._terminal = sys.stdout.isatty()
        self._every = self.EVERY if self._terminal else 20 * self.EVERY

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the clock."""
        super().on_train_begin()
        self._first, self._shown = self.step, time.monotonic()
        self._start = None

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Shows a line, now and then."""
        now = time.monotonic()
        if self._start is None:  # the first step traces: leave it out of the rate
            self._start, self._first = now, step
            return
        if now - self._shown >= self._every or step == self._steps:
            self._shown = now
            self._show(step, logs, now - self._start)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends the line."""
        if self._terminal:
            print(flush=True)

    def _show(self, step: int, logs: dict[str, Tensor], seconds: float) -> None:
        done = int(24 * step / self._steps)
        rate = (step - self._first) / seconds
        left = int((self._steps - step) / rate)
        values = "  ".join(
            f"{k} {float(v[-1]):.3f}"
            for k, v in logs.items()
            if not k.endswith("gradient_norm")
        )
        line = (
            f"{step}/{self._steps} [{'#' * done}{'.' * (24 - done)}] "
            f"{left // 60}:{left % 60:02d} left, {rate:.1f} steps/s  {values}"
        )
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)


def training_callbacks(
    sampler: BaseSampler,
    workdir: Workdir,
    options: TrainOptions,
    source: Any,
    examples: tuple[np.ndarray, np.ndarray],
    team: Any = None,
) -> list[StepCallback]:
    """All that the train command watches a run with, in the order that they need.

    Args:
        sampler: Draws from the model that is trained.
        workdir: The run's folder.
        options: How often each does its work.
        source: What is trained on, see `data.open_source`.
        examples: Some of it, see `data.first_examples`.
        team: The workers, if there are several; on all but the chief only
            `StopOnSignal` is at work.
    """
    stop = StopOnSignal(options, team)
    if team and not team.chief:
        return [stop]
    recorder = Recorder(workdir, options)
    args = sampler, workdir, options, recorder
    if hasattr(source, "mixture"):
        grids = ScatterPlot(source.mixture, *args)
    elif source.info.source_shape:
        grids = TranslationGrid(_shown(source), *args)
    else:
        grids = SampleGrid(*args)
    watching = [Progress(options.steps), recorder, grids]
    if source.held_out:
        watching.append(HeldOut(source.held_out, options, recorder))
    watching.append(Doctor(Vitals(sampler, *examples), options, recorder))
    if options.evaluate_every:
        from keras_gans.training.kid_monitor import (
            Evaluator,  # a command without it needs none
        )

        watching.append(Evaluator(sampler, workdir, options, source, recorder))
    return [*watching, Checkpointer(workdir, options, recorder), stop]


def _shown(source: Any) -> tuple[np.ndarray | None, np.ndarray]:
    """What a `TranslationGrid` shows: pictures that the model does not learn from."""
    shown = source.held_out or source
    pictures, given = data.first_examples(shown, TranslationGrid.NUM)
    return None if shown.info.unpaired else pictures, given

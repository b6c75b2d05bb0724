"""Image grids of a run."""

from __future__ import annotations

import os
import time
from typing import Any

import keras
import numpy as np

from keras_gans.data import images
from keras_gans.data.mixtures import Mixture
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.evaluation.metrics.modes import modes_covered
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage.workdir import Workdir
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import StepCallback

Tensor = Any


class SampleGrid(StepCallback):
    """Write image grids of fixed latents, drawn by the averaged generator.

    If no grid is due within EARLY seconds, the first grid is written after the next
    step.

    Args:
        sampler: Sampler of the model.
        workdir: Folder of the run, into which the grids are written.
        options: Options of the run; the callback uses `grid_every` and `steps`.
        recorder: Writer of the log, which also adds the grids to TensorBoard.
    """

    EARLY = 30.0

    def __init__(
        self,
        sampler: BaseSampler,
        workdir: Workdir,
        options: TrainOptions,
        recorder: Recorder,
    ):
        super().__init__()
        self._sampler, self._workdir = sampler, workdir
        self._options, self._recorder = options, recorder
        classes = sampler.info.get("num_classes", 0)
        self._columns = classes if 2 < classes <= 16 else 8
        self._drawn = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the timer of the first grid."""
        super().on_train_begin()
        self._began = time.monotonic()

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Write `samples/step_<step>.png`, if a grid is due."""
        due = step % self._options.grid_every == 0 or step == self._options.steps
        early = not self._drawn and time.monotonic() - self._began > self.EARLY
        if not due and not early:
            return
        self._drawn = True
        if not self._recorder.check():
            return
        sheet = self._sheet(step)
        # The sampler's info holds the step at which the sampler was created.
        about = sampler_lib.describe({**self._sampler.info, "step": step}, seed=0)
        encoded = sampler_lib.encode(sheet, about)
        os.makedirs(self._workdir.samples, exist_ok=True)
        path = os.path.join(self._workdir.samples, f"step_{step:08d}.png")
        sampler_lib.write(encoded, path)
        self._recorder.events.image("samples", encoded, sheet.shape, step)

    def _sheet(self, step: int) -> np.ndarray:
        pictures = self._sampler.sample(8 * self._columns, seed=0)
        return sampler_lib.sheet(pictures, self._columns)


class ScatterPlot(SampleGrid):
    """Plot generated points with the modes of their mixture, and count the modes.

    "modes_covered" and "high_quality" have a log line of their own.

    Args:
        mixture: Mixture that the model is trained on.
        *args: Arguments of `SampleGrid`.
    """

    NUM = 2500  # points

    def __init__(self, mixture: Mixture, *args: Any):
        super().__init__(*args)
        self._mixture = mixture

    def _sheet(self, step: int) -> np.ndarray:
        modes, stddev = self._mixture.modes, self._mixture.stddev
        latents = self._sampler.latents(range(self.NUM))
        points = self._sampler.generate(latents, None)
        found = modes_covered(points.reshape(-1, 2), modes, stddev)
        self._recorder.line(step, found)
        print("  ".join(f"{k} {v:.3g}" for k, v in found.items()), flush=True)
        centres = (modes + 1.0) * 127.5  # `to_uint8` without rounding
        circles = [(x, y, 3 * stddev * 127.5) for x, y in centres]
        return sampler_lib.scatter(sampler_lib.to_uint8(points), circles)


class TranslationGrid(SampleGrid):
    """Write image grids of the translations of fixed condition images.

    Side by side are the condition image, its translation, and the real image of the
    pair. Unpaired data have no such real image; a bidirectional model then shows the
    translation, translated back.

    Args:
        pictures: (images, conditions), float32 [num, ...] in [-1, 1]. `images` is None
            for unpaired data.
        *args: Arguments of `SampleGrid`.
    """

    NUM = 16  # condition images, four in a row

    def __init__(self, pictures: tuple[np.ndarray | None, np.ndarray], *args: Any):
        super().__init__(*args)
        self._real, self._condition = pictures

    def _sheet(self, step: int) -> np.ndarray:
        made = self._sampler.run({"condition": self._condition})
        columns = [self._condition, made]
        if self._real is not None:
            columns.append(self._real)
        elif self.model.bidirectional:
            again = self.model.translate(made, backward=True)
            columns.append(keras.ops.convert_to_numpy(again))
        shown = [images.beside(images.to_uint8(c), made.shape[1]) for c in columns]
        pictures = np.stack(shown, axis=1).reshape(-1, *shown[0].shape[1:])
        return sampler_lib.sheet(pictures, 4 * len(columns))

"""Measures a run on its way, and keeps the checkpoint that was best."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np

from keras_gans import data
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.errors import UserError
from keras_gans.evaluation import features
from keras_gans.evaluation.metrics.kid import kid
from keras_gans.evaluation.metrics.prdc import prdc
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import StepCallback

LEAST = 50  # real pictures; KID's subsets are of half of them


def check(source: Any) -> None:
    """Checks that a run on these data can be measured, before it begins.

    Args:
        source: See `data.open_source`.

    Raises:
        UserError: for points, too few pictures, or no feature network.
    """
    where, dataset = "[train] evaluate_every", source.options.dataset
    if source.mixture:
        raise UserError(
            f"{where}: '{dataset}' holds points, and every grid counts the modes; "
            "leave it away"
        )
    if source.info.condition_shape:
        raise UserError(
            f"{where}: of models that make pictures from noise; leave it away "
            "(python -m keras_gans.evaluate measures what this one makes of pictures)"
        )
    try:
        features.check_name(features.suited(dataset))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    num = (source.held_out or source).info.num_examples
    if 0 < num < LEAST:
        raise UserError(
            f"{where}: expected at least {LEAST} real pictures to compare with, got "
            f"{num}; raise data.held_out, or leave it away"
        )


class KIDMonitor(StepCallback):
    """Logs KID and coverage of the averaged generator every so many steps.

    NUM samples (seed 0, all classes in turn) against as many real pictures: those held
    out of training, or else some of it. "kid", "coverage" and "evaluation_seconds" get
    a line of their own in the log; the checkpoint with the lowest KID is kept as
    checkpoints/best.npz. Fewer pictures than `keras_gans.evaluate` takes: for
    comparisons within a run.

    Args:
        sampler: Draws from the model that is trained.
        workdir: The run's folder.
        options: `evaluate_every`, `steps`.
        source: What is trained on, see `data.open_source`.
        recorder: Where the values go.
    """

    NUM = 1000

    def __init__(
        self,
        sampler: BaseSampler,
        workdir: Workdir,
        options: TrainOptions,
        source: Any,
        recorder: Recorder,
    ):
        """Looks at the real pictures."""
        super().__init__()
        self._sampler, self._recorder = sampler, recorder
        self._workdir, self._options = workdir, options
        self._best = np.inf
        self._network = features.open_network(features.suited(source.options.dataset))
        self._real = self._network(self._pictures(source.held_out or source))[0]

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Looks up what was best before a resume."""
        super().on_train_begin()
        if os.path.isfile(self._workdir.metrics):
            with open(self._workdir.metrics, encoding="utf-8") as file:
                found = [json.loads(line).get("kid", np.inf) for line in file]
            self._best = min(found, default=np.inf)

    def on_step(self, step: int, logs: dict) -> None:
        """Measures, when it is due."""
        if step % self._options.evaluate_every and step != self._options.steps:
            return
        if not self._recorder.check():
            return
        start = time.monotonic()
        pictures = self._sampler.sample(len(self._real), seed=0)
        fake = self._network(pictures)[0]
        num = len(fake)
        found = {
            "kid": kid(self._real, fake, subsets=20, subset_size=num // 2)[0],
            "coverage": prdc(self._real, fake)["coverage"],
        }
        found["evaluation_seconds"] = round(time.monotonic() - start, 2)
        best = found["kid"] < self._best
        # Before the line: after a kill in between, the line would stand for no file.
        folder = self._workdir.checkpoints
        best = best and checkpoint.save(self.model, folder, "best") is not None
        if best:
            self._best = found["kid"]
        self._recorder.line(step, found)
        print(
            f"step {step}: KID {found['kid']:.4g}, coverage {found['coverage']:.3f} "
            f"({self._network.name}, {num} samples)" + ", the best so far" * best,
            flush=True,
        )

    def _pictures(self, source) -> np.ndarray:
        """Some of a source's pictures, each once: uint8 [up to NUM, ...]."""
        num = min(self.NUM, source.info.num_examples or self.NUM)
        return sampler_lib.to_uint8(data.first_examples(source, num)["images"])

"""Evaluation of a run during training, which keeps the best checkpoint."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from keras_gans import data
from keras_gans.data.pipeline import Batch
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler
from keras_gans.errors import UserError
from keras_gans.evaluation import features, labels
from keras_gans.evaluation.metrics.kid import kid
from keras_gans.evaluation.metrics.prdc import prdc
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.training.recorder import Recorder
from keras_gans.training.step_callback import StepCallback

LEAST = 50  # real images; a subset of KID holds half of the images


def check(source: Any) -> None:
    """Check, before training, that a run on these data can be evaluated.

    Args:
        source: Source of the training data, see `data.open_source`.

    Raises:
        UserError: For points or translations, if there are too few real images, or if
            there is no feature network.
    """
    where, dataset = "[train] evaluate_every", source.options.dataset
    if source.mixture:
        raise UserError(
            f"{where}: expected a data set of images, got the points of '{dataset}', "
            "whose modes every grid counts. Leave it out"
        )
    if source.info.condition_shape:
        raise UserError(
            f"{where}: expected a model that generates images from noise, got one that "
            "translates images. Leave it out, and use python -m keras_gans.evaluate "
            "after training"
        )
    try:
        features.check_name(features.suited(dataset))
    except UserError as error:
        words = str(error).removeprefix("--features=")
        raise UserError(f"{where}: {words}") from None
    num = (source.held_out or source).info.num_examples
    if 0 < num < LEAST:
        raise UserError(
            f"{where}: expected at least {LEAST} real images to compare with, got "
            f"{num}. Raise data.held_out, or leave evaluate_every out"
        )


class KIDMonitor(StepCallback):
    """Log KID and coverage of the averaged generator at regular steps.

    Up to NUM samples (seed 0) are compared with as many real images: held-out images,
    or training images if none are held out. The labels of the samples are as frequent
    as those of the real images. "kid", "coverage"
    and "evaluation_seconds" have a log line of their own. The checkpoint with the
    lowest KID is kept as checkpoints/best.npz. Compare the values within a run only:
    `keras_gans.evaluate` uses more samples.

    Args:
        sampler: Sampler of the model in training.
        workdir: Folder of the run.
        options: Options of the run; the callback uses `evaluate_every` and `steps`.
        source: Source of the training data, see `data.open_source`.
        recorder: Writer of the log.
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
        super().__init__()
        self._sampler, self._recorder = sampler, recorder
        self._workdir, self._options = workdir, options
        self._best = np.inf
        self._network = features.open_network(features.suited(source.options.dataset))
        real = self._examples(source.held_out or source)
        self._real = self._network(sampler_lib.to_uint8(real["images"]))[0]
        self._labels = None
        classes = sampler.info["num_classes"]
        if classes and not sampler.info["num_codes"]:
            known = real["labels"][real["labels"] >= 0]  # TFDS: -1 is no label
            if len(known):
                counts = np.bincount(known, minlength=classes)
                self._labels = labels.proportional(counts, len(self._real))

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Read the best KID of a resumed run from its log."""
        super().on_train_begin()
        found = [row["kid"] for row in self._recorder.log.rows if "kid" in row]
        self._best = min(found, default=np.inf)

    def on_step(self, step: int, logs: dict) -> None:
        """Evaluate the generator, if an evaluation is due."""
        if step % self._options.evaluate_every and step != self._options.steps:
            return
        if not self._recorder.check():
            return
        start = time.monotonic()
        pictures = self._sampler.sample(len(self._real), labels=self._labels, seed=0)
        fake = self._network(pictures)[0]
        num = len(fake)
        found = {
            "kid": kid(self._real, fake, subsets=20, subset_size=num // 2)[0],
            "coverage": prdc(self._real, fake)["coverage"],
        }
        found["evaluation_seconds"] = round(time.monotonic() - start, 2)
        best = found["kid"] < self._best
        # The checkpoint comes first: no log line may hold a best KID without its file.
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

    def _examples(self, source) -> Batch:
        """Return up to NUM examples of a source, each once."""
        num = min(self.NUM, source.info.num_examples or self.NUM)
        return data.first_examples(source, num)

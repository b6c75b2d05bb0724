"""What a GAN asks its discriminator, and what it notes of the answers."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import penalties
from keras_gans.core.augment import Augmentation
from keras_gans.core.hparams import Hparams
from keras_gans.networks import interface

Tensor = Any
INSTRUMENTS = ("real_score", "fake_score", "fakes_passing")


class Judge:
    """The discriminator's side of `BaseGAN`."""

    undecided: float | None = 0.0  # this logit; None: each counts beside the other
    hparams: Hparams
    discriminator: keras.Model
    augment: Augmentation
    step: keras.Variable
    instruments: keras.Variable

    def regularizers(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """The discriminator's terms that any variant may have: R1."""
        if not self.hparams.r1_weight:
            return {}
        score = partial(self.score, labels=labels)
        return {"r1": penalties.r1(score, real, self.step, self.hparams)}

    def examine(self, images: Tensor, labels: Tensor | None) -> Tensor | dict:
        """Asks the discriminator: the only door to it, for real and fake alike.

        Args:
            images: float [batch, height, width, channels] in [-1, 1].
            labels: int32 [batch]; read if the discriminator is conditional.

        Returns:
            What it says of the images, as `hparams.augment` shows them to it: raw
            logits, float [batch, ...], or {"logits": ..., and those of other heads}.
        """
        return interface.run(self.discriminator, "images", self.augment(images), labels)

    def score(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The raw logits of `examine`, float [batch, ...]."""
        outputs = self.examine(images, labels)
        return outputs["logits"] if isinstance(outputs, dict) else outputs

    def watch(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Notes raw logits, float [batch, ...], for the log; call it in `d_losses`."""
        real = self.relative(real_logits, fake_logits)
        fake = self.relative(fake_logits, real_logits)
        self.augment.steer(real)
        shown = ops.sigmoid(real), ops.sigmoid(fake), ops.cast(fake > 0, "float32")
        index, parts = engine.part()
        means = ops.stack([ops.mean(v) for v in shown]) / parts
        self.instruments.assign(means + (self.instruments.value if index else 0.0))

    def relative(self, logits: Tensor, others: Tensor) -> Tensor:
        """Logits beside the others, above 0 for real: float [batch, ...]."""
        return logits - (others if self.undecided is None else self.undecided)

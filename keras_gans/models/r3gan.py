"""R3GAN: a relativistic loss with R1 and R2 trains modern networks without tricks.

Paper: Huang, Gokaslan, Kuleshov and Tompkin, "The GAN is dead; long live the GAN! A
Modern Baseline GAN", 2024, arXiv 2501.05441: for pairs of a real and a generated
picture, min_D E softplus(D(G(z)) - D(x)) + gamma / 2 (|grad D(x)|^2 + |grad D(G(z))|^2)
and min_G E softplus(D(x) - D(G(z))); `keras_gans.networks.r3gan`; the learning rate,
Adam's beta_2, gamma, the average's half-life and the augmentation's probability follow
half a cosine over the burn-in, and stay.

Differences from the paper:
- The two players of one step see the same real pictures.
- The recipes have widths for 28 to 64 pixels and one machine; gamma is by a rule that
  was fitted to the paper's settings (`R3GANHparams.r1_weight`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from keras import ops

from keras_gans import engine
from keras_gans.core import hparams, losses, penalties
from keras_gans.core.trainer import Batch
from keras_gans.models.rsgan import RSGAN

Tensor = Any


@dataclasses.dataclass(frozen=True)
class R3GANHparams(hparams.Hparams):
    """Options of R3GAN.

    Attributes:
        ema_decay: Of the averaged generator, at the end of the burn-in; its half-life
            grows from 0.
        r1_weight: gamma at the start, of R1 and of R2; 0 for the rule
            2 (side / 64)^3 (256 / pictures in a batch), which the paper's settings for
            faces at 64 and 256 pixels follow. In the paper, r1_every is 1.
        r1_final: What gamma falls to, as a share of the start.
        augment_probability: What the probability of "ada" rises to, whatever
            `ada_target` says; 0 lets it adapt.
        burn_in: Steps over which all of these change; 0, in a recipe, for the whole
            run (without a recipe it has to be said).
        conditional: Whether the networks take the data's classes, if it has any.
    """

    r1_final: float = 0.1
    augment_probability: float = 0.0
    burn_in: int = 0
    conditional: bool = True

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        p = self.augment_probability
        self.check("r1_final", "at least 0", self.r1_final >= 0)
        self.check("augment_probability", "0 to 1", 0 <= p <= 1)
        needs = p == 0 or self.augment == "ada"
        self.check("augment_probability", '0 without augment = "ada"', needs)
        self.check("burn_in", "at least 0", self.burn_in >= 0)


class R3GAN(RSGAN):
    """Real against fake, pair by pair, with both zero-centred penalties."""

    Hparams = R3GANHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises softplus(D(G(z)) - D(x)), R1 and R2."""
        self.schedule_augmentation()
        real, fake = batch["images"], self.fakes(batch)
        lazily = self.step, self.hparams.r1_every
        (real_logits, r1), (fake_logits, r2) = (
            penalties.scored(lambda x: self.score(x, batch), x, *lazily)
            for x in (real, fake)
        )
        self.log_scores(real_logits, fake_logits)
        self.schedule_augmentation()  # again: `log_scores` steers it
        half = self.gamma(real) / 2
        pairs = losses.relativistic_discriminator(real_logits, fake_logits)
        return {"pairs": pairs, "r1": half * r1, "r2": half * r2}

    def schedule_augmentation(self) -> None:
        """Sets ADA's probability, if it does not adapt."""
        if self.hparams.augment_probability:
            p = self.hparams.augment_probability * (1.0 - self.falling())
            self.augment.probability.assign(p)

    def regularizers(self, batch: Batch) -> dict[str, Tensor]:
        """None but those of `d_losses`."""
        return {}

    def falling(self) -> Tensor:
        """From 1 at the first step to 0 at the end of the burn-in, as a cosine."""
        steps = self.hparams.burn_in
        self.hparams.check("burn_in", "the number of steps it takes", steps >= 1)
        share = ops.cast(self.step.value, "float32") / steps
        return (1.0 + ops.cos(math.pi * ops.minimum(share, 1.0))) / 2

    def gamma(self, real: Tensor) -> Tensor:
        """Weight of both penalties in this step: float scalar."""
        pictures = ops.cast(engine.whole(ops.shape(real)[0]), "float32")
        rule = 2.0 * (real.shape[1] / 64) ** 3 * 256 / pictures
        final = self.hparams.r1_final
        return (self.hparams.r1_weight or rule) * (
            final + (1.0 - final) * self.falling()
        )

    def current_ema_decay(self) -> Tensor:
        """From a half-life of 0 to that of `hparams.ema_decay`."""
        share = ops.maximum(1.0 - self.falling(), 1e-6)  # of the last half-life
        return ops.power(self.hparams.ema_decay, 1.0 / share)

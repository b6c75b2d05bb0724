"""R3GAN: a relativistic loss with R1 and R2 penalties replaces other training tricks.

Paper: Huang, Gokaslan, Kuleshov and Tompkin, "The GAN is dead; long live the GAN! A
Modern Baseline GAN", 2024, arXiv 2501.05441. For pairs of a real image x and a
generated image G(z):

    min_D E softplus(D(G(z)) - D(x)) + gamma / 2 (|grad D(x)|^2 + |grad D(G(z))|^2)
    min_G E softplus(D(x) - D(G(z)))

Several numbers follow half a cosine over the burn-in and then stay constant: learning
rate, Adam's beta_2, gamma, the moving average's half-life and the probability of
augmentation. The networks are in `keras_gans.networks.r3gan`.

Differences from the paper:
- Both players see the same real images in a step.
- The recipe `r3gan` has widths for images of 28 to 64 pixels and one machine; `r3gan_m`
  and `r3gan_l` have the paper's.
- gamma follows a rule that was fitted to the paper's settings
  (`R3GANHparams.r1_weight`).
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
        ema_decay: Decay per step of the averaged generator at the end of the burn-in.
            Until then, the average's half-life grows from 0.
        r1_weight: Weight gamma of R1 and of R2 in the first step. 0 selects
            2 (side / 64)^3 (256 / batch size), which fits the paper's settings for
            faces at 64 and 256 pixels. In the paper, `r1_every` is 1.
        r1_final: Final gamma, as a share of the initial gamma.
        augment_probability: Final probability of "ada", which rises from 0 and ignores
            `ada_target`; 0 lets the probability adapt.
        burn_in: Number of steps over which these values change. 0 selects the whole
            run; only a recipe can have 0.
        conditional: Whether to give the networks the classes of the data set, if any.
    """

    r1_final: float = 0.1
    augment_probability: float = 0.0
    burn_in: int = 0
    conditional: bool = True

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        p = self.augment_probability
        self.check("r1_final", "at least 0", self.r1_final >= 0)
        self.check("augment_probability", "0 to 1", 0 <= p <= 1)
        needs = p == 0 or self.augment == "ada"
        self.check("augment_probability", '0 unless augment = "ada"', needs)
        self.check("burn_in", "at least 0", self.burn_in >= 0)


class R3GAN(RSGAN):
    """Relativistic GAN on pairs, with R1 and R2; see the module."""

    Hparams = R3GANHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms softplus(D(G(z)) - D(x)), R1 and R2."""
        self.schedule_augmentation()
        real, fake = batch["images"], self.fakes(batch)
        lazily = self.step, self.hparams.r1_every
        (real_logits, r1), (fake_logits, r2) = (
            penalties.scored(lambda x: self.score(x, batch), x, *lazily)
            for x in (real, fake)
        )
        self.log_scores(real_logits, fake_logits)
        self.schedule_augmentation()  # `log_scores` has changed it
        half = self.gamma(real) / 2
        pairs = losses.relativistic_discriminator(real_logits, fake_logits)
        return {"pairs": pairs, "r1": half * r1, "r2": half * r2}

    def schedule_augmentation(self) -> None:
        """Set the probability of "ada" for this step, unless it adapts."""
        if self.hparams.augment_probability:
            p = self.hparams.augment_probability * (1.0 - self.falling())
            self.augment.probability.assign(p)

    def regularizers(self, batch: Batch) -> dict[str, Tensor]:
        """Return no terms: `d_losses` contains R1 and R2."""
        return {}

    def falling(self) -> Tensor:
        """Return the cosine from 1 at the first step to 0 at the end of the burn-in."""
        steps = self.hparams.burn_in
        self.hparams.check("burn_in", "at least 1 step outside a recipe", steps >= 1)
        share = ops.cast(self.step.value, "float32") / steps
        return (1.0 + ops.cos(math.pi * ops.minimum(share, 1.0))) / 2

    def gamma(self, real: Tensor) -> Tensor:
        """Return the weight of R1 and R2 in this step, a float scalar."""
        pictures = ops.cast(engine.whole(ops.shape(real)[0]), "float32")
        rule = 2.0 * (real.shape[1] / 64) ** 3 * 256 / pictures
        final = self.hparams.r1_final
        return (self.hparams.r1_weight or rule) * (
            final + (1.0 - final) * self.falling()
        )

    def current_ema_decay(self) -> Tensor:
        """Return the decay of this step.

        Its half-life grows from 0 to that of `hparams.ema_decay`.
        """
        share = ops.maximum(1.0 - self.falling(), 1e-6)  # of the final half-life
        return ops.power(self.hparams.ema_decay, 1.0 / share)

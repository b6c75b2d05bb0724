"""ESRGAN: super-resolution with dense residual blocks and a relativistic loss.

Paper: Wang, Yu, Wu, Gu, Liu, Dong, Qiao and Loy, "ESRGAN: Enhanced Super-Resolution
Generative Adversarial Networks", 2018, arXiv 1809.00219.

Training has two phases. In the first, the generator minimizes only the L1 distance to
the real image, and the discriminator does not train. In the second, the relativistic
average losses (equations 1 to 3) are added. The networks are in
`keras_gans.networks.rrdb`.

Differences from the paper:
- There is no perceptual loss on features of a VGG network. L1 has weight 1 in both
  phases, and the adversarial loss has the paper's weight 5e-3.
- Both phases are one run.
- The discriminator is a PatchGAN; the paper's sees the whole image.
- The generator's output is added to the enlarged condition image.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from keras import ops

from keras_gans import engine
from keras_gans.core import losses, translation
from keras_gans.core.trainer import Batch, Player

Tensor = Any


@dataclasses.dataclass(frozen=True)
class ESRGANHparams(translation.TranslationHparams):
    """Options of ESRGAN.

    Attributes:
        pretraining: Number of steps of the first phase, in which the generator learns
            from L1 alone. The log then has the values of an undecided discriminator.
        l1_weight: Weight eta of the L1 distance to the real image.
        adversarial_weight: Weight lambda of the adversarial loss in the second phase.
    """

    pretraining: int = 0
    l1_weight: float = 1.0
    adversarial_weight: float = 5e-3

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        for name in ("pretraining", "l1_weight", "adversarial_weight"):
            self.check(name, "at least 0", getattr(self, name) >= 0)


class ESRGAN(translation.TranslationGAN):
    """L1 alone, then L1 with relativistic average losses; see the module."""

    Hparams = ESRGANHparams
    neutral_logit = None
    late_values = "d_", "real_score", "fake_score", "fakes_passing"

    @property
    def late_start(self) -> int:
        """First step of the second phase."""
        return self.hparams.pretraining

    @classmethod
    def updates(cls, player: Player, options: ESRGANHparams, steps: int) -> int:
        """Return the number of updates in a run; d has none in the first phase."""
        early = options.pretraining if player.name == "d" else 0
        return max(1, super().updates(player, options, steps - early))

    def update(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Take one step of a player's optimizer; of d only in the second phase.

        Args:
            player: One of `players`.
            batch: Batch of the update.

        Returns:
            {term: mean} and "gradient_norm".
        """
        if player.name == "g" or engine.is_late(self.step, self.late_start):
            return super().update(player, batch)
        self.scores.assign(0.5 * ops.ones_like(self.scores.value))
        undecided = ops.convert_to_tensor(math.log(2.0), "float32")
        return {
            "real": undecided,
            "fake": undecided,
            "gradient_norm": ops.zeros((), "float32"),
        }

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -log D(real, fake) and -log(1 - D(fake, real))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.relativistic_average(real_logits, fake_logits),
            "fake": losses.relativistic_average_below(fake_logits, real_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -log D(fake, real), -log(1 - D(real, fake)) and L1."""
        real, fake = batch["images"], self.fakes(batch)
        l1 = self.hparams.l1_weight * ops.abs(real - fake)
        if not engine.is_late(self.step, self.late_start):
            nothing = ops.zeros((), "float32")
            return {"above": nothing, "below": nothing, "l1": l1}
        real_logits, fake_logits = (self.score(x, batch) for x in (real, fake))
        above = losses.relativistic_average(fake_logits, real_logits)
        below = losses.relativistic_average_below(real_logits, fake_logits)
        weight = self.hparams.adversarial_weight
        return {"above": weight * above, "below": weight * below, "l1": l1}

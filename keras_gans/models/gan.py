"""GAN: a generator learns to make what a discriminator cannot tell from the data.

Paper: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv 1406.2661:
min_G max_D V(D, G) = E log D(x) + E log(1 - D(G(z))), one step for D and one for G in
turn (its training algorithm with k = 1).

Differences from the paper:
- The discriminator's units are leaky ReLU in the place of maxout; Adam takes the place
  of SGD with momentum.
- Images are in [-1, 1] (tanh), not in [0, 1].
- Samples come from an average of the generator over the steps.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from keras_gans.core import gan, hparams, losses
from keras_gans.core.trainer import Batch

Tensor = Any


@dataclasses.dataclass(frozen=True)
class GANHparams(hparams.Hparams):
    """Options of the original GAN.

    Attributes:
        generator_loss: "non_saturating", -log D(G(z)), which the paper uses in
            practice; or "minimax", log(1 - D(G(z))), the game as it is stated.
    """

    generator_loss: Literal["non_saturating", "minimax"] = "non_saturating"


class GAN(gan.BaseGAN):
    """The original GAN; see the module."""

    Hparams = GANHparams

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -V: -log D(x) and -log(1 - D(G(z)))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.log_loss_real(real_logits),
            "fake": losses.log_loss_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises log(1 - D(G(z))), or -log D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": self.generator_loss(fake_logits)}

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """The loss that `hparams.generator_loss` names; logits to the like."""
        if self.hparams.generator_loss == "minimax":
            return losses.minimax_generator(fake_logits)
        return losses.non_saturating_generator(fake_logits)

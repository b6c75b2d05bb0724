"""GAN: a generator learns to make images that a discriminator classifies as real.

Paper: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv 1406.2661:

    min_G max_D V(D, G) = E log D(x) + E log(1 - D(G(z)))

The training algorithm alternates one step for D and one for G (k = 1).

Differences from the paper:
- The discriminator has leaky ReLU in place of maxout.
- The optimizer is Adam in place of SGD with momentum.
- Images are in [-1, 1] (tanh), not in [0, 1].
- Samples come from a moving average of the generator's weights.
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
        generator_loss: Loss of the generator: "non_saturating", -log D(G(z)), which the
            paper uses in practice; or "minimax", log(1 - D(G(z))), the value function.
    """

    generator_loss: Literal["non_saturating", "minimax"] = "non_saturating"


class GAN(gan.BaseGAN):
    """Original GAN; see the module."""

    Hparams = GANHparams

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of -V: -log D(x) and -log(1 - D(G(z)))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.log_loss_real(real_logits),
            "fake": losses.log_loss_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term -log D(G(z)) or, for "minimax", log(1 - D(G(z)))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": self.generator_loss(fake_logits)}

    def generator_loss(self, fake_logits: Tensor) -> Tensor:
        """Return the loss that `hparams.generator_loss` names, of the logits' shape."""
        if self.hparams.generator_loss == "minimax":
            return losses.minimax_generator(fake_logits)
        return losses.non_saturating_generator(fake_logits)

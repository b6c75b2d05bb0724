"""LSGAN: least squares also pull at fakes that fool the discriminator but lie far off.

Paper: Mao et al., "Least Squares Generative Adversarial Networks", 2017,
arXiv 1611.04076: min_D 1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2,
min_G 1/2 E (D(G(z)) - c)^2, with the 0-1 coding a = 0, b = c = 1.

Differences from the paper:
- The networks are smaller ones of the DCGAN family, for 28 to 64 pixels; the
  discriminator has dropout in the place of batch normalisation.
- Samples come from an average of the generator over the steps.
"""

from __future__ import annotations

from typing import Any

from keras_gans.core import gan, losses
from keras_gans.core.trainer import Batch

Tensor = Any


class LSGAN(gan.BaseGAN):
    """Least squares in the place of the logarithm; see the module."""

    neutral_logit = 0.5

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Pulls D(x) to 1 and D(G(z)) to 0."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.least_squares_real(real_logits),
            "fake": losses.least_squares_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Pulls D(G(z)) to 1."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.least_squares_generator(fake_logits)}

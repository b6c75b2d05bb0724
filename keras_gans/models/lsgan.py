"""LSGAN: least squares still give a gradient for fakes that fool the discriminator.

Paper: Mao et al., "Least Squares Generative Adversarial Networks", 2017,
arXiv 1611.04076. With the 0-1 coding a = 0, b = c = 1:

    min_D 1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2
    min_G 1/2 E (D(G(z)) - c)^2

Differences from the paper:
- The networks are smaller, of the DCGAN family, for 28 to 64 pixels.
- The discriminator has dropout in place of batch normalization.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from typing import Any

from keras_gans.core import gan, losses
from keras_gans.core.trainer import Batch

Tensor = Any


class LSGAN(gan.BaseGAN):
    """GAN with least-squares losses in place of log losses; see the module."""

    neutral_logit = 0.5

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms (D(x) - 1)^2 / 2 and D(G(z))^2 / 2."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.least_squares_real(real_logits),
            "fake": losses.least_squares_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term (D(G(z)) - 1)^2 / 2."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.least_squares_generator(fake_logits)}

"""RSGAN: the discriminator predicts which image of a pair is the real one.

Paper: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from
standard GAN", 2018, arXiv 1807.00734. For pairs of a real example x and a generated
example G(z), with the sigmoid s:

    min_D -E log s(D(x) - D(G(z)))
    min_G -E log s(D(G(z)) - D(x))

Differences from the paper:
- The recipe is for points in the plane and adds the R1 penalty.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from typing import Any

from keras_gans.core import gan, losses
from keras_gans.core.trainer import Batch

Tensor = Any


class RSGAN(gan.BaseGAN):
    """Relativistic GAN on pairs of real and fake images; see the module."""

    neutral_logit = None  # only differences of logits have a meaning

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term -log s(D(x) - D(G(z)))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {"pairs": losses.relativistic_discriminator(real_logits, fake_logits)}

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term -log s(D(G(z)) - D(x))."""
        fake_logits = self.score(self.fakes(batch), batch)
        real_logits = self.score(batch["images"], batch)
        return {"pairs": losses.relativistic_generator(real_logits, fake_logits)}

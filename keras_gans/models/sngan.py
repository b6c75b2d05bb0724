"""SNGAN: each layer of the discriminator is divided by its spectral norm.

Paper: Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
2018, arXiv 1802.05957: the hinge loss, one step of the power iteration for each update
of the discriminator, residual networks (`keras_gans.networks.resnet`). Sets with
classes: conditional batch normalisation and a projection discriminator, Miyato and
Koyama, 2018, arXiv 1802.05637.

Differences from the paper:
- A fake keeps the class of the real example beside it.
- The generator's batches are as large as the discriminator's; the recipe updates both
  equally often, not 1 to 5, at a rate that falls to 0 by a cosine.
- Samples come from an average of the generator over the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_gans.core import gan, losses
from keras_gans.core.hparams import Hparams
from keras_gans.core.trainer import Batch

Tensor = Any


class SNGAN(gan.BaseGAN):
    """The hinge loss; the normalisation is the networks' (see the module)."""

    @classmethod
    def label_names(cls, options: Hparams, names: Sequence[str]) -> Sequence[str]:
        """The data's classes, if it has any."""
        return names

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises max(0, 1 - D(x)) and max(0, 1 + D(G(z)))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.hinge_real(real_logits),
            "fake": losses.hinge_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

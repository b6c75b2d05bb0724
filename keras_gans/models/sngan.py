"""SNGAN: the kernel of each discriminator layer is divided by its spectral norm.

Paper: Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
2018, arXiv 1802.05957.

The losses are hinge losses. Spectral norms come from power iteration, with one
iteration for each update of the discriminator. The networks are residual
(`keras_gans.networks.resnet`). If the data set has classes, the generator has
conditional batch normalization and the discriminator is a projection discriminator
(Miyato and Koyama 2018, arXiv 1802.05637).

Differences from the paper:
- A generated image takes the label of the real image at the same place in the batch.
- The generator's batches are as large as the discriminator's.
- The recipe updates both players equally often. The paper has 5 updates of the
  discriminator for each one of the generator.
- The recipe's learning rate decays to 0 along a cosine.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_gans.core import gan, losses
from keras_gans.core.hparams import Hparams
from keras_gans.core.trainer import Batch

Tensor = Any


class SNGAN(gan.BaseGAN):
    """GAN with hinge losses; see the module.

    Spectral normalization is part of the networks.
    """

    @classmethod
    def label_names(cls, options: Hparams, names: Sequence[str]) -> Sequence[str]:
        """Return the names of the data set's classes, if there are any."""
        return names

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms max(0, 1 - D(x)) and max(0, 1 + D(G(z)))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.hinge_real(real_logits),
            "fake": losses.hinge_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term -D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

"""WGAN: a critic with clipped weights estimates the Wasserstein distance to the data.

Paper: Arjovsky, Chintala and Bottou, "Wasserstein Generative Adversarial Networks",
2017, arXiv 1701.07875.

The training algorithm repeats two phases. First, the critic D takes n_critic updates
that ascend E D(x) - E D(G(z)). After each of these updates, the critic's weights are
clipped to [-c, c]. Then the generator takes one update that ascends E D(G(z)).

Differences from the paper:
- The networks are smaller.
- The recipe's learning rate is four times the paper's.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras import ops

from keras_gans.core import gan, hparams, losses
from keras_gans.core.trainer import Batch, Player

Tensor = Any


@dataclasses.dataclass(frozen=True)
class WGANHparams(hparams.Hparams):
    """Options of WGAN.

    Attributes:
        d_steps: Number n_critic of updates of the critic in a step.
        clip: Bound c of the critic's weights, which are clipped to [-c, c]; 0 turns
            clipping off.
    """

    d_steps: int = 5
    clip: float = 0.01

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("clip", "at least 0", self.clip >= 0)


class WGAN(gan.BaseGAN):
    """GAN with Wasserstein losses and weight clipping; see the module."""

    Hparams = WGANHparams
    neutral_logit = None  # only differences of scores have a meaning

    def update(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Update a player; after an update of the critic, clip the critic's weights."""
        logs = super().update(player, batch)
        if self.hparams.clip and player.name == "d":
            for w in self.discriminator.trainable_variables:
                w.assign(ops.clip(w.value, -self.hparams.clip, self.hparams.clip))
        return logs

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -D(x) and D(G(z))."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.wasserstein_real(real_logits),
            "fake": losses.wasserstein_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the term -D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

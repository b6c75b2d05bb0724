"""WGAN: a critic with clipped weights measures how far the generator has to move.

Paper: Arjovsky, Chintala and Bottou, "Wasserstein Generative Adversarial Networks",
2017, arXiv 1701.07875, the training algorithm: n_critic updates of the critic, which
ascend E D(x) - E D(G(z)), each followed by clipping its weights to [-c, c]; then one
update of the generator, which ascends E D(G(z)).

Differences from the paper:
- The networks are smaller; the recipe's rate is four times the paper's.
- Samples come from an average of the generator over the steps.
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
    """Options of WGAN; `d_steps` is the paper's n_critic.

    Attributes:
        clip: c; no weight of the critic is larger. 0 clips none.
    """

    d_steps: int = 5
    clip: float = 0.01

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("clip", "at least 0", self.clip >= 0)


class WGAN(gan.BaseGAN):
    """The game of the earth mover; see the module."""

    Hparams = WGANHparams
    neutral_logit = None  # a critic's zero means nothing

    def update(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Take one step of a player, and clip the critic's weights."""
        logs = super().update(player, batch)
        if self.hparams.clip and player.name == "d":
            for w in self.discriminator.trainable_variables:
                w.assign(ops.clip(w.value, -self.hparams.clip, self.hparams.clip))
        return logs

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Descends E D(G(z)) - E D(x)."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.wasserstein_real(real_logits),
            "fake": losses.wasserstein_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Descends -E D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

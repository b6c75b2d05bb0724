"""WGANGP: a penalty on the critic's gradient takes the place of clipped weights.

Paper: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
arXiv 1704.00028, its training algorithm: WGAN's losses and
lambda E (|grad D(x + u (G(z) - x))|_2 - 1)^2, one u from U(0, 1) for each example.

Differences from the paper:
- The networks are smaller ones of the DCGAN family, for 28 to 64 pixels.
- The recipe has 2 updates of the critic for each of the generator's, not 5, at a rate
  that falls to 0 (cosine).
- The penalty is taken on fakes of a draw of its own.
- Samples come from an average of the generator over the steps.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import penalties
from keras_gans.core.trainer import Batch
from keras_gans.models import wgan

Tensor = Any


@dataclasses.dataclass(frozen=True)
class WGANGPHparams(wgan.WGANHparams):
    """Options of WGAN-GP.

    Attributes:
        gp_weight: lambda, of the gradient penalty.
    """

    clip: float = 0.0
    gp_weight: float = 10.0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("gp_weight", "at least 0", self.gp_weight >= 0)


class WGANGP(wgan.WGAN):
    """WGAN with a gradient penalty; see the module."""

    Hparams = WGANGPHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """WGAN's terms, and the penalty."""
        terms = super().d_losses(batch)
        real = batch["images"]
        weights = engine.replica_slice(self.draw_weights, ops.shape(real)[0])
        at = penalties.between(real, self.fakes(batch), weights)
        penalty = penalties.two_sided(lambda x: self.score(x, batch), at)
        return {**terms, "penalty": self.hparams.gp_weight * penalty}

    def draw_weights(self, num: int) -> Tensor:
        """Draws u, one for each example: float [num], from U(0, 1)."""
        return keras.random.uniform((num,), seed=self.seeds)

"""WGANGP: a gradient penalty on the critic replaces the weight clipping of WGAN.

Paper: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
arXiv 1704.00028.

The training algorithm is WGAN's, without clipping. The critic's loss adds a penalty at
random points between real and generated images, with one u from U(0, 1) for each
example:

    lambda E (|grad D(x + u (G(z) - x))|_2 - 1)^2

Differences from the paper:
- The networks of the recipe `wgan_gp` are smaller, of the DCGAN family, for 28 to 64
  pixels; those of `wgan_gp_ring` are MLPs.
- The recipe has 2 updates of the critic for each one of the generator; the paper has 5.
- The recipe's learning rate decays to 0 along a cosine.
- The penalty uses fakes of its own, not those of the critic's other terms.
- Samples come from a moving average of the generator's weights.
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
        clip: Bound of the critic's weights; 0 turns clipping off.
        gp_weight: Weight lambda of the gradient penalty.
    """

    clip: float = 0.0
    gp_weight: float = 10.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("gp_weight", "at least 0", self.gp_weight >= 0)


class WGANGP(wgan.WGAN):
    """WGAN with a gradient penalty; see the module."""

    Hparams = WGANGPHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of WGAN, and the gradient penalty as one more term."""
        terms = super().d_losses(batch)
        real = batch["images"]
        weights = engine.replica_slice(self.draw_weights, ops.shape(real)[0])
        at = penalties.between(real, self.fakes(batch), weights)
        penalty = penalties.two_sided(lambda x: self.score(x, batch), at)
        return {**terms, "penalty": self.hparams.gp_weight * penalty}

    def draw_weights(self, num: int) -> Tensor:
        """Draw u from U(0, 1), one for each example: float [num]."""
        return keras.random.uniform((num,), seed=self.seeds)

"""DRAGAN: a penalty pulls the discriminator's gradient norm to 1 around real images.

Paper: Kodali et al., "On Convergence and Stability of GANs", 2017, arXiv 1705.07215.

The losses are those of the original GAN. The discriminator adds a gradient penalty at
noisy real images, with k = 1, for the gradient of the logit:

    lambda E (|grad D(x + delta)|_2 - k)^2,  delta ~ N(0, c I)

Differences from the paper:
- The noise is set by its standard deviation sqrt(c), for images in [-1, 1].
- The generator's loss is the non-saturating one. With
  `hparams.generator_loss = "minimax"` it is the paper's.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from keras_gans import engine
from keras_gans.core import penalties
from keras_gans.core.trainer import Batch
from keras_gans.models import gan

Tensor = Any


@dataclasses.dataclass(frozen=True)
class DRAGANHparams(gan.GANHparams):
    """Options of DRAGAN.

    Attributes:
        gp_weight: Weight lambda of the gradient penalty.
        noise_stddev: Standard deviation sqrt(c) of the noise on real images.
    """

    gp_weight: float = 10.0
    noise_stddev: float = 0.2

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("gp_weight", "at least 0", self.gp_weight >= 0)
        self.check("noise_stddev", "at least 0", self.noise_stddev >= 0)


class DRAGAN(gan.GAN):
    """Original GAN with a gradient penalty around real images; see the module."""

    Hparams = DRAGANHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the original GAN and the gradient penalty."""
        terms = super().d_losses(batch)
        real = batch["images"]
        draw = engine.drawing(self.seeds)
        noise = draw(real, *real.shape[1:], law=keras.random.normal)
        at = real + self.hparams.noise_stddev * noise
        penalty = penalties.two_sided(lambda x: self.score(x, batch), at)
        return {**terms, "penalty": self.hparams.gp_weight * penalty}

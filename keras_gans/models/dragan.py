"""DRAGAN: the discriminator's gradient is held to 1 around the real data alone.

Paper: Kodali et al., "On Convergence and Stability of GANs", 2017, arXiv 1705.07215:
the original game, and lambda E (|grad D(x + delta)|_2 - k)^2 with k = 1 and
delta ~ N(0, c I). The gradient is that of the logit.

Differences from the paper:
- The noise is given as its standard deviation for images in [-1, 1].
- The generator's loss is the non-saturating one unless the recipe says "minimax".
- Samples come from an average of the generator over the steps.
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
        gp_weight: lambda, of the gradient penalty.
        noise_stddev: sqrt(c), how far around the real images it is taken.
    """

    gp_weight: float = 10.0
    noise_stddev: float = 0.2

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("gp_weight", "at least 0", self.gp_weight >= 0)
        self.check("noise_stddev", "at least 0", self.noise_stddev >= 0)


class DRAGAN(gan.GAN):
    """The original GAN with a gradient penalty around the data; see the module."""

    Hparams = DRAGANHparams
    has_gradient_penalty = True

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """The original terms, and the penalty."""
        terms = super().d_losses(batch)
        real = batch["images"]
        draw = engine.drawing(self.seeds)
        noise = draw(real, *real.shape[1:], law=keras.random.normal)
        at = real + self.hparams.noise_stddev * noise
        penalty = penalties.two_sided(lambda x: self.score(x, batch), at)
        return {**terms, "penalty": self.hparams.gp_weight * penalty}

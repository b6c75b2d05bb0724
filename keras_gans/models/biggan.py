"""BigGAN: wide networks in which each block receives the class and part of the latent.

Paper: Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural
Image Synthesis", 2019, arXiv 1809.11096.

The losses are SAGAN's hinge losses. The latent is split: each block of the generator
gets one part of it (skip latents) and a class embedding that all blocks share. Both set
scale and shift of conditional batch normalization (`keras_gans.networks.biggan`). The
truncation trick is the flag `--threshold` of the sample command. The generator's loss
adds orthogonal regularization of each kernel W, where W' is its transpose, I the
identity matrix and * the product of elements:

    beta |W' W * (1 - I)|_F^2

Differences from the paper:
- Networks and batches are small: 28 to 128 pixels on one GPU or a few CPU cores.
- A generated image takes the label of the real image at the same place in the batch.
- The recipe updates both players equally often. The discriminator's learning rate is
  four times the generator's, and both decay to 0 along a cosine.
- The recipe's moving average of the generator is shorter.
- Attention, shortcuts, the discriminator's class embeddings and the last layers have
  no orthogonal initialization.
- Samples use averaged batch statistics, not standing statistics.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_gans.core import hparams, penalties
from keras_gans.core.trainer import Batch
from keras_gans.models.sngan import SNGAN

Tensor = Any


@dataclasses.dataclass(frozen=True)
class BigGANHparams(hparams.Hparams):
    """Options of BigGAN.

    Attributes:
        ema_decay: Decay per step of the averaged generator; the paper's value.
        orthogonal_weight: Weight beta of the orthogonal regularization; 0 turns it off.
    """

    ema_decay: float = 0.9999
    orthogonal_weight: float = 1e-4

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("orthogonal_weight", "at least 0", self.orthogonal_weight >= 0)


class BigGAN(SNGAN):
    """SNGAN with orthogonal regularization of the generator; see the module."""

    Hparams = BigGANHparams

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -D(G(z)) and the orthogonal regularization."""
        terms = super().g_losses(batch)
        if not self.hparams.orthogonal_weight:
            return terms
        penalty = sum(penalties.orthogonal(k.value) for k in self._kernels())
        return {**terms, "orthogonal": self.hparams.orthogonal_weight * penalty}

    def _kernels(self):
        """Return the generator's kernels, without embeddings, gains and biases."""
        named = [v for v in self.generator.trainable_variables if len(v.shape) > 1]
        return [v for v in named if v.path.endswith("kernel")]

"""BigGAN: wide networks whose every block sees the class and a part of the latent.

Paper: Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural
Image Synthesis", 2019, arXiv 1809.11096: SAGAN's losses; a shared class embedding and
skip latents into conditional batch normalisation (`keras_gans.networks.biggan`); and
orthogonal regularisation of the generator, beta |W' W * (1 - I)|_F^2. The truncation
trick is `--threshold` of the sample command.

Differences from the paper:
- A size for one GPU or a few CPU cores: 28 to 128 pixels, small batches.
- A fake keeps the class of the real example beside it.
- The recipe updates both players equally often, the discriminator at four times the
  generator's rate, with rates that fall to 0 (cosine) and a shorter average.
- Attention, shortcuts, embeddings and the last layers do not start orthogonal.
- Samples use averaged batch statistics, not standing ones.
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
        ema_decay: As in every variant; the paper's.
        orthogonal_weight: beta, of the orthogonal regularisation.
    """

    ema_decay: float = 0.9999
    orthogonal_weight: float = 1e-4

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("orthogonal_weight", "at least 0", self.orthogonal_weight >= 0)


class BigGAN(SNGAN):
    """The hinge game at a larger scale; see the module."""

    Hparams = BigGANHparams

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -D(G(z)) and the orthogonal regularisation."""
        terms = super().g_losses(batch)
        if not self.hparams.orthogonal_weight:
            return terms
        penalty = sum(penalties.orthogonal(k.value) for k in self._kernels())
        return {**terms, "orthogonal": self.hparams.orthogonal_weight * penalty}

    def _kernels(self):
        """The generator's kernels; not the class embedding, and no gains or biases."""
        named = [v for v in self.generator.trainable_variables if len(v.shape) > 1]
        return [v for v in named if v.path.endswith("kernel")]

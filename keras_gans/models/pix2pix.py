"""Pix2Pix: a U-Net learns to translate images from pairs of condition and real image.

Paper: Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional
Adversarial Networks", 2017, arXiv 1611.07004. For a condition image x and its real
image y:

    G* = arg min_G max_D E log D(x, y) + E log(1 - D(x, G(x))) + lambda E |y - G(x)|_1

The discriminator is a PatchGAN that sees the condition image beside the image
(`keras_gans.networks.patchgan`). The generator's only noise is dropout in the U-Net
(`keras_gans.networks.unet`).

Differences from the paper:
- Samples come from a moving average of the generator's weights.
- Samples are deterministic: without dropout, and with running statistics in place of
  the batch's. The same condition image gives the same image.
- The innermost feature map has no normalization.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras import ops

from keras_gans.core import losses, translation
from keras_gans.core.trainer import Batch

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Pix2PixHparams(translation.TranslationHparams):
    """Options of Pix2Pix.

    Attributes:
        l1_weight: Weight lambda of the mean L1 distance to the real image.
    """

    l1_weight: float = 100.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("l1_weight", "at least 0", self.l1_weight >= 0)


class Pix2Pix(translation.TranslationGAN):
    """Original GAN losses on pairs, with L1 to the real image; see the module."""

    Hparams = Pix2PixHparams

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -log D(x, y) / 2 and -log(1 - D(x, G(x))) / 2.

        The factor 1/2 slows D down (section 3.3).
        """
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": 0.5 * losses.log_loss_real(real_logits),
            "fake": 0.5 * losses.log_loss_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -log D(x, G(x)) and lambda |y - G(x)|."""
        fake = self.fakes(batch)
        logits = self.score(fake, batch)
        return {
            "adversarial": losses.non_saturating_generator(logits),
            "l1": self.hparams.l1_weight * ops.abs(batch["images"] - fake),
        }

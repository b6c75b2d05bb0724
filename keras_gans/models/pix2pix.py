"""Pix2Pix: pairs of pictures teach a U-Net to make one kind from the other.

Paper: Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional
Adversarial Networks", 2017, arXiv 1611.07004: G* = arg min_G max_D E log D(x, y) +
E log(1 - D(x, G(x))) + lambda E |y - G(x)|_1, where the discriminator sees the
condition beside the image, patch by patch (`keras_gans.networks.patchgan`); dropout in
the U-Net (`keras_gans.networks.unet`) is the noise.

Differences from the paper:
- Samples come from an average of the generator over the steps, without dropout and with
  running statistics in place of the batch's: the same condition gives the same image.
- The innermost map has no normalisation.
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
        l1_weight: lambda, of the mean distance to the true picture.
    """

    l1_weight: float = 100.0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("l1_weight", "at least 0", self.l1_weight >= 0)


class Pix2Pix(translation.TranslationGAN):
    """The original game over pairs, and the distance to the true picture."""

    Hparams = Pix2PixHparams

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """-log D(x, y) - log(1 - D(x, G(x))), halved to slow D down (section 3.3)."""
        real_logits = self.score(batch["images"], batch)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(real_logits, fake_logits)
        return {
            "real": 0.5 * losses.log_loss_real(real_logits),
            "fake": 0.5 * losses.log_loss_fake(fake_logits),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """-log D(x, G(x)) + lambda |y - G(x)|."""
        fake = self.fakes(batch)
        logits = self.score(fake, batch)
        return {
            "adversarial": losses.non_saturating_generator(logits),
            "l1": self.hparams.l1_weight * ops.abs(batch["images"] - fake),
        }

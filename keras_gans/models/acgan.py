"""ACGAN: the discriminator also predicts the class, and both players learn from it.

Paper: Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier
GANs", 2017, arXiv 1610.09585.

The discriminator D has two heads: one for the source (real or generated), one for the
class. L_S is the log-likelihood of the correct source, L_C that of the correct class.
Both are taken over real and generated images. The class is not an input of D.

    D maximizes L_S + L_C
    G maximizes L_C - L_S

Differences from the paper:
- The generator's term of L_S is the non-saturating loss. With
  `hparams.generator_loss = "minimax"` it is the paper's.
- A generated image takes the label of the real image at the same place in the batch.
- The discriminator has neither input noise nor batch normalization.
- Both optimizers use the same learning rate, which decays to 0 along a cosine.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_gans.core import losses
from keras_gans.core.trainer import Batch
from keras_gans.errors import UserError
from keras_gans.models import cgan, gan
from keras_gans.networks import interface

Tensor = Any


@dataclasses.dataclass(frozen=True)
class ACGANHparams(gan.GANHparams):
    """Options of ACGAN.

    Attributes:
        g_class_weight: Weight of the class term L_C in the generator's loss; 1 in
            the paper.
    """

    g_class_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("g_class_weight", "at least 0", self.g_class_weight >= 0)


class ACGAN(cgan.CGAN):
    """Conditional GAN whose discriminator has a class head; see the module."""

    Hparams = ACGANHparams

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see BaseGAN.

        Raises:
            UserError: If a network has no classes, or the discriminator has a head for
                codes.
        """
        super().__init__(*args, **kwargs)
        if "codes" in interface.heads(self.discriminator):
            raise UserError(
                "[discriminator] codes: acgan has none; expected 0, leave it out"
            )

    def discriminator_knows_classes(self) -> bool:
        """Return whether the discriminator has a class head."""
        return "classes" in interface.heads(self.discriminator)

    def taken_from_data(self) -> set[str]:
        """Return the names of the parts of a batch that are needed besides images."""
        return super().taken_from_data() | {"labels"}

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of -L_S - L_C on real and generated images."""
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(self.fakes(batch), batch)
        self.log_scores(on_real["logits"], on_fake["logits"])
        return {
            "real": losses.log_loss_real(on_real["logits"]),
            "fake": losses.log_loss_fake(on_fake["logits"]),
            "real_class": losses.class_loss(batch["labels"], on_real["classes"]),
            "fake_class": losses.class_loss(batch["labels"], on_fake["classes"]),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of L_S - L_C on generated images."""
        on_fake = self.discriminate(self.fakes(batch), batch)
        class_loss = losses.class_loss(batch["labels"], on_fake["classes"])
        return {
            "adversarial": self.generator_loss(on_fake["logits"]),
            "class": self.hparams.g_class_weight * class_loss,
        }

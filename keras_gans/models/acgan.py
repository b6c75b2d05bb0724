"""ACGAN: the discriminator also names the class, and the generator helps it to.

Paper: Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier
GANs", 2017, arXiv 1610.09585: L_S, the log-likelihood of the source, and L_C, that of
the class, of real and of generated images; D maximises L_S + L_C, G maximises
L_C - L_S. The class is no input of the discriminator.

Differences from the paper:
- The generator's part of L_S is the non-saturating loss unless the recipe says
  "minimax".
- A generated image's class is that of the real one beside it.
- The discriminator's noise at its input and its batch normalisation are left out; both
  players learn at one rate, which falls to 0 (cosine).
- Samples come from an average of the generator over the steps.
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
        g_class_weight: Weight of the class term in the generator's loss; 1 in the
            paper.
    """

    g_class_weight: float = 1.0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("g_class_weight", "at least 0", self.g_class_weight >= 0)


class ACGAN(cgan.CGAN):
    """A discriminator with a second head, for the class; see the module."""

    Hparams = ACGANHparams

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see BaseGAN.

        Raises:
            UserError: if a network knows no classes, or the discriminator reads codes.
        """
        super().__init__(*args, **kwargs)
        if "codes" in interface.heads(self.discriminator):
            raise UserError("[discriminator] codes: acgan has none; expected 0")

    def discriminator_knows_classes(self) -> bool:
        """Whether it has a head that names the class."""
        return "classes" in interface.heads(self.discriminator)

    def taken_from_data(self) -> set[str]:
        """Return the names of the batch's parts, beside images, that losses take."""
        return super().taken_from_data() | {"labels"}

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -L_S - L_C."""
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
        """Minimises L_S - L_C on generated images."""
        on_fake = self.discriminate(self.fakes(batch), batch)
        class_loss = losses.class_loss(batch["labels"], on_fake["classes"])
        return {
            "adversarial": self.generator_loss(on_fake["logits"]),
            "class": self.hparams.g_class_weight * class_loss,
        }

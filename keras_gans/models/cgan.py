"""CGAN: both networks receive the class, so that it can be chosen in sampling.

Paper: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014,
arXiv 1411.1784. With the class y:

    min_G max_D E log D(x|y) + E log(1 - D(G(z|y)))

A generated image takes the label of the real image at the same place in the batch.

Differences from the paper:
- The networks are convolutional and embed the class. The paper has MLPs on one-hot
  classes.
- The discriminator is a projection discriminator (Miyato and Koyama 2018,
  arXiv 1802.05637).
- The generator's loss is the non-saturating one. With
  `hparams.generator_loss = "minimax"` it is the paper's.
- The optimizer is Adam in place of SGD with momentum.
- The recipe adds the R1 penalty (`hparams.r1_weight`) in place of dropout. With R1 the
  generator covers rare shapes better.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_gans.errors import UserError
from keras_gans.models.gan import GAN, GANHparams


class CGAN(GAN):
    """Original GAN whose generator and discriminator take labels; see the module."""

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see BaseGAN.

        Raises:
            UserError: If the generator or the discriminator is unconditional.
        """
        super().__init__(*args, **kwargs)
        if not (self.conditional and self.discriminator_knows_classes()):
            name = type(self).__name__.lower()
            raise UserError(
                f"{name} needs classes: expected a conditional generator and "
                "discriminator, got an unconditional one; train on a data set with "
                "classes (a folder with one sub-folder for each class), or use "
                "--model=dcgan"
            )

    def discriminator_knows_classes(self) -> bool:
        """Return whether the discriminator takes labels."""
        return "labels" in self.discriminator.input

    @classmethod
    def label_names(cls, options: GANHparams, names: Sequence[str]) -> Sequence[str]:
        """Return the names of the data set's classes."""
        return names

"""CGAN: both players see the class, so that the generator makes the one asked for.

Paper: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014,
arXiv 1411.1784: min_G max_D E log D(x|y) + E log(1 - D(G(z|y))). A fake keeps the
class of the real example beside it.

Differences from the paper:
- Convolutional networks with learned class embeddings take the place of MLPs on
  one-hot classes; the discriminator reads the class through a projection
  (Miyato and Koyama 2018, arXiv 1802.05637).
- The generator's loss is the non-saturating one unless the recipe says "minimax".
- Adam takes the place of SGD with momentum; samples come from an average of the
  generator over the steps. The recipe adds R1 (`hparams.r1_weight`), which, unlike
  dropout, leaves the generator its rarer shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_gans.errors import UserError
from keras_gans.models.gan import GAN, GANHparams


class CGAN(GAN):
    """The original GAN with the class as an input of both players; see the module."""

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see BaseGAN.

        Raises:
            UserError: if one of the networks knows no classes.
        """
        super().__init__(*args, **kwargs)
        if not (self.conditional and self.discriminator_knows_classes()):
            name = type(self).__name__.lower()
            raise UserError(
                f"{name} needs classes: expected networks that know them, got an "
                "unconditional generator or discriminator; train on a set with classes "
                "(a folder with one sub-folder for each class), or take --model=dcgan"
            )

    def discriminator_knows_classes(self) -> bool:
        """Whether the discriminator takes labels."""
        return "labels" in self.discriminator.input

    @classmethod
    def label_names(cls, options: GANHparams, names: Sequence[str]) -> Sequence[str]:
        """The data's classes."""
        return names

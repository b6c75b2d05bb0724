"""MyGAN: the discriminator compares a real image with a generated image.

A relativistic least-squares GAN (Jolicoeur-Martineau 2018, arXiv 1807.00734). For each
pair of a real image x and a generated image G(z), the losses with the margin m = 1 are:

    D: (D(x) - D(G(z)) - m)^2
    G: (D(G(z)) - D(x) - m)^2
"""

from __future__ import annotations

import dataclasses

import keras
from keras import layers, ops

import keras_gans
from keras_gans.networks import interface


@dataclasses.dataclass(frozen=True)
class MyGANHparams(keras_gans.Hparams):
    """Options of the recipe's `[hparams]` table, in addition to those of every GAN.

    Attributes:
        margin: Difference of the two logits at which a loss is 0.
        conditional: Whether to feed the class of an image to the networks.
    """

    margin: float = 1.0
    conditional: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        self.check("margin", "above 0", self.margin > 0)


def pair_loss(higher, lower, margin):
    """Return a loss that is 0 where `higher` exceeds `lower` by the margin."""
    return ops.square(higher - lower - margin)


class MyGAN(keras_gans.BaseGAN):
    """GAN with a least-squares loss on pairs of a real and a generated image."""

    Hparams = MyGANHparams
    neutral_logit = None  # only differences of logits have a meaning

    def logits(self, batch):
        """Return the logits of the batch's real images, and of as many fake images."""
        return self.score(batch["images"], batch), self.score(self.fakes(batch), batch)

    def d_losses(self, batch):
        """Return the discriminator's losses: named terms with one value per image."""
        real_logits, fake_logits = self.logits(batch)
        self.log_scores(real_logits, fake_logits)
        return {"pairs": pair_loss(real_logits, fake_logits, self.hparams.margin)}

    def g_losses(self, batch):
        """Return the generator's losses: named terms with one value per image."""
        real_logits, fake_logits = self.logits(batch)
        return {"pairs": pair_loss(fake_logits, real_logits, self.hparams.margin)}


@keras_gans.network
def generator(image_shape, num_classes: int = 0, latent_dim: int = 64, width: int = 32):
    """Build the generator: from latents (and labels with classes) to images."""
    height, across, channels = image_shape
    if height % 4 or across % 4:
        raise keras_gans.UserError(
            f"[data] image_size: expected a multiple of 4, got {height}x{across}"
        )
    inputs, x = interface.latent_inputs(latent_dim, num_classes, embedding_dim=32)
    x = layers.Dense(height // 4 * (across // 4) * 2 * width, use_bias=False)(x)
    x = layers.Reshape((height // 4, across // 4, 2 * width))(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(width, 4, 2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2DTranspose(channels, 4, 2, padding="same")(x)
    return keras.Model(inputs, layers.Activation("tanh", dtype="float32")(x))


@keras_gans.network
def discriminator(image_shape, num_classes: int = 0, width: int = 32):
    """Build the discriminator: from images (and labels with classes) to logits."""
    inputs, labels = interface.image_inputs(image_shape, num_classes)
    x = inputs["images"]
    for filters in (width, 2 * width):
        x = layers.LeakyReLU(0.2)(layers.Conv2D(filters, 4, 2, padding="same")(x))
    x = layers.Flatten()(x)
    logits = interface.projection_logits(x, labels, num_classes)
    return keras.Model(inputs, logits)

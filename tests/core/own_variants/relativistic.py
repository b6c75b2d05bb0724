"""RaLSGAN: relativistic average GAN with a least-squares loss."""

import dataclasses

from keras import Model, layers, ops

from keras_gans import BaseGAN, Hparams
from keras_gans.networks.interface import image_inputs, latent_inputs


@dataclasses.dataclass(frozen=True)
class RaLSHparams(Hparams):
    """Options of RaLSGAN.

    Attributes:
        margin: Target distance between an image's logit and the average logit of the
            other kind, real or fake.
    """

    margin: float = 1.0


class RaLSGAN(BaseGAN):
    """Relativistic average least-squares GAN.

    Source: Jolicoeur-Martineau 2018 (arXiv 1807.00734), equations 13 and 14.
    """

    Hparams = RaLSHparams
    neutral_logit = None

    def d_losses(self, batch):
        """Return terms that raise logits of real images and lower logits of fakes."""
        real, fake = self.logits(batch)
        self.log_scores(real, fake)
        return self.apart(real, fake)

    def g_losses(self, batch):
        """Return terms that raise logits of fakes and lower logits of real images."""
        real, fake = self.logits(batch)
        return self.apart(fake, real)

    def logits(self, batch):
        """Return logits of the real images and of as many fakes."""
        fakes = self.fakes(batch)
        return (self.score(images, batch) for images in (batch["images"], fakes))

    def apart(self, above, below):
        """Return squared distances of the relative logits from margin and -margin."""
        margin = self.hparams.margin
        return {
            "above": ops.square(above - ops.mean(below) - margin),
            "below": ops.square(below - ops.mean(above) + margin),
        }


def generator(image_shape, num_classes, latent_dim: int = 8, width: int = 32):
    """Make a generator of dense layers."""
    inputs, x = latent_inputs(latent_dim, num_classes, embedding_dim=8)
    x = layers.Dense(width, "relu")(x)
    x = layers.Dense(int(ops.prod(image_shape)), "tanh")(x)
    return Model(inputs, layers.Reshape(image_shape)(x))


def discriminator(image_shape, num_classes, width: int = 32):
    """Make a discriminator of dense layers."""
    inputs, _ = image_inputs(image_shape, 0)
    x = layers.Dense(width, "leaky_relu")(layers.Flatten()(inputs["images"]))
    return Model(inputs, layers.Dense(1)(x))

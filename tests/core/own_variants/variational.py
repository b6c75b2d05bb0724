"""VAE: one player that trains an encoder and a generator."""

import keras
from keras import Model, layers, ops

from keras_gans import Player, Trainer, engine
from keras_gans.networks.interface import image_inputs, latent_inputs


class VAE(Trainer):
    """Variational autoencoder with an observation noise of sigma = 1/4.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), equation 10.
    """

    networks = ("generator", "encoder")
    players = (Player("g", ("generator", "encoder")),)

    def g_losses(self, batch):
        """Return -log p(x|z) and KL(q(z|x) || N(0, I)) for each image."""
        images = batch["images"]
        code = self.encoder({"images": images}, training=True)
        mean, log_variance = code["mean"], code["log_variance"]
        noise = engine.drawing(self.seeds)(
            images, self.latent_dim, law=keras.random.normal
        )
        latents = mean + ops.exp(log_variance / 2) * noise
        redrawn = self.generator({"latents": latents}, training=True)
        divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
        return {
            "reconstruction": 8 * ops.sum(ops.square(images - redrawn), (1, 2, 3)),
            "divergence": ops.sum(divergence, axis=1) / 2,
        }


def generator(image_shape, num_classes, latent_dim: int = 8, width: int = 64):
    """Make a generator of dense layers."""
    inputs, x = latent_inputs(latent_dim, 0, embedding_dim=0)
    x = layers.Dense(width, "relu")(x)
    x = layers.Dense(int(ops.prod(image_shape)), "tanh")(x)
    return Model(inputs, layers.Reshape(image_shape)(x))


def encoder(image_shape, num_classes, latent_dim: int = 8, width: int = 64):
    """Make an encoder of dense layers: images to {"mean", "log_variance"}."""
    inputs, _ = image_inputs(image_shape, 0)
    x = layers.Dense(width, "relu")(layers.Flatten()(inputs["images"]))
    heads = {name: layers.Dense(latent_dim) for name in ("mean", "log_variance")}
    return Model(inputs, {name: head(x) for name, head in heads.items()})

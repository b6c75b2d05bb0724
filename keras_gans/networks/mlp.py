"""Fully connected networks for small images, as in the first GAN paper.

Source: Goodfellow et al. 2014 (arXiv 1406.2661) and the authors' published settings for
MNIST: a generator of two ReLU layers of 1200 units; a discriminator of two hidden
layers.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from keras_gans.errors import in_range
from keras_gans.layers.dropout import Dropout
from keras_gans.layers.spectral import SNDense
from keras_gans.networks.interface import image_inputs, latent_inputs, projection_logits
from keras_gans.networks.saving import network


@network
@in_range(latent_dim=1, units=1, depth=(1, 65))
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 100,
    units: int = 1200,
    depth: int = 2,
) -> keras.Model:
    """Build the generator: ReLU layers from the latents to an image.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent.
        units: Number of units of each hidden layer.
        depth: Number of hidden layers.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].
    """
    inputs, x = latent_inputs(latent_dim, num_classes, embedding_dim=50)
    for _ in range(depth):
        x = layers.Dense(units, "relu")(x)
    x = layers.Dense(math.prod(image_shape))(x)
    images = layers.Activation("tanh", dtype="float32")(layers.Reshape(image_shape)(x))
    return keras.Model(inputs, images, name="generator")


@network
@in_range(units=1, depth=(1, 65), dropout=(0, 1))
def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    units: int = 240,
    depth: int = 2,
    dropout: float = 0.0,
    spectral_norm: bool = False,
) -> keras.Model:
    """Build the discriminator: leaky ReLU layers from an image to one logit.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        units: Number of units of each hidden layer.
        depth: Number of hidden layers.
        dropout: Fraction of the units that is dropped after each hidden layer.
        spectral_norm: Whether to divide each layer's weights by their spectral norm.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1].
    """
    inputs, labels = image_inputs(image_shape, num_classes)
    x = layers.Flatten()(inputs["images"])
    dense = SNDense if spectral_norm else layers.Dense
    for _ in range(depth):
        x = layers.LeakyReLU(0.2)(dense(units)(x))
        if dropout:
            x = Dropout(dropout)(x)
    logits = projection_logits(x, labels, num_classes, spectral_norm)
    return keras.Model(inputs, logits, name="discriminator")

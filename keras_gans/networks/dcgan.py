"""DCGAN: strided convolutions between maps of 4x4 to 7x7 pixels and the image.

Source: Radford et al. 2015 (arXiv 1511.06434). With `width=128` and 64x64 images, the
numbers of channels are those of the paper: 1024, 512, 256 and 128 in the generator, and
the reverse in the discriminator. With classes, the generator concatenates the latents
with a class embedding. The discriminator then projects the class onto its features
(Miyato and Koyama 2018).
"""

from __future__ import annotations

from typing import Literal

import keras
from keras import initializers, layers

from keras_gans.errors import UserError, in_range
from keras_gans.layers.convolution import FoldedConv2D, FoldedConv2DTranspose
from keras_gans.layers.dropout import Dropout
from keras_gans.layers.sizes import map_sizes
from keras_gans.networks.interface import (
    auxiliary_outputs,
    image_inputs,
    latent_inputs,
    projection_logits,
)
from keras_gans.networks.saving import network

Norm = Literal["batch", "none"]


@network
@in_range(latent_dim=1, width=1, kernel_size=(2, 65), init_stddev=0)
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 100,
    width: int = 128,
    kernel_size: int = 5,
    normalization: Norm = "batch",
    init_stddev: float = 0.02,
) -> keras.Model:
    """Build the generator: a small map, doubled by transposed convolutions.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent.
        width: Number of channels before the last layer; it doubles with each halving
            of the size.
        kernel_size: Kernel size of the transposed convolutions in pixels; 2 or more.
        normalization: "batch" for batch normalization after each layer but the last,
            or "none".
        init_stddev: Standard deviation of the normal distribution of initial weights;
            0 for Keras's default (Glorot uniform).

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].

    Raises:
        UserError: If the layers cannot produce the image size.
    """
    size, doublings = map_sizes(image_shape)
    init = _initializer(init_stddev)
    bias = normalization == "none"

    def activate(x):
        if normalization == "batch":
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        return layers.ReLU()(x)

    inputs, x = latent_inputs(latent_dim, num_classes, embedding_dim=50)
    filters = width * 2 ** (doublings - 1)
    x = layers.Dense(size * size * filters, use_bias=bias, kernel_initializer=init)(x)
    x = activate(layers.Reshape((size, size, filters))(x))
    for level in reversed(range(doublings)):
        last = level == 0
        x = (FoldedConv2DTranspose if last else layers.Conv2DTranspose)(
            image_shape[-1] if last else width * 2 ** (level - 1),
            kernel_size,
            strides=2,
            padding="same",
            use_bias=last or bias,
            kernel_initializer=init,
        )(x)
        if not last:
            x = activate(x)
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")


@network
@in_range(
    width=1,
    kernel_size=(2, 65),
    depth=(0, 33),
    codes=0,
    dropout=(0, 1),
    init_stddev=0,
)
def discriminator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    width: int = 128,
    kernel_size: int = 5,
    depth: int = 0,
    normalization: Norm = "batch",
    dropout: float = 0.0,
    init_stddev: float = 0.02,
    head: Literal["projection", "auxiliary"] = "projection",
    codes: int = 0,
) -> keras.Model:
    """Build the discriminator: strided convolutions, then one logit.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional discriminator.
        width: Number of channels after the first layer; it doubles with each halving
            of the size.
        kernel_size: Kernel size of the convolutions in pixels; 2 or more.
        depth: Number of convolutions; 0 for as many as the generator has transposed
            convolutions.
        normalization: "batch" for batch normalization after each convolution but the
            first, or "none".
        dropout: Fraction of the features that is dropped before the logit.
        init_stddev: Standard deviation of the normal distribution of initial weights;
            0 for Keras's default (Glorot uniform).
        head: Use of the classes: "projection" takes the label as an input;
            "auxiliary" takes no label and predicts the class.
        codes: Number of continuous codes that an "auxiliary" head also predicts.

    Returns:
        A model from {"images"[, "labels"]} to logits float [batch, 1]. With an
        "auxiliary" head, a model from {"images"} to the outputs of
        `keras_gans.networks.interface.auxiliary_outputs`:
        {"logits", "classes"[, "codes"]}.

    Raises:
        UserError: If the layers cannot produce the image size, or if codes are asked
            for without an "auxiliary" head.
    """
    auxiliary = head == "auxiliary"
    if codes and not auxiliary:
        raise UserError(
            '[discriminator] codes: only head = "auxiliary" predicts codes; '
            "set head so, or leave codes out"
        )
    _, halvings = map_sizes(image_shape)
    init = _initializer(init_stddev)
    inputs, labels = image_inputs(image_shape, 0 if auxiliary else num_classes)
    x = inputs["images"]
    for level in range(depth or halvings):
        normalize = level > 0 and normalization == "batch"
        x = (layers.Conv2D if level else FoldedConv2D)(
            width * 2**level,
            kernel_size,
            strides=2,
            padding="same",
            use_bias=not normalize,
            kernel_initializer=init,
        )(x)
        if normalize:
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Flatten()(x)
    if dropout:
        x = Dropout(dropout)(x)
    if auxiliary:
        outputs = auxiliary_outputs(x, num_classes, codes)
    else:
        outputs = projection_logits(x, labels, num_classes)
    return keras.Model(inputs, outputs, name="discriminator")


def _initializer(stddev: float) -> initializers.Initializer:
    if stddev:
        return initializers.RandomNormal(stddev=stddev)
    return initializers.GlorotUniform()

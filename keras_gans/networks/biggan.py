"""BigGAN: residual networks whose blocks take the class and a part of the latent.

Source: Brock et al. 2019 (arXiv 1809.11096): a class embedding that all blocks share,
concatenated with each block's part of the latent; spectral normalization in both
networks; orthogonal initial weights; self-attention.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from keras_gans.errors import UserError, in_range
from keras_gans.layers.attention import SelfAttention
from keras_gans.layers.normalization import ConditionalBatchNormalization
from keras_gans.layers.sizes import map_sizes
from keras_gans.layers.spectral import SNConv2D, SNDense
from keras_gans.networks.interface import generator_inputs
from keras_gans.networks.resnet import check_attention, discriminator, up_block
from keras_gans.networks.saving import network

__all__ = ["discriminator", "generator"]  # the discriminator is that of `resnet`


@network
@in_range(latent_dim=1, embedding_dim=1, width=1, attention=0)
def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 120,
    embedding_dim: int = 128,
    width: int = 64,
    attention: int = 0,
) -> keras.Model:
    """Build the generator: blocks conditioned on the class and parts of the latent.

    Args:
        image_shape: Shape (height, width, channels) of the images; square, with a side
            of 4, 5, 6 or 7 pixels times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent; a multiple of the number of blocks plus one.
        embedding_dim: Length of the class embedding that all blocks share.
        width: Number of channels of the last block; it doubles with each halving of
            the size.
        attention: Side in pixels of the map to which self-attention is applied; 0 for
            none.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].

    Raises:
        UserError: If `latent_dim` cannot be split into equal parts, or if the layers
            cannot produce the image size or a map of the side `attention`.
    """
    size, doublings = map_sizes(image_shape)
    check_attention(attention, image_shape, doublings)
    parts = doublings + 1
    if latent_dim % parts:
        raise UserError(
            f"[generator] latent_dim: expected a multiple of {parts} (a part for the "
            f"first layer and for each of the {doublings} blocks), got {latent_dim}"
        )
    inputs = generator_inputs(latent_dim, num_classes)
    chunks = ops.split(inputs["latents"], parts, axis=1)
    conditions = chunks[1:]
    if num_classes:
        embedding = layers.Embedding(num_classes, embedding_dim, "orthogonal")
        embedded = embedding(inputs["labels"])
        conditions = [layers.Concatenate()([c, embedded]) for c in conditions]
    filters = width * 2**doublings
    x = SNDense(size * size * filters, kernel_initializer="orthogonal")(chunks[0])
    x = layers.Reshape((size, size, filters))(x)
    for level, condition in zip(reversed(range(doublings)), conditions, strict=True):

        def normalize(maps, condition=condition):
            return ConditionalBatchNormalization(
                lambda n: SNDense(n, use_bias=False, kernel_initializer="orthogonal")
            )(maps, condition)

        x = up_block(x, width * 2**level, normalize, SNConv2D, "orthogonal")
        if x.shape[1] == attention:
            x = SelfAttention()(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = SNConv2D(image_shape[-1], 3, padding="same", kernel_initializer="orthogonal")(x)
    images = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(inputs, images, name="generator")

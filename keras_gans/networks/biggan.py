"""BigGAN: residual networks whose every block sees the class and a part of the latent.

Source: Brock et al. 2019 (arXiv 1809.11096): a class embedding that all blocks share,
joined with a part of the latent of their own; spectral normalisation in both networks;
orthogonal initial weights; attention.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from keras_gans.errors import UserError, check_range
from keras_gans.layers.attention import SelfAttention
from keras_gans.layers.normalization import ConditionalBatchNormalization
from keras_gans.layers.sizes import map_sizes
from keras_gans.layers.spectral import SNConv2D, SNDense
from keras_gans.networks.interface import generator_inputs
from keras_gans.networks.resnet import check_attention, discriminator, up_block

__all__ = ["discriminator", "generator"]  # the former is resnet's


def generator(
    image_shape: tuple[int, int, int],
    num_classes: int = 0,
    latent_dim: int = 120,
    embedding_dim: int = 128,
    width: int = 64,
    attention: int = 0,
) -> keras.Model:
    """Parts of the latent and a shared class embedding, into blocks that double.

    Args:
        image_shape: (height, width, channels); square, 4 to 7 times a power of two.
        num_classes: Number of classes; 0 for an unconditional generator.
        latent_dim: Length of one latent: a multiple of the number of blocks plus one.
        embedding_dim: Length of the class embedding that all blocks share.
        width: Channels of the last block; they double with each halving of size.
        attention: Side in pixels of the map after which a self-attention layer stands;
            0 for none.

    Returns:
        A model from {"latents"[, "labels"]} to images float [batch, height, width,
        channels] in [-1, 1].

    Raises:
        UserError: for a latent that cannot be split, or an image or attention size that
            the layers do not have.
    """
    check_range(1, latent_dim=latent_dim, embedding_dim=embedding_dim, width=width)
    size, doublings = map_sizes(image_shape)
    check_attention(attention, image_shape, doublings)
    parts = doublings + 1
    if latent_dim % parts:
        raise UserError(
            f"[generator] latent_dim: expected a multiple of {parts}, a part for the "
            f"first layer and each of {doublings} blocks, got {latent_dim}"
        )
    inputs = generator_inputs(latent_dim, num_classes)
    chunks = ops.split(inputs["latents"], parts, axis=1)
    conditions = chunks[1:]
    if num_classes:
        small = keras.initializers.RandomNormal(stddev=0.02)
        embedded = layers.Embedding(num_classes, embedding_dim, small)(inputs["labels"])
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

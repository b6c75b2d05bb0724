"""FreezeD: a discriminator whose first layers stay as they are."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from keras_gans.errors import UserError


def freeze(discriminator: keras.Model, number: int) -> None:
    """Keeps the first layers of a discriminator as they are (FreezeD).

    Source: Mo et al. 2020, "Freeze the Discriminator" (arXiv 2002.10964).

    Args:
        discriminator: Its layers with weights are counted from the picture on:
            convolutions, batch normalisations (whose statistics stay, too), blocks'
            shortcuts, embeddings.
        number: How many.

    Raises:
        UserError: if it has no more layers than that.
    """
    layers = [layer for layer in _flat(discriminator) if layer.trainable_variables]
    if number >= max(1, len(layers)):
        raise UserError(
            f"[train] freeze_discriminator: expected less than the {len(layers)} "
            f"layers with weights, got {number}"
        )
    for layer in layers[:number]:
        layer.trainable = False


def _flat(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """A network's layers; those of a network inside it in its place."""
    for layer in network.layers:
        yield from _flat(layer) if isinstance(layer, keras.Model) else (layer,)

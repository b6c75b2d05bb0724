"""FreezeD: transfer learning with frozen first layers of the discriminator."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from keras_gans.errors import UserError


def freeze(discriminator: keras.Model, number: int) -> None:
    """Freeze the first layers of a discriminator (FreezeD).

    Source: Mo et al. 2020, "Freeze the Discriminator" (arXiv 2002.10964).

    Args:
        discriminator: Discriminator to freeze in place. Its layers with weights are
            counted from the image on: convolutions, batch normalizations, the
            blocks' shortcuts, embeddings. The statistics of a frozen batch
            normalization stay fixed, too.
        number: Number of layers to freeze.

    Raises:
        UserError: If the discriminator has no more than `number` layers with weights.
    """
    layers = [layer for layer in _flat(discriminator) if layer.trainable_variables]
    if number >= max(1, len(layers)):
        raise UserError(
            f"[train] freeze_discriminator: expected fewer than the {len(layers)} "
            f"layers with weights, got {number}"
        )
    for layer in layers[:number]:
        layer.trainable = False


def _flat(network: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a network; a nested network yields its own layers."""
    for layer in network.layers:
        yield from _flat(layer) if isinstance(layer, keras.Model) else (layer,)

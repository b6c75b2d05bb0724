"""SPADE: a label map steers each normalisation of the generator, and a PatchGAN.

Source: Park et al. 2019 (arXiv 1903.07291), its equation 1 and the appendix: residual
blocks with spatially adaptive normalisation and nearest neighbours between them, from
the label map at the smallest size; a PatchGAN at full and at half size, with spectral
and instance normalisation, whose maps are compared, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import Input, Model, layers, ops

from keras_gans.errors import UserError, check_range
from keras_gans.layers.any_size import CropLike, Double, PadToMultiple
from keras_gans.networks.patchgan import convolution, patch_features

Tensor = Any


def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    palette: list,
    width: int = 64,
    max_width: int = 1024,
    depth: int = 5,
    hidden: int = 128,
) -> Model:
    """A SPADE generator.

    Args:
        image_shape: (height, width, channels) of the pictures to make; sides may be
            others.
        condition_shape: Of the label maps, which are pictures, too.
        palette: Colours of the labels in 0..255, a list of lists, or numbers if the
            maps are grey; each pixel counts as the label of the nearest colour.
        width: Channels at full size; they double with each halving.
        max_width: As far as this.
        depth: Doublings from the smallest map to the picture.
        hidden: Channels of the maps that gain and bias are read off.

    Returns:
        From {"condition"} to pictures in [-1, 1], of the condition's sides.

    Raises:
        UserError: for a palette that does not fit.
    """
    check_range(1, width=width, max_width=max_width, depth=depth, hidden=hidden)
    condition = Input((None, None, condition_shape[-1]), name="condition")
    labels = Labels(palette, condition_shape[-1])(PadToMultiple(2**depth)(condition))
    widths = [min(max_width, width * 2**level) for level in range(depth + 1)]
    x = convolution(widths[-1], 3, padding="same", use_bias=False)(
        _thinned(labels, depth)
    )
    for level in reversed(range(depth + 1)):
        x = _block(x, _thinned(labels, level), widths[level], hidden)
        x = Double()(x) if level else x
    x = layers.Conv2D(image_shape[-1], 3, padding="same")(layers.LeakyReLU(0.2)(x))
    x = layers.Activation("tanh", dtype="float32")(x)
    return Model({"condition": condition}, CropLike()(x, condition))


def discriminator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    palette: list,
    width: int = 64,
    depth: int = 3,
) -> Model:
    """A PatchGAN of two sizes that sees the label map beside the picture.

    Args:
        image_shape: (height, width, channels) of the pictures.
        condition_shape: Of the label maps.
        palette: As of `generator`.
        width: Channels of the first convolution.
        depth: Convolutions of stride 2.

    Returns:
        From {"images", "condition"} to {"logits", "logits_half": [batch, rows, columns,
        1], "features_...": the maps before them}.
    """
    inputs = {
        "images": Input(image_shape, name="images"),
        "condition": Input(condition_shape, name="condition"),
    }
    labels = Labels(palette, condition_shape[-1])(inputs["condition"])
    x = layers.Concatenate()([inputs["images"], labels])
    outputs = {}
    for name in ("logits", "logits_half"):
        *features, logits = patch_features(x, width, depth, "instance", True, name)
        outputs[name] = logits
        for maps in features:
            maps = layers.Identity(dtype="float32")(maps)  # a loss is made of them
            outputs[f"features_{len(outputs)}"] = maps
        x = layers.AveragePooling2D(3, 2, "same")(x)
    return Model(inputs, outputs)


class Labels(layers.Layer):
    """Turns a picture of a label map into one channel for each label, 0 or 1.

    Args:
        palette: The labels' colours.
        channels: Of the pictures.

    Raises:
        UserError: for colours of another number of channels, or less than two.
    """

    def __init__(self, palette: Sequence, channels: int):
        """Checks the palette."""
        super().__init__()
        try:
            colours = np.array(palette, np.float32).reshape(len(palette), -1)
        except (TypeError, ValueError):
            colours = np.zeros((0, 0), np.float32)
        if len(colours) < 2 or colours.shape[1] != channels:
            raise UserError(
                f"palette: expected two or more colours of {channels} number(s) in "
                f"0..255 each, as the label maps have, got {palette}"
            )
        self._colours = colours / 127.5 - 1.0

    def call(self, pictures: Tensor) -> Tensor:
        """From float [batch, h, w, channels] in [-1, 1] to [batch, h, w, labels]."""
        # |x - p|^2 less |x|^2, which is the same for all
        distances = np.sum(self._colours**2, axis=1) - 2.0 * ops.matmul(
            pictures, ops.convert_to_tensor(self._colours.T, pictures.dtype)
        )
        nearest = ops.top_k(-distances, 1)[1][..., 0]  # TFLite has no Keras's argmin
        return ops.one_hot(nearest, len(self._colours), dtype=self.compute_dtype)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """One channel for each label."""
        return (*shape[:-1], len(self._colours))


def spade(x: Tensor, labels: Tensor, hidden: int) -> Tensor:
    """Normalises maps and scales them by what the label map says at each place.

    (x - mean) / std * (1 + gamma(m)) + beta(m), over batch, height and width (Park et
    al. 2019, equation 1, with the 1 of the authors' code).

    Args:
        x: float [batch, height, width, channels].
        labels: float [batch, height, width, labels].
        hidden: Channels between the labels and gamma and beta.

    Returns:
        Of x's shape.
    """
    normed = layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, center=False, scale=False
    )(x)
    shared = convolution(hidden, 3, padding="same", activation="relu")(labels)
    gamma, beta = (
        convolution(x.shape[-1], 3, padding="same")(shared) for _ in range(2)
    )
    return layers.Add()([normed, layers.Multiply()([normed, gamma]), beta])


def _block(x: Tensor, labels: Tensor, channels: int, hidden: int) -> Tensor:
    """A residual block; its shortcut learns if the number of channels changes.

    Without biases: the normalisation of the next block would take them away.
    """
    middle = min(x.shape[-1], channels)
    h = x
    for n in (middle, channels):
        h = layers.LeakyReLU(0.2)(spade(h, labels, hidden))
        h = convolution(n, 3, 1, "same", spectral_norm=True, use_bias=False)(h)
    if x.shape[-1] != channels:
        x = spade(x, labels, hidden)
        x = convolution(channels, 1, spectral_norm=True, use_bias=False)(x)
    return layers.Add()([x, h])


def _thinned(labels: Tensor, level: int) -> Tensor:
    """Every 2^level-th row and column: the nearest neighbours of a smaller map."""
    return layers.MaxPooling2D(1, 2**level)(labels) if level else labels

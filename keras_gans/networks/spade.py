"""SPADE: a generator whose normalizations depend on a label map, and a PatchGAN.

Source: Park et al. 2019 (arXiv 1903.07291), equation 1 and the appendix. The generator
starts from the label map at the smallest size. Residual blocks with spatially adaptive
normalization alternate with nearest-neighbor upsampling. The discriminator is a
PatchGAN at full and at half size, with spectral and instance normalization. It also
returns its feature maps, for the feature matching loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import Input, Model, layers, ops

from keras_gans.errors import UserError, in_range
from keras_gans.layers.any_size import CropLike, Double, PadToMultiple
from keras_gans.networks.patchgan import convolution, patch_features
from keras_gans.networks.saving import network

Tensor = Any


@network
@in_range(width=1, max_width=1, depth=(1, 13), hidden=1)
def generator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    palette: list,
    width: int = 64,
    max_width: int = 1024,
    depth: int = 5,
    hidden: int = 128,
) -> Model:
    """Build a SPADE generator.

    Args:
        image_shape: Shape (height, width, channels) of the images. The model also
            takes other heights and widths.
        condition_shape: Shape (height, width, channels) of the label maps, which are
            given as images.
        palette: Colors of the labels in 0..255: a list of lists, or a list of numbers
            if the label maps are grayscale. Each pixel gets the label of the nearest
            color.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.
        depth: Number of doublings from the smallest map to the image.
        hidden: Number of channels of the maps from which gamma and beta are computed.

    Returns:
        A model from {"condition"} to images in [-1, 1], with the height and width of
        the condition image.

    Raises:
        UserError: If the palette does not fit the label maps.
    """
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


@network
@in_range(width=1, depth=(1, 17))
def discriminator(
    image_shape: tuple[int, int, int],
    condition_shape: tuple[int, int, int],
    palette: list,
    width: int = 64,
    depth: int = 3,
) -> Model:
    """Build a PatchGAN of two sizes that takes the image and the label map.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        condition_shape: Shape (height, width, channels) of the label maps, which are
            given as images.
        palette: Colors of the labels, as in `generator`.
        width: Number of channels of the first convolution.
        depth: Number of convolutions of stride 2.

    Returns:
        A model from {"images", "condition"} to {"logits", "logits_half",
        "features_..."}. Logits are float [batch, rows, columns, 1]; the others are the
        feature maps before the logits.

    Raises:
        UserError: If the palette does not fit the label maps.
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
            maps = layers.Identity(dtype="float32")(maps)  # for a float32 loss
            outputs[f"features_{len(outputs)}"] = maps
        x = layers.AveragePooling2D(3, 2, "same")(x)
    return Model(inputs, outputs)


class Labels(layers.Layer):
    """Conversion of label maps from images to one-hot vectors.

    Args:
        palette: Colors of the labels in 0..255, as in `generator`.
        channels: Number of channels of the images.

    Raises:
        UserError: If there are fewer than two colors, or if a color does not have
            `channels` numbers.
    """

    def __init__(self, palette: Sequence, channels: int):
        super().__init__(dtype="float32")  # class numbers differ by 1/127.5
        try:
            colours = np.array(palette, np.float32).reshape(len(palette), -1)
        except (TypeError, ValueError):
            colours = np.zeros((0, 0), np.float32)
        if len(colours) < 2 or colours.shape[1] != channels:
            raise UserError(
                f"palette: expected two or more colors, each of {channels} number(s) "
                f"in 0..255 (one for each channel of the label maps), got {palette}"
            )
        self._colours = colours / 127.5 - 1.0
        # Close colors, such as class numbers, are spread over [-1, 1], for exports
        # whose constants have few bits.
        low, high = self._colours.min(), self._colours.max()
        close = 0.0 < high - low < 0.5
        self._middle = float((low + high) / 2.0) if close else 0.0
        self._half = float((high - low) / 2.0) if close else 1.0
        self._colours = (self._colours - self._middle) / self._half

    def call(self, pictures: Tensor) -> Tensor:
        """Map float [batch, h, w, channels] in [-1, 1] to [batch, h, w, labels]."""
        if self._half != 1.0:
            pictures = (pictures - self._middle) / self._half
        # |x - p|^2 without |x|^2, which is the same for all colors p.
        distances = np.sum(self._colours**2, axis=1) - 2.0 * ops.matmul(
            pictures, ops.convert_to_tensor(self._colours.T, pictures.dtype)
        )
        nearest = ops.top_k(-distances, 1)[1][..., 0]  # TFLite lacks Keras's argmin
        return ops.one_hot(nearest, len(self._colours), dtype=self.compute_dtype)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the shape with one channel for each label."""
        return (*shape[:-1], len(self._colours))


def spade(x: Tensor, labels: Tensor, hidden: int) -> Tensor:
    """Normalize maps, then scale and shift each pixel depending on the label map m.

    The result is (x - mean) / std * (1 + gamma(m)) + beta(m), with the mean and std
    over batch, height and width. It is equation 1 of Park et al. 2019, with the 1 of
    the authors' code.

    Args:
        x: Feature maps, float [batch, height, width, channels].
        labels: Label map m, one-hot float [batch, height, width, labels].
        hidden: Number of channels of the maps from which gamma and beta are computed.

    Returns:
        float, of the shape of `x`.
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
    """Apply a residual block; its shortcut has weights if the channels change.

    The convolutions have no biases: the normalization of the next block would cancel
    them.
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
    """Keep every 2^level-th row and column: nearest-neighbor downsampling."""
    return layers.MaxPooling2D(1, 2**level)(labels) if level else labels

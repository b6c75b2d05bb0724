"""Feature network: images to features and class probabilities."""

from __future__ import annotations

import hashlib

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.data import images

CHUNK = 64  # images per batch: the feature maps of a large network fill the memory
RESIZER = "lanczos"  # the antialiased filter of `images.fit`


class FeatureNetwork:
    """Network whose features represent images in a comparison.

    Args:
        name: Name of the network, as in `features.NAMES`.
        model: Model from images, float32 [num, side, side, channels], to [features
            [num, dim], logits [num, classes]].
        mean: Offset of the pixels. The model's input is (pixel - mean) / scale, with
            pixels in 0..255.
        scale: Divisor of the pixels after the offset.
        class_names: Names of the network's classes, as the data sets have them; () if
            the names are unknown.
        about: Description of the network and its training, for the user.
    """

    def __init__(
        self,
        name: str,
        model: keras.Model,
        mean: float,
        scale: float,
        class_names: tuple[str, ...] = (),
        about: str = "",
    ):
        self._model = model
        self.name, self.class_names, self.about = name, class_names, about
        self.side, _, self.channels = model.input.shape[1:]
        self.dim = model.output[0].shape[-1]
        self.num_classes = model.output[1].shape[-1]

        def run(pictures):
            x = (ops.cast(pictures, "float32") - mean) / scale
            features, logits = model(x, training=False)
            return features, ops.softmax(logits)

        self._run = engine.compiled(run, model.variables)

    def identity(self) -> str:
        """Return a string that identifies the network, by its name and weights."""
        weights = hashlib.sha256()
        for weight in self._model.weights:
            weights.update(np.ascontiguousarray(weight.numpy()))
        return f"{self.name} {weights.hexdigest()}"

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the features and class probabilities of images.

        Args:
            pictures: uint8 [num, height, width, 1 or 3]. Images of another size are
                resized with an antialiased Lanczos filter. Other channels are converted
                to the network's, grayscale or RGB.

        Returns:
            (features float32 [num, dim], class probabilities float32 [num, classes]).
        """
        found = [
            self._look(pictures[start : start + CHUNK])
            for start in range(0, len(pictures), CHUNK)
        ]
        features, probabilities = zip(*found, strict=True)
        return np.concatenate(features), np.concatenate(probabilities)

    def _look(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wanted = (self.side, self.side, self.channels)
        if pictures.shape[1:] != wanted:
            pictures = np.stack(
                [images.fit(picture, self.side, self.channels) for picture in pictures]
            )
        features, probabilities = self._run(pictures)
        return ops.convert_to_numpy(features), ops.convert_to_numpy(probabilities)

"""Data sets in memory."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from keras_gans.data import conditions, pipeline
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.pipeline import Batch
from keras_gans.data.source import Source


class ArraySource(Source):
    """Data set in memory; the arrays are not copied.

    Args:
        images: Stored examples, uint8 [num, height, width, channels]; see
            `conditions.stored_shape`.
        labels: Class labels, int32 [num].
        info: Description of the data set.
        options: Options of the data set.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        info: DataInfo,
        options: DataOptions,
    ):
        self.images, self.labels, self.info, self.options = (
            images,
            labels,
            info,
            options,
        )

    def take(self, numbers: np.ndarray) -> ArraySource:
        """Return a source of the examples with these indices."""
        info = dataclasses.replace(self.info, num_examples=len(numbers))
        images, labels = self.images[numbers], self.labels[numbers]
        return ArraySource(images, labels, info, self.options)

    def identity(self) -> str:
        """Return a hash of the images and labels."""
        whole = hashlib.sha256(np.ascontiguousarray(self.images))
        whole.update(np.ascontiguousarray(self.labels))
        return whole.hexdigest()

    def batches(self, seed: int, share: Share = WHOLE) -> Callable[[int], Batch]:
        """Return a function from a step to its batch; it depends on (seed, step)."""

        def lookup(numbers):
            return self.images[numbers], self.labels[numbers]

        return pipeline.random_access(
            len(self.images), lookup, self.info, self.options, seed, share
        )

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each example once, in order: uint8 images and int32 labels."""
        for start in range(0, len(self.images), size):
            part = slice(start, start + size)
            images = conditions.centre(self.images[part], self.info, self.options)
            yield images, self.labels[part].astype(np.int32)

"""Streams of images, from a data set or from a generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from keras_gans.device.sampler import BaseSampler, SampleOptions

CHUNK = 256  # images per chunk of a data set


class DataPictures:
    """Stream of the images of a data set.

    Args:
        source: Data source with a `chunks` method; see `data.open_source`.
        title: Name of the stream in messages and results.
        num: Number of images to take from the start; all if not given.

    Attributes:
        held_out: Stream of the images that a run held out of training; None if there
            are no such images.
    """

    codes = takes_labels = False
    held_out: DataPictures | None = None

    def __init__(self, source, title: str, num: int | None = None):
        self._source, self.title = source, title
        self.num = num or source.info.num_examples
        self.image_shape = source.info.image_shape
        self.class_names = source.info.class_names

    def identity(self) -> str:
        """Return a string that identifies the images, except their number and shape."""
        return self._source.identity()

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield uint8 images and int32 labels; the labels are None without classes."""
        left = self.num
        for pictures, labels in self._source.chunks(CHUNK):
            yield pictures[:left], labels[:left] if self.class_names else None
            left -= len(pictures)
            if left <= 0:
                return

    def label_of(self, number: int) -> dict[str, int]:
        """Return {}: images from files are found by their number alone."""
        return {}

    def pick(self, numbers: Sequence[int]) -> np.ndarray:
        """Read some images again: uint8 [len(numbers), height, width, channels]."""
        found, start = {}, 0
        for pictures, _ in self.chunks():
            for number in set(numbers):
                if start <= number < start + len(pictures):
                    found[number] = pictures[number - start]
            start += len(pictures)
            if start > max(numbers):
                break
        return np.stack([found[number] for number in numbers])


class SampledPictures:
    """Stream of the images of a generator, with all classes in turn at first.

    Args:
        sampler: Generator from noise.
        num: Number of images.
        seed: Seed of the latents. The images equal `sampler.sample(num, seed=seed)`,
            with the labels of `set_labels` if it was called.

    Attributes:
        codes: Whether the labels are categorical codes that the generator learned
            without labels (InfoGAN), instead of classes of the data set.
        takes_labels: Whether the generator takes labels or such codes.
    """

    def __init__(self, sampler: BaseSampler, num: int, seed: int):
        self._sampler, self._options, self.num = sampler, SampleOptions(seed), num
        self.title = "samples"
        self.image_shape = tuple(sampler.info["image_shape"])
        self.class_names = tuple(map(str, sampler.info["class_names"]))
        self.codes = bool(sampler.info.get("num_codes"))
        self.takes_labels = bool(sampler.info["num_classes"])

    def set_labels(self, labels: np.ndarray) -> None:
        """Set the label of each image, int32 [num]."""
        self._options = dataclasses.replace(self._options, labels=labels)

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield uint8 images and int32 labels; the labels are None without classes."""
        size = self._sampler.at_once
        for start in range(0, self.num, size):
            yield self._make(range(start, min(start + size, self.num)))

    def pick(self, numbers: Sequence[int]) -> np.ndarray:
        """Generate some images again: uint8 [len(numbers), height, width, channels]."""
        return self._make(numbers)[0]

    def label_of(self, number: int) -> dict[str, int]:
        """Return {"label": the label of an image}; {} if there are no labels."""
        labels = self._labels([number])
        return {} if labels is None else {"label": int(labels[0])}

    def _labels(self, numbers: Sequence[int]) -> np.ndarray | None:
        labels = self._options.labels
        if labels is not None:
            return labels[np.asarray(numbers)]
        if not self.takes_labels:
            return None
        return np.asarray(numbers, np.int32) % self._sampler.info["num_classes"]

    def _make(self, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None]:
        return self._sampler.make(numbers, self._options), self._labels(numbers)

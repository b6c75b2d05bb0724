"""Streams of images: of a data set, and of a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from keras_gans.device.sampler import BaseSampler, SampleOptions

CHUNK = 256  # real pictures looked at at once; a generator makes `at_once`


class DataPictures:
    """Real pictures, or those of a folder, as a stream.

    Args:
        source: Of `data.open_source`, with `chunks`.
        title: What to call them.
        num: How many of them, the first; all if not given.

    Attributes:
        held_out: Those of the set that a run kept out of training, if there are any.
    """

    codes = False
    held_out: DataPictures | None = None

    def __init__(self, source, title: str, num: int | None = None):
        """Reads nothing yet."""
        self._source, self.title = source, title
        self.num = num or source.info.num_examples
        self.image_shape = source.info.image_shape
        self.class_names = source.info.class_names

    def identity(self) -> str:
        """Tells these pictures from any others; their number and shape apart."""
        return self._source.identity()

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields uint8 pictures and int32 labels; None without classes."""
        left = self.num
        for pictures, labels in self._source.chunks(CHUNK):
            yield pictures[:left], labels[:left] if self.class_names else None
            left -= len(pictures)
            if left <= 0:
                return

    def pick(self, numbers: Sequence[int]) -> np.ndarray:
        """Reads some pictures again: uint8 [len(numbers), height, width, channels]."""
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
    """A generator's pictures as a stream: all classes in turn.

    Args:
        sampler: The generator.
        num: How many.
        seed: Of the latents; the same pictures as `sampler.sample(num, seed=seed)`.

    Attributes:
        codes: Whether its labels are codes that it found on its own (infogan).
    """

    def __init__(self, sampler: BaseSampler, num: int, seed: int):
        """Makes none yet."""
        self._sampler, self._options, self.num = sampler, SampleOptions(seed), num
        self.title = "samples"
        self.image_shape = tuple(sampler.info["image_shape"])
        self.class_names = tuple(map(str, sampler.info["class_names"]))
        self.codes = bool(sampler.info.get("num_codes"))

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields uint8 pictures and int32 labels; None without classes."""
        size = self._sampler.at_once
        for start in range(0, self.num, size):
            yield self._make(range(start, min(start + size, self.num)))

    def pick(self, numbers: Sequence[int]) -> np.ndarray:
        """Makes some pictures again: uint8 [len(numbers), height, width, channels]."""
        return self._make(numbers)[0]

    def _make(self, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None]:
        classes, labels = self._sampler.info["num_classes"], None
        if classes:
            labels = np.asarray(numbers, np.int32) % classes
        return self._sampler.make(numbers, self._options), labels

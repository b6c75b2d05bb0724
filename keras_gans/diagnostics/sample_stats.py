"""Statistics of generated samples relative to real images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_gans import data
from keras_gans.core import checks
from keras_gans.device.sampler import BaseSampler

if TYPE_CHECKING:
    from keras_gans.data.pipeline import Batch
    from keras_gans.data.source import Source

EXTREME = 0.99  # absolute pixel value in [-1, 1] from which it is black or white
EXAMPLES = 16, 64  # minimum and maximum number of images
LEAST_PAIRS = 64  # pairs of one class that a mean distance within classes needs


def examples(source: Source) -> Batch:
    """Return about one batch of real images, as the reference of the statistics.

    Args:
        source: Source of the examples.

    Raises:
        UserError: If the images are not in [-1, 1], not finite or all the same.
    """
    few, many = EXAMPLES
    num = max(few, min(many, source.options.batch_size))
    found = data.first_examples(source, num)
    checks.check_pictures(found["images"], source.options.dataset)
    return found


class SampleStatistics:
    """Diversity and saturation of a generator, measured on fixed latents.

    Args:
        sampler: Sampler of the model.
        examples: Batch of real images, with their labels or condition images.
    """

    def __init__(self, sampler: BaseSampler, examples: Batch):
        self._sampler, real = sampler, examples["images"]
        self._labels, self._condition = (
            examples.get("labels"),
            examples.get("condition"),
        )
        numbers = range(len(real))
        self._latents = None
        self._classes = np.zeros(len(real), int)
        if "condition_shape" not in sampler.info:
            self._latents = sampler.latents(numbers)
            self._extra = sampler.extra_inputs(numbers)
        if sampler.info.get("num_classes") and not sampler.info["num_codes"]:
            self._classes = np.asarray(self._labels)
        whole = np.zeros(len(real), int)
        self._distance, all_pairs = (
            _mean_distance(real, c) for c in (self._classes, whole)
        )
        if self._distance < 1e-5 * all_pairs:  # repeats of one image a class
            self._classes, self._distance = whole, all_pairs
        self._between = _share_between(real)

    def measure(self) -> dict[str, float]:
        """Measure the generator with its present weights.

        Returns:
            diversity: Mean distance between two generated images, as a share of the
                mean distance between two real images. If the generator takes labels,
                both images are of one class.
            saturation: Relative shortage of pixel values between black and white, in
                generated compared with real images; 0 if almost all pixels of the real
                images are black or white.
        """
        fake = self._make()
        saturation = 0.0
        if self._between > 0.02:
            saturation = max(0.0, 1.0 - _share_between(fake) / self._between)
        diversity = _mean_distance(fake, self._classes) / self._distance
        return {"diversity": diversity, "saturation": saturation}

    def _make(self) -> np.ndarray:
        if self._latents is None:
            return self._sampler.run({"condition": self._condition})
        labels = None
        if self._sampler.info["num_codes"]:
            labels = np.arange(len(self._latents)) % self._sampler.info["num_classes"]
        elif self._sampler.info["num_classes"]:
            labels = self._labels
        return self._sampler.generate(self._latents, labels, self._extra)


def _mean_distance(pictures: np.ndarray, classes: np.ndarray) -> float:
    """Return the root mean square difference, averaged over pairs of one class."""
    flat = np.asarray(pictures, np.float64).reshape(len(pictures), -1)
    squares = (flat**2).mean(axis=1)
    # |a - b|^2 = |a|^2 + |b|^2 - 2 ab, which rounding may make negative.
    apart = squares[:, None] + squares - 2 * flat @ flat.T / flat.shape[1]
    one, two = np.triu_indices(len(flat), 1)
    same = classes[one] == classes[two]
    if same.sum() >= LEAST_PAIRS:  # or else pairs of any classes
        one, two = one[same], two[same]
    return float(np.sqrt(np.maximum(apart[one, two], 0.0)).mean())


def _share_between(pictures: np.ndarray) -> float:
    return float((np.abs(pictures) < EXTREME).mean())

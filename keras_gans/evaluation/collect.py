"""Statistics of a stream of images, in constant memory.

Images come in chunks and are not kept. What stays is float32 [num, dim] features and a
few sums; images that a report shows are made again, by their numbers.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_gans.evaluation.features.network import FeatureNetwork
from keras_gans.evaluation.metrics.class_score import ClassScore
from keras_gans.evaluation.metrics.matching import best_matching
from keras_gans.evaluation.metrics.ssim import ms_ssim, num_scales
from keras_gans.evaluation.streams import DataPictures, SampledPictures
from keras_gans.terminal.progress import ProgressBar

PAIRS = 1000  # compared by MS-SSIM, over all classes together


@dataclasses.dataclass(frozen=True)
class StreamStats:
    """Statistics of a stream of images.

    Attributes:
        features: float32 [num, dim].
        score: (mean, standard deviation) of the class score over ten parts.
        accuracy: Share of pictures in which the network sees their class; None if it
            does not know these classes.
        ms_ssim: Mean of pairs (of one class, if they were taken so); None if the
            pictures are too small.
    """

    features: np.ndarray
    score: tuple[float, float]
    accuracy: float | None
    ms_ssim: float | None


def collect(
    pictures: DataPictures | SampledPictures, network: FeatureNetwork, by_class: bool
) -> StreamStats:
    """Collect the statistics of a stream of images, and show the progress.

    Args:
        pictures: Stream of images.
        network: Feature network.
        by_class: Whether MS-SSIM takes pairs of one class, rather than any pairs.

    Returns:
        Statistics of the images that could be read, which may be none.
    """
    found = np.empty((pictures.num, network.dim), np.float32)
    score, seen = ClassScore(pictures.num), 0
    counts = None
    if knows_classes(network, pictures):
        counts = np.zeros((network.num_classes, network.num_classes), int)
    groups = len(pictures.class_names) if by_class else 1
    pairs = _Pairs(groups) if num_scales(pictures.image_shape[0]) else None
    with ProgressBar(pictures.num, "images", pictures.title) as progress:
        for chunk, labels in pictures.chunks():
            features, probabilities = network(chunk)
            found[seen : seen + len(chunk)] = features
            seen += len(chunk)
            score.add(probabilities)
            if counts is not None:
                np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
            if pairs:
                pairs.add(chunk, labels if by_class else np.zeros(len(chunk), int))
            progress.update(seen)
    if not seen:
        return StreamStats(found[:0], (0.0, 0.0), None, None)
    accuracy = None
    if counts is not None:
        means = np.arange(len(counts))
        if pictures.codes:
            means = best_matching(counts)
        accuracy = float(counts[np.arange(len(counts)), means].sum() / seen)
    return StreamStats(
        found[:seen], score.result(), accuracy, pairs.mean() if pairs else None
    )


def knows_classes(
    network: FeatureNetwork, pictures: DataPictures | SampledPictures
) -> bool:
    """Return whether a network classifies into the classes of a stream of images.

    Args:
        network: Feature network.
        pictures: Stream of images; codes have to be as many as the network's classes.
    """
    if pictures.codes:
        return len(pictures.class_names) == len(network.class_names)
    return bool(network.class_names) and pictures.class_names == network.class_names


class _Pairs:
    """Takes pictures as they come, pairs each with the next of its class."""

    def __init__(self, groups: int):
        self._most = max(1, PAIRS // groups)  # of one class
        self._waiting: dict[int, np.ndarray] = {}
        self._taken: dict[int, int] = {}
        self._sum, self._num = 0.0, 0

    def add(self, pictures: np.ndarray, labels: np.ndarray) -> None:
        firsts, seconds = [], []
        for picture, label in zip(pictures, labels.tolist(), strict=True):
            if self._taken.get(label, 0) == self._most:
                continue
            if label not in self._waiting:
                self._waiting[label] = picture.copy()  # not a view of its chunk
                continue
            firsts.append(self._waiting.pop(label))
            seconds.append(picture)
            self._taken[label] = self._taken.get(label, 0) + 1
        if firsts:
            self._sum += float(ms_ssim(np.stack(firsts), np.stack(seconds)).sum())
            self._num += len(firsts)

    def mean(self) -> float | None:
        return self._sum / self._num if self._num else None

"""Statistics of a stream of images, without keeping the images.

Images arrive in chunks and are discarded. Only their features, float32 [num, dim], and
a few sums stay in memory. Images that a report shows are read or generated again.
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

PAIRS = 1000  # upper limit for MS-SSIM, over all classes together
CHANGED = 500  # images that are also shifted and mirrored


@dataclasses.dataclass(frozen=True)
class StreamStats:
    """Statistics of a stream of images.

    Attributes:
        features: Features of the images, float32 [num, dim].
        score: (mean, standard deviation) of the class score over ten parts of the
            images.
        accuracy: Share of images that the feature network assigns to the class of
            their label; None if the network does not know these classes.
        ms_ssim: Mean MS-SSIM over pairs of images; None if the images are too small or
            no two images form a pair.
        class_counts: Number of images of each class, int [classes]; None if there are
            no classes.
        changed: Features of CHANGED evenly spaced images, each in the nine forms of
            `changes`, float32 [images, 9, dim]. Without images if not asked for.
        changed_rows: Rows of these images in `features`, int [images].
    """

    features: np.ndarray
    score: tuple[float, float]
    accuracy: float | None
    ms_ssim: float | None
    class_counts: np.ndarray | None
    changed: np.ndarray
    changed_rows: np.ndarray


def changes(pictures: np.ndarray) -> np.ndarray:
    """Shift images by a pixel in each of eight directions, and mirror them.

    Args:
        pictures: uint8 [num, height, width, channels].

    Returns:
        uint8 [num, 9, height, width, channels]. A shift repeats the pixels of the edge.
    """
    height, width = pictures.shape[1:3]
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    corners = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    shifted = [padded[:, y : y + height, x : x + width] for y, x in corners]
    return np.stack([*shifted, pictures[:, :, ::-1]], axis=1)


def collect(
    pictures: DataPictures | SampledPictures,
    network: FeatureNetwork,
    by_class: bool,
    with_changes: bool,
) -> StreamStats:
    """Collect the statistics of a stream of images, with a progress bar.

    Labels that are codes have no fixed class. Their accuracy is that of the one-to-one
    matching of codes and classes that agrees best.

    Args:
        pictures: Stream of images.
        network: Feature network.
        by_class: Whether to form the pairs of MS-SSIM within each class, instead of
            from any two images.
        with_changes: Whether to collect `StreamStats.changed`.

    Returns:
        Statistics of the images that could be read. If no image could be read, the
        features have no rows.
    """
    found = np.empty((pictures.num, network.dim), np.float32)
    score, seen = ClassScore(pictures.num), 0
    # Evenly spaced: a folder is read class by class.
    num_changed = min(pictures.num, CHANGED) if with_changes else 0
    chosen = np.arange(num_changed) * pictures.num // max(num_changed, 1)
    changed, filled = np.empty((num_changed, 9, network.dim), np.float32), 0
    counts = class_counts = None
    if pictures.class_names:
        class_counts = np.zeros(len(pictures.class_names), int)
    if knows_classes(network, pictures):
        counts = np.zeros((network.num_classes, network.num_classes), int)
    groups = len(pictures.class_names) if by_class else 1
    pairs = _Pairs(groups) if num_scales(pictures.image_shape[0]) else None
    with ProgressBar(pictures.num, "images", pictures.title) as progress:
        for chunk, labels in pictures.chunks():
            features, probabilities = network(chunk)
            found[seen : seen + len(chunk)] = features
            inside = (chosen >= seen) & (chosen < seen + len(chunk))
            if inside.any():
                some = changes(chunk[chosen[inside] - seen])
                again = network(some.reshape(-1, *chunk.shape[1:]))[0]
                changed[filled : filled + len(some)] = again.reshape(len(some), 9, -1)
                filled += len(some)
            seen += len(chunk)
            score.add(probabilities)
            known = slice(None) if labels is None else labels >= 0  # TFDS: -1 is none
            if class_counts is not None:
                class_counts += np.bincount(labels[known], minlength=len(class_counts))
            if counts is not None:
                found_classes = probabilities.argmax(axis=1)
                np.add.at(counts, (labels[known], found_classes[known]), 1)
            if pairs and by_class:
                pairs.add(chunk[known], labels[known])
            elif pairs:
                pairs.add(chunk, np.zeros(len(chunk), int))
            progress.update(seen)
    if not seen:
        none = found[:0], (0.0, 0.0), None, None, class_counts, changed[:0], chosen[:0]
        return StreamStats(*none)
    accuracy = None
    if counts is not None and counts.any():
        means = np.arange(len(counts))
        if pictures.codes:
            means = best_matching(counts)
        accuracy = float(counts[np.arange(len(counts)), means].sum() / counts.sum())
    similarity = pairs.mean() if pairs else None
    return StreamStats(
        found[:seen],
        score.result(),
        accuracy,
        similarity,
        class_counts,
        changed[:filled],
        chosen[:filled],
    )


def knows_classes(
    network: FeatureNetwork, pictures: DataPictures | SampledPictures
) -> bool:
    """Return whether a network classifies into the classes of a stream of images.

    Args:
        network: Feature network.
        pictures: Stream of images. If its labels are codes, only their number has to
            equal the network's number of classes.
    """
    if pictures.codes:
        return len(pictures.class_names) == len(network.class_names)
    return bool(network.class_names) and pictures.class_names == network.class_names


class _Pairs:
    """Running mean of MS-SSIM over pairs of successive images of one class."""

    def __init__(self, groups: int):
        self._most = max(1, PAIRS // groups)  # pairs per class
        self._waiting: dict[int, np.ndarray] = {}
        self._taken: dict[int, int] = {}
        self._sum, self._num = 0.0, 0

    def add(self, pictures: np.ndarray, labels: np.ndarray) -> None:
        firsts, seconds = [], []
        for picture, label in zip(pictures, labels.tolist(), strict=True):
            if self._taken.get(label, 0) == self._most:
                continue
            if label not in self._waiting:
                self._waiting[label] = picture.copy()  # a view would keep the chunk
                continue
            firsts.append(self._waiting.pop(label))
            seconds.append(picture)
            self._taken[label] = self._taken.get(label, 0) + 1
        if firsts:
            self._sum += float(ms_ssim(np.stack(firsts), np.stack(seconds)).sum())
            self._num += len(firsts)

    def mean(self) -> float | None:
        return self._sum / self._num if self._num else None

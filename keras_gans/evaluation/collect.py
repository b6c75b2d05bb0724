"""What two streams of pictures are compared by, in constant memory.

Pictures come in chunks, are looked at by a feature network and forgotten; what stays is
float32 [num, dim] features, a few sums, and the numbers of the pictures that are worth
a second look, which are then made again.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from keras_gans.device.sampler import BaseSampler
from keras_gans.evaluation.features.network import FeatureNetwork
from keras_gans.evaluation.metrics import neighbours
from keras_gans.evaluation.metrics.class_score import ClassScore
from keras_gans.evaluation.metrics.frechet import frechet_distance
from keras_gans.evaluation.metrics.kid import kid, standard_error
from keras_gans.evaluation.metrics.matching import best_matching
from keras_gans.evaluation.metrics.prdc import prdc
from keras_gans.evaluation.metrics.ssim import ms_ssim, num_scales

CHUNK = 256  # real pictures looked at at once; a generator makes `at_once`
PAIRS = 1000  # compared by MS-SSIM, over all classes together
SUBSETS, SUBSET_SIZE = 100, 1000  # of KID
PRDC_NUM, PRDC_K = 10_000, 5  # at most this many of each; their time is quadratic
SUSPICIOUS = 10  # pairs that are shown


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
        self._sampler, self._seed, self.num = sampler, seed, num
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
        return self._sampler.make(numbers, labels, self._seed), labels


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a stream of pictures left.

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


def look(
    pictures: DataPictures | SampledPictures, network: FeatureNetwork, by_class: bool
) -> Seen:
    """Looks at a stream of pictures once, and shows how far it is.

    Args:
        pictures: The stream.
        network: What looks at them.
        by_class: Whether MS-SSIM takes pairs of one class, rather than any.

    Returns:
        What it left; of no pictures, should none be readable, no features.
    """
    found = np.empty((pictures.num, network.dim), np.float32)
    score, seen = ClassScore(pictures.num), 0
    counts = None
    if judges(network, pictures):
        counts = np.zeros((network.num_classes, network.num_classes), int)
    groups = len(pictures.class_names) if by_class else 1
    pairs = _Pairs(groups) if num_scales(pictures.image_shape[0]) else None
    progress = Progress(pictures.title, pictures.num)
    for chunk, labels in pictures.chunks():
        features, probabilities = network(chunk)
        found[seen : seen + len(chunk)] = features
        seen += len(chunk)
        score.add(probabilities)
        if counts is not None:
            np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
        if pairs:
            pairs.add(chunk, labels if by_class else np.zeros(len(chunk), int))
        progress.show(seen)
    progress.end(seen)
    if not seen:
        return Seen(found[:0], (0.0, 0.0), None, None)
    accuracy = None
    if counts is not None:
        means = np.arange(len(counts))
        if pictures.codes:
            means = best_matching(counts)
        accuracy = float(counts[np.arange(len(counts)), means].sum() / seen)
    return Seen(found[:seen], score.result(), accuracy, pairs.mean() if pairs else None)


def judges(network: FeatureNetwork, pictures: DataPictures | SampledPictures) -> bool:
    """Whether a network can say if pictures show the class that they are meant to.

    Args:
        network: The network.
        pictures: The pictures; of codes, there have to be as many as classes.

    Returns:
        Whether their classes are the network's.
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


def compare(real: np.ndarray, fake: np.ndarray) -> dict[str, float | dict]:
    """Measures two sets of features against each other.

    Args:
        real: float32 [num_real, dim], the reference.
        fake: float32 [num_fake, dim].

    Returns:
        kid, frechet_distance, precision, recall, density, coverage. The last four are
        of equal numbers, PRDC_NUM at most, drawn with seeds 0 and 1.
    """
    # Subsets of all there are would all be alike, and show no spread.
    fewest = min(len(real), len(fake))
    size = min(SUBSET_SIZE, fewest // 2)
    mean, deviation = kid(real, fake, SUBSETS, size)
    num = min(PRDC_NUM, fewest)
    drawn = [
        features[np.random.default_rng(seed).permutation(len(features))[:num]]
        for seed, features in enumerate((real, fake))
    ]
    return {
        "kid": {
            "mean": mean,
            "standard_error": standard_error(deviation, size, fewest),
            "standard_deviation": deviation,
            "subset_size": size,
        },
        "frechet_distance": frechet_distance(real, fake),
        **prdc(*drawn, k=PRDC_K),
    }


def memorisation(
    samples: np.ndarray, train: np.ndarray, held_out: np.ndarray | None
) -> tuple[dict, dict, list[tuple[int, int]]]:
    """Asks whether samples are copies of training pictures.

    Args:
        samples: float32 [num, dim].
        train: float32 [num_train, dim].
        held_out: float32 [num_held_out, dim], of real pictures that are not in `train`;
            None if there are none.

    Returns:
        (of the samples, of the held-out pictures, the most suspicious pairs): each of
        the first two has `authenticity` and `nearest_distance` (the median); the
        samples also have `suspicious`, the share that lies as near to a training
        picture, on its own scale, as the nearest 1 % of held-out pictures. Pairs are
        (number of the sample, number of the training picture), the nearest first.
    """
    numbers, ratios, found = None, [], []
    for features in (samples, held_out):
        if features is None:
            found.append({})
            continue
        distances, nearest = neighbours.nearest(features, train)
        ratios.append(neighbours.copy_ratios(distances, nearest, train))
        numbers = nearest if numbers is None else numbers
        found.append(
            {
                "authenticity": neighbours.authenticity(ratios[-1]),
                "nearest_distance": float(np.median(distances)),
            }
        )
    if held_out is not None:
        limit = np.quantile(ratios[1], 0.01)
        found[0]["suspicious"] = float((ratios[0] <= limit).mean())
        found[1]["suspicious"] = float((ratios[1] <= limit).mean())
    order = np.argsort(ratios[0], kind="stable")[:SUSPICIOUS]
    return *found, [(int(i), int(numbers[i])) for i in order]


class Progress:
    """How many pictures have been looked at; few lines where it is no terminal.

    Args:
        title: What they are.
        num: How many there are.
    """

    EVERY = 20.0  # seconds between two lines; 1 on a terminal

    def __init__(self, title: str, num: int):
        """Starts the clock."""
        self._title, self._num = title, num
        self._terminal = sys.stdout.isatty()
        self._every = 1.0 if self._terminal else self.EVERY
        self._start = self._shown = time.monotonic()

    def show(self, done: int) -> None:
        """Shows a line, if one is due."""
        now = time.monotonic()
        if now - self._shown >= self._every:
            self._shown = now
            left = int((self._num - done) * (now - self._start) / done)
            self._print(
                f"{self._title}: {done}/{self._num}, {left // 60}:{left % 60:02d} left"
            )

    def end(self, done: int) -> None:
        """Says how long it took."""
        seconds = time.monotonic() - self._start
        self._print(f"{self._title}: {done} in {seconds:.0f} s")
        if self._terminal:
            print(flush=True)

    def _print(self, line: str) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)

"""Labels of the samples of an evaluation: as frequent as in the real images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_gans.evaluation.collect import StreamStats
    from keras_gans.evaluation.streams import DataPictures, SampledPictures


def proportional(counts: np.ndarray, num: int) -> np.ndarray:
    """Return labels whose counts are proportional to given counts.

    Fractions are rounded by the method of largest remainders. The labels of each class
    are spread evenly over the list.

    Args:
        counts: Number of real images of each class, int [classes], not all 0.
        num: Number of labels.

    Returns:
        int32 [num].
    """
    counts = np.asarray(counts, np.int64)
    whole, rest = np.divmod(counts * num, counts.sum())
    # Of equal remainders, those of the first classes are rounded up.
    most = np.argsort(-rest, kind="stable")[: num - whole.sum()]
    whole[most] += 1
    labels = np.repeat(np.arange(len(whole)), whole)
    places = np.concatenate([(np.arange(n) + 0.5) / n for n in whole if n])
    return labels[np.argsort(places, kind="stable")].astype(np.int32)


def choose(
    samples: DataPictures | SampledPictures,
    *real: tuple[DataPictures, StreamStats],
) -> tuple[np.ndarray | None, str | None]:
    """Choose the labels of samples by the frequencies of real images.

    Args:
        samples: Stream of images to evaluate.
        *real: Streams of real images and their statistics. The first one counts whose
            classes the generator has.

    Returns:
        (labels int32 [num], title of the stream that they follow). (None, None) if the
        generator takes no labels, or no stream has its classes.
    """
    if samples.codes or not samples.takes_labels:
        return None, None
    numbers = {name: i for i, name in enumerate(samples.class_names)}
    for stream, stats in real:
        if stats.class_counts is None or not stats.class_counts.any():
            continue  # no image has a label
        if not numbers.keys() >= set(stream.class_names):
            continue
        counts = np.zeros(len(numbers), np.int64)
        counts[[numbers[name] for name in stream.class_names]] = stats.class_counts
        return proportional(counts, samples.num), stream.title
    return None, None

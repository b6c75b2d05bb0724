"""Labels of samples are as frequent as those of the real images."""

import functools
import json

import numpy as np
import pytest

from keras_gans import data
from keras_gans.data.options import DataInfo
from keras_gans.device.sampler import BaseSampler
from keras_gans.evaluation import collect, features, labels, samples
from keras_gans.evaluation.options import EvaluationOptions
from keras_gans.evaluation.streams import DataPictures, SampledPictures


@pytest.mark.parametrize(
    "counts, num, expected",
    [
        ([2, 1], 6, [4, 2]),
        ([1, 1, 1], 7, [3, 2, 2]),
        ([0, 5], 3, [0, 3]),
        ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 10_000, None),
        ([3, 3, 1], 5, [2, 2, 1]),  # 2.14, 2.14 and 0.71
    ],
)
def test_labels_have_the_proportions_of_counts(counts, num, expected):
    found = labels.proportional(np.array(counts), num)
    assert found.dtype == np.int32 and found.shape == (num,)
    own = np.bincount(found, minlength=len(counts))
    assert own.tolist() == (counts if expected is None else expected)
    # Each prefix has nearly the same proportions.
    for length in (num // 3, num // 2):
        part = np.bincount(found[:length], minlength=len(counts))
        assert np.abs(part - own * length / num).max() <= 1


def test_equal_counts_give_all_classes_in_turn():
    found = labels.proportional(np.full(4, 9), 12)
    np.testing.assert_array_equal(found, np.arange(12) % 4)


@functools.cache
def digits():
    """Return the 5,000 embedded digits."""
    return data.open_source(data.DataOptions("digits", batch_size=1))


class Part:
    """Source of some of the embedded digits, with the attributes of a `Source`."""

    def __init__(self, rows, names):
        self.images, self.labels = digits().images[rows], digits().labels[rows]
        self.info = DataInfo((28, 28, 1), class_names=names, num_examples=len(rows))

    def chunks(self, size):
        """Yield images and labels in order."""
        for i in range(0, len(self.images), size):
            yield self.images[i : i + size], self.labels[i : i + size]

    def identity(self):
        """Return the labels."""
        return f"part {self.labels.tolist()}"


def test_images_without_a_label_do_not_count():
    """TFDS marks images without a label by -1."""
    names = digits().info.class_names
    rows = np.arange(40)
    part = Part(rows, names)
    part.labels = np.where(rows % 2, -1, 3)
    network = features.open_network("classifier:digits")
    stats = collect.collect(DataPictures(part, "some"), network, True, False)
    assert stats.class_counts.tolist() == [0, 0, 0, 20, 0, 0, 0, 0, 0, 0]
    part.labels = np.full(40, -1)
    stats = collect.collect(DataPictures(part, "none"), network, False, False)
    assert not stats.class_counts.any() and stats.accuracy is None
    sampler = SampledPictures(Perfect(np.arange(100), names), 20, 0)
    none = DataPictures(part, "none"), stats
    assert labels.choose(sampler, none) == (None, None)


class Perfect(BaseSampler):
    """Generator of digits that it has in store: one image for each number and label."""

    def __init__(self, rows, names):
        images, classes = digits().images, digits().labels
        self.by_class = [
            [images[i] for i in rows if classes[i] == label] for label in range(10)
        ]
        self.info = {
            **{"name": "perfect", "step": 1, "image_shape": (28, 28, 1)},
            **{"num_classes": 10, "num_codes": 0, "class_names": names},
            **{"latent_dim": 1, "latents": "normal"},
        }

    def generate(self, latents, labels, extra):
        """Return images of the labels, as numbered by the latents."""
        numbers = np.abs(latents[:, 0] * 1e6).astype(int)
        found = [
            self.by_class[label][number % len(self.by_class[label])]
            for number, label in zip(numbers, labels, strict=True)
        ]
        return np.stack(found) / 127.5 - 1


@pytest.mark.second
def test_perfect_generator_of_uneven_classes_has_a_kid_of_0(tmp_path, monkeypatch):
    """Half of the classes have twice as many images as the other half."""
    names = digits().info.class_names
    classes = digits().labels
    numbers = np.arange(len(classes))
    fresh = numbers[numbers % 2 == 0]
    rest = numbers[numbers % 2 == 1]
    uneven = rest[(classes[rest] % 2 == 0) | (rest % 4 == 1)]
    options = EvaluationOptions("perfect", 1500, cache=False)
    network = features.open_network("classifier:digits")
    found = {}
    for chosen in ("as the reference", "equal"):
        if chosen == "equal":
            monkeypatch.setattr(labels, "choose", lambda *real: (None, None))
        sampler = Perfect(fresh, names)
        reference, train = (
            DataPictures(Part(rows, names), title)
            for rows, title in ((uneven, "uneven"), (fresh, "fresh"))
        )
        own = SampledPictures(sampler, 1500, 0)
        out = tmp_path / chosen
        out.mkdir()
        samples.measure(options, own, train, reference, "", network, sampler, str(out))
        [path] = out.glob("*.json")
        found[chosen] = json.loads(path.read_text())
    right, wrong = found["as the reference"], found["equal"]
    assert right["label_frequencies"] == "uneven"
    assert wrong["label_frequencies"] == "equal"
    kid = right["samples"]["kid"]
    assert abs(kid["mean"]) < 2 * kid["standard_error"]
    assert wrong["samples"]["kid"]["mean"] > 5 * kid["standard_error"]
    ours, theirs = (x["samples"]["frechet_distance"] for x in (right, wrong))
    assert theirs > 1.5 * ours

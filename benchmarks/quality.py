r"""Measures generators of digits or fashion with a classifier of the full data set.

    python benchmarks/quality.py --dataset=mnist --source=runs/cgan --data_dir=~/tfds
    python benchmarks/quality.py --dataset=fashion_mnist --source=runs/dcgan \
        --data_dir=~/tfds

Trains a small CNN on the 60,000 training pictures (once; its weights are kept in
--cache), then draws 10,000 samples, all classes in turn, and prints

- accuracy: the share in which the classifier sees the class that was asked for (not for
  an unconditional generator); where the labels are codes that a model found on its own
  (infogan), with the best matching of codes and classes, one to one;
- kid: the kernel inception distance of the 10,000 to the test split (100 subsets of
  1,000; mean and standard deviation), on the classifier's 128 features, so that it is
  no paper's KID;
- coverage, recall, precision, density at k = 5 of 5,000 of them, on the same features:
  against the whole test split of 10,000, and against 5,000 of it, drawn with seed 0
  (coverage is defined for equal numbers). The same for the 5,000 real pictures that the
  package trains on, as the ceiling.

Pictures of another side than the 28 pixels of the classifier are resized to it
(antialiased); so are then the real ones, which were resized to that side before.
"""

from __future__ import annotations

import functools
import json
import os
import sys

import numpy as np
from absl import flags

from keras_gans.command import import_tensorflow, run_command
from keras_gans.errors import UserError

# Of each TFDS set: its part in the package, and the classifier's least test accuracy.
EMBEDDED = {"mnist": ("digits", 0.99), "fashion_mnist": ("fashion", 0.91)}


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_multi_string("source", [], "A workdir or an export; several.", **flag)
    flags.DEFINE_enum(
        "dataset", "mnist", [*EMBEDDED], "What the classifier is trained on.", **flag
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_string("cache", "runs", "Folder for the classifiers.", **flag)
    flags.DEFINE_integer("seed", 0, "Seed of the samples.", **flag)


def read(
    name: str, split: str, data_dir: str | None, side: int = 28
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a split of a TFDS set: uint8 [num, side, side, 1] and int32 [num]."""
    from keras_gans import data

    options = data.DataOptions(
        f"tfds:{name}", batch_size=1, split=split, image_size=side
    )
    source = data.open_source(options, data_dir)
    return source.images, source.labels


def classifier(name: str, cache: str, data_dir: str | None):
    """Trains the CNN, or reads it: a model from images to [features, logits]."""
    import keras
    from keras import layers

    from keras_gans.images import to_float

    if not os.path.isfile(cache):
        images, labels = read(name, "train", data_dir)
        keras.utils.set_random_seed(0)
        inputs = x = keras.Input((28, 28, 1))
        for filters, pool in ((32, 2), (64, 2), (64, 1)):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.MaxPooling2D(pool)(x)
        x = layers.Dropout(0.3)(layers.Flatten()(x))
        features = layers.Dense(128, "relu", name="features")(x)
        logits = layers.Dense(10)(layers.Dropout(0.3)(features))
        model = keras.Model(inputs, [features, logits])
        epochs, batch = 4, 128
        schedule = keras.optimizers.schedules.CosineDecay(
            2e-3, epochs * len(images) // batch
        )
        model.compile(
            keras.optimizers.Adam(schedule),
            [None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)],
        )
        model.fit(to_float(images), [None, labels], batch, epochs, verbose=2)
        os.makedirs(os.path.dirname(cache) or ".", exist_ok=True)
        model.save(cache)
    return keras.models.load_model(cache, compile=False)


def best_matching(asked: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Renames the labels asked for, one to one, so that most agree with those seen.

    Args:
        asked: int [num] in 0..9.
        seen: int [num] in 0..9.

    Returns:
        int [num]: the class that stands for each label.
    """
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (asked, seen), 1)
    # The best for the first labels with each set of classes, label by label.
    best = {0: (0, ())}
    for label in range(10):
        longer = {}
        for used, (total, chosen) in best.items():
            for name in range(10):
                if not used >> name & 1:
                    value = total + counts[label, name], (*chosen, name)
                    key = used | 1 << name
                    longer[key] = max(longer.get(key, (-1, ())), value)
        best = longer
    [(_, chosen)] = best.values()
    return np.array(chosen)[asked]


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("quality", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    import_tensorflow()
    from keras_gans import data, sample
    from keras_gans.images import fit, to_float
    from keras_gans.metrics.kid import kid
    from keras_gans.metrics.prdc import prdc

    samplers = {source: sample.load(source) for source in values.source}
    data_dir = values.data_dir and os.path.expanduser(values.data_dir)
    name, (embedded, least) = values.dataset, EMBEDDED[values.dataset]
    cache = os.path.join(values.cache, f"{name}_classifier.keras")
    model = classifier(name, cache, data_dir)

    def see(images):
        if images.shape[1] != 28:
            images = np.stack([fit(image, 28, channels=1) for image in images])
        features, logits = model.predict(to_float(images), 500, verbose=0)
        return features, logits.argmax(axis=1)

    @functools.cache
    def references(side):
        images, labels = read(name, "test", data_dir, side)
        features, seen = see(images)
        right = float((seen == labels).mean())
        line = {"classifier": cache, "side": side, "test_accuracy": right}
        print(json.dumps(line), flush=True)
        if side == 28 and right < least:
            raise UserError(f"{cache}: {right:.4f} on the test split; delete it")
        return features

    references(28)
    half = np.random.default_rng(0).permutation(10_000)[:5000]

    def report(name, pictures, wanted, codes=False):
        features, seen = see(pictures)
        reference = references(pictures.shape[1])
        chosen = np.random.default_rng(1).permutation(len(pictures))[:5000]
        row = {"source": name}
        if codes:
            wanted = best_matching(wanted, seen)
        if wanted is not None:
            row["accuracy"] = float((seen == wanted).mean())
        row["kid"] = [round(v, 3) for v in kid(reference, features)]
        for title, real in (("10000", reference), ("5000", reference[half])):
            found = prdc(real, features[chosen], k=5)
            row[f"against_{title}"] = {k: round(v, 4) for k, v in found.items()}
        print(json.dumps(row), flush=True)

    wanted = np.arange(10_000) % 10
    for source, sampler in samplers.items():
        asked = wanted if sampler.info["num_classes"] else None
        codes = bool(sampler.info.get("num_codes"))
        report(source, sampler.sample(10_000, asked, values.seed), asked, codes)
    real = data.open_source(data.DataOptions(embedded, batch_size=1))
    report(f"the embedded 5,000 real {embedded}", real.images, real.labels)


if __name__ == "__main__":
    sys.exit(main())

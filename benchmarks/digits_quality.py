"""Measures a conditional generator of digits with a classifier of the full MNIST.

    python benchmarks/digits_quality.py --source=runs/cgan --data_dir=~/tfds

Trains a small CNN on MNIST's 60,000 training digits (once; its weights are kept in
--cache), then draws 10,000 samples, 1,000 of each digit, and prints

- accuracy: the share in which the classifier sees the digit that was asked for;
- coverage, recall, precision, density at k = 5 of 5,000 of them, on the classifier's
  128 features: against the whole test split of 10,000, and against 5,000 of it, drawn
  with seed 0 (coverage is defined for equal numbers). The same for real digits, the
  5,000 that the package trains on, as the ceiling.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np
from absl import flags

from keras_gans.command import import_tensorflow, run_command
from keras_gans.errors import UserError


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_multi_string("source", [], "A workdir or an export; several.", **flag)
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps or puts MNIST.", **flag)
    flags.DEFINE_string("cache", "runs/mnist_classifier.keras", "The CNN.", **flag)
    flags.DEFINE_integer("seed", 0, "Seed of the samples.", **flag)


def mnist(split: str, data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Reads a split of the real MNIST: uint8 [num, 28, 28, 1] and int32 [num]."""
    from keras_gans import data

    options = data.DataOptions("tfds:mnist", batch_size=1, split=split)
    source = data.open_source(options, data_dir)
    return source.images, source.labels


def classifier(cache: str, data_dir: str | None):
    """Trains the CNN, or reads it; returns a model from images to (features, logits).

    Raises:
        UserError: if it is below 99 % on the test split.
    """
    import keras
    from keras import layers

    from keras_gans.images import to_float

    if not os.path.isfile(cache):
        images, labels = mnist("train", data_dir)
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


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("digits_quality", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    import_tensorflow()
    from keras_gans import data, sample
    from keras_gans.images import to_float
    from keras_gans.metrics.prdc import prdc

    samplers = {source: sample.load(source) for source in values.source}
    data_dir = values.data_dir and os.path.expanduser(values.data_dir)
    model = classifier(values.cache, data_dir)

    def see(images):
        features, logits = model.predict(to_float(images), 500, verbose=0)
        return features, logits.argmax(axis=1)

    images, labels = mnist("test", data_dir)
    reference, seen = see(images)
    right = float((seen == labels).mean())
    print(json.dumps({"classifier": values.cache, "test_accuracy": right}), flush=True)
    if right < 0.99:
        raise UserError(f"{values.cache}: {right:.4f} on the test split; delete it")
    half = np.random.default_rng(0).permutation(len(images))[:5000]

    def report(name, pictures, wanted):
        features, seen = see(pictures)
        chosen = np.random.default_rng(1).permutation(len(pictures))[:5000]
        row = {"source": name, "accuracy": float((seen == wanted).mean())}
        for title, real in (("10000", reference), ("5000", reference[half])):
            found = prdc(real, features[chosen], k=5)
            row[f"against_{title}"] = {k: round(v, 4) for k, v in found.items()}
        print(json.dumps(row), flush=True)

    wanted = np.arange(10_000) % 10
    for name, sampler in samplers.items():
        report(name, sampler.sample(10_000, wanted, values.seed), wanted)
    digits = data.open_source(data.DataOptions("digits", batch_size=1))
    report("real digits, the embedded 5,000", digits.images, digits.labels)


if __name__ == "__main__":
    sys.exit(main())

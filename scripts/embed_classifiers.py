"""Write the classifiers of the wheel: keras_gans/evaluation/features/*.npz.

usage: python scripts/embed_classifiers.py TFDS_DIR CACHE

TFDS_DIR holds `mnist` and `fashion_mnist` of TensorFlow Datasets. For each data set,
the script trains a small CNN on the 60,000 training images, and saves the CNN as
CACHE/<name>_classifier.keras. An existing file in CACHE is used as it is.

Batch normalization is folded into the convolution before it. Each kernel is rounded to
8 bits, with one scale per output. A classifier then has 0.4 MB instead of 1.8 MB.

The script prints the test accuracy before and after rounding. Enter the accuracy after
rounding in keras_gans/evaluation/features/classifier.py.
"""

import io
import os
import pathlib
import sys
import zipfile

import keras
import numpy as np
from keras import layers

from keras_gans import data
from keras_gans.data.images import to_float
from keras_gans.evaluation.features import classifier

OUT = pathlib.Path(classifier.__file__).parent


def read(name: str, split: str, tfds_dir: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a split: images uint8 [num, 28, 28, 1], labels int32 [num]."""
    options = data.DataOptions(f"tfds:{name}", batch_size=1, split=split)
    source = data.open_source(options, tfds_dir)
    return source.images, source.labels


def train(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """Train the CNN, a model from images in [-1, 1] to [features, logits]."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((28, 28, 1))
    for filters, pool in zip((32, 64, 64), classifier.POOLS, strict=True):
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
    return model


def fold(model: keras.Model) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (kernel, bias) of each layer, with batch normalization folded in."""
    found = []
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            found.append((layer.get_weights()[0], None))
        elif isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            gain = gamma / np.sqrt(variance + layer.epsilon)
            found[-1] = (found[-1][0] * gain, beta - mean * gain)
        elif isinstance(layer, layers.Dense):
            found.append(tuple(layer.get_weights()))
    return found


def write(name: str, weights: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write weights, with kernels in 8 bits, as an npz file with fixed dates."""
    path = OUT / f"{name}.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for layer, (kernel, bias) in zip(classifier.LAYERS, weights, strict=True):
            scale = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
            arrays = {
                "kernel": np.round(kernel / scale).astype(np.int8),
                "scale": scale.astype(np.float32),
                "bias": bias.astype(np.float32),
            }
            for key, array in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, array)
                info = zipfile.ZipInfo(f"{layer}_{key}.npy")  # fixed date
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, buffer.getvalue(), compresslevel=9)
    print(path.name, path.stat().st_size, "bytes")


def main(tfds_dir: str, cache: str) -> None:
    """Train missing CNNs; write and evaluate both classifiers."""
    for name, of in (("digits", "mnist"), ("fashion", "fashion_mnist")):
        kept = os.path.join(cache, f"{of}_classifier.keras")
        if not os.path.isfile(kept):
            train(*read(of, "train", tfds_dir)).save(kept)
        model = keras.models.load_model(kept, compile=False)
        write(name, fold(model))
        images, labels = read(of, "test", tfds_dir)
        before = model.predict(to_float(images), 500, verbose=0)
        after = classifier.open_classifier(name)(images)
        for title, (_, scores) in (("float32", before), ("shipped", after)):
            right = (scores.argmax(axis=1) == labels).mean()
            print(name, title, f"test accuracy {right:.4f}")
        apart = np.linalg.norm(after[0] - before[0]) / np.linalg.norm(before[0])
        print(name, f"features differ by {apart:.4f} of their length")


if __name__ == "__main__":
    main(*sys.argv[1:])

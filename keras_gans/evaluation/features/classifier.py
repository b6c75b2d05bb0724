"""Small CNN classifiers of MNIST and Fashion-MNIST; the package contains their weights.

`scripts/embed_classifiers.py` trains them on all 60,000 training images of each data
set. The script folds batch normalization into the convolutions. It stores each kernel
in 8 bits, with a scale for each output. `TEST_ACCURACY` is the accuracy with these
quantized weights.
"""

from __future__ import annotations

import importlib.resources

import keras
import numpy as np
from keras import layers

from keras_gans.data.embedded import EMBEDDED
from keras_gans.evaluation.features.network import FeatureNetwork

# Share of the 10,000 test images that are classified correctly.
TEST_ACCURACY = {"digits": 0.9940, "fashion": 0.9136}
TRAINED_ON = {"digits": "MNIST", "fashion": "Fashion-MNIST"}
LAYERS = ("conv_0", "conv_1", "conv_2", "features", "logits")
POOLS = (2, 2, 1)  # after each convolution


def build() -> keras.Model:
    """Build the network, without batch normalization and untrained.

    Returns:
        Model from grayscale images [num, 28, 28, 1] to features [num, 128] and logits
        [num, 10].
    """
    inputs = x = keras.Input((28, 28, 1))
    for i, (filters, pool) in enumerate(zip((32, 64, 64), POOLS, strict=True)):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv_{i}")(x)
        x = layers.MaxPooling2D(pool)(layers.ReLU()(x))
    features = layers.Dense(128, "relu", name="features")(layers.Flatten()(x))
    return keras.Model(inputs, [features, layers.Dense(10, name="logits")(features)])


def open_classifier(name: str) -> FeatureNetwork:
    """Load the classifier of "digits" or "fashion"."""
    model = build()
    file = importlib.resources.files("keras_gans.evaluation.features") / f"{name}.npz"
    with file.open("rb") as opened, np.load(opened) as arrays:
        for layer in LAYERS:
            kernel = arrays[f"{layer}_kernel"].astype(np.float32)
            kernel *= arrays[f"{layer}_scale"]
            model.get_layer(layer).set_weights([kernel, arrays[f"{layer}_bias"]])
    about = (
        f"a small CNN trained on all 60,000 training images of {TRAINED_ON[name]}, "
        f"with an accuracy of {TEST_ACCURACY[name]:.2%} on the test split"
    )
    return FeatureNetwork(
        f"classifier:{name}", model, 127.5, 127.5, EMBEDDED[name][0], about
    )

"""Inception v3 of Keras, trained on ImageNet: 2,048 features of images of 299 pixels.

Published Frechet distances use other weights: the Inception network of Szegedy et al.
2015 from TensorFlow. The two networks are similar, but do not compare numbers of one
with numbers of the other.
"""

from __future__ import annotations

import keras

from keras_gans.errors import UserError, first_line
from keras_gans.evaluation.features.network import FeatureNetwork


def open_inception() -> FeatureNetwork:
    """Load the network; Keras downloads its weights (92 MB) once and caches them.

    Raises:
        UserError: If the weights cannot be downloaded.
    """
    try:
        model = keras.applications.InceptionV3(classifier_activation=None)
    except Exception as error:  # the download may raise anything
        raise UserError(
            "--features=inception_v3: its weights cannot be downloaded "
            f"({first_line(error)}); use another feature network, such as "
            "--features=efficientnet_lite0"
        ) from None
    pooled = model.get_layer("avg_pool").output
    return FeatureNetwork(
        "inception_v3",
        keras.Model(model.input, [pooled, model.output]),
        127.5,
        127.5,
        about="Keras's Inception v3, trained on ImageNet (not that of published FIDs)",
    )

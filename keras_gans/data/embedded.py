"""Embedded data sets `digits` and `fashion`, with 5,000 images of 28x28 pixels each."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.data import images
from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.errors import UserError

if TYPE_CHECKING:  # the pipeline imports Keras
    from keras_gans.data.source import Source

EMBEDDED = {
    "digits": (
        tuple("0123456789"),
        "MNIST by Yann LeCun and Corinna Cortes, CC BY-SA 3.0",
    ),
    "fashion": (
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        "Fashion-MNIST by Zalando SE, MIT",
    ),
}


def open_embedded(options: DataOptions) -> Source:
    """Open an embedded data set; see `keras_gans.data.open_source`."""
    from keras_gans.data.arrays import ArraySource

    class_names, credit = EMBEDDED[options.dataset]
    file = importlib.resources.files("keras_gans.data") / f"{options.dataset}.npz"
    with file.open("rb") as opened, np.load(opened) as arrays:
        pictures, labels = arrays["images"], arrays["labels"]
    size, channels = options.image_size or 28, options.channels or 1
    stored = options.stored_size(size)
    memory = -(-len(pictures) * stored**2 * channels // 2**20)
    if memory > max(options.cache_mib, 1024):
        raise UserError(
            f"[data] image_size: '{options.dataset}' at {stored} pixels needs {memory} "
            f"MiB, more than data.cache_mib = {options.cache_mib}; choose a smaller "
            "image_size, or a larger cache_mib"
        )
    if (stored, channels) != (28, 1):
        pictures = np.stack([images.fit(p, stored, channels) for p in pictures])
    info = DataInfo(
        (size, size, channels), len(class_names), class_names, credit, len(pictures)
    )
    return ArraySource(pictures, labels, info, options)

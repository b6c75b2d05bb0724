"""Sampling from a SavedModel."""

from __future__ import annotations

import json
import os

import numpy as np

from keras_gans.device.sampler import INFO_NAME, BaseSampler, rename_info
from keras_gans.errors import UserError


class SavedModelSampler(BaseSampler):
    """Sampler of a SavedModel generator that this package wrote.

    Args:
        path: Folder of the SavedModel.

    Raises:
        UserError: If the SavedModel cannot be read, or this package did not write it.
    """

    def __init__(self, path: str):
        import tensorflow as tf

        try:
            with open(os.path.join(path, "assets.extra", INFO_NAME), "rb") as file:
                self.info, self._names = rename_info(json.load(file))
            self._model = tf.saved_model.load(path)
            self._generate = self._model.signatures["generate"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: truncated, or not a SavedModel that keras_gans wrote "
                f"({type(error).__name__}); export it again"
            ) from None

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run the generator; see `BaseSampler.run`."""
        import tensorflow as tf

        tensors = {
            self._names.get(name, name): tf.constant(values)
            for name, values in inputs.items()
        }
        return self._generate(**tensors)["images"].numpy()

"""Sampling from a SavedModel."""

from __future__ import annotations

import os

import numpy as np

from keras_gans.device.sampler import (
    INFO_BYTES,
    INFO_NAME,
    BaseSampler,
    SamplerError,
    check_tensors,
    parse_info,
)
from keras_gans.errors import UserError
from keras_gans.sampling.saved_model_operations import check_operations


class SavedModelSampler(BaseSampler):
    """Sampler of a SavedModel generator that this package wrote.

    Args:
        path: Folder of the SavedModel.
        allow_code: Whether to run operations that may do more than compute; see
            `saved_model_operations`.

    Raises:
        UserError: If the SavedModel cannot be read, this package did not write it, or
            it has operations that are not allowed.
        SamplerError: If the description of the generator is damaged.
    """

    def __init__(self, path: str, allow_code: bool = False):
        import tensorflow as tf

        try:
            with open(os.path.join(path, "assets.extra", INFO_NAME), "rb") as file:
                text = file.read(INFO_BYTES + 1)
            self.info, self._names = parse_info(text, path)
            if not allow_code:
                check_operations(path)
            self._model = tf.saved_model.load(path)
            self._generate = self._model.signatures["generate"]
            inputs = self._generate.structured_input_signature[1]
            images = self._generate.structured_outputs["images"]
            names = {old: new for new, old in self._names.items()}
            tensors = {names.get(n, n): _described(s) for n, s in inputs.items()}
            images = _described(images)
        except (UserError, SamplerError):
            raise
        except Exception as error:  # a damaged SavedModel may lack anything
            raise UserError(
                f"{path}: truncated, or not a SavedModel that keras_gans wrote "
                f"({type(error).__name__}); export it again"
            ) from None
        check_tensors(self.info, tensors, images, path)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run the generator; see `BaseSampler.run`."""
        import tensorflow as tf

        tensors = {
            self._names.get(name, name): tf.constant(values)
            for name, values in inputs.items()
        }
        return self._generate(**tensors)["images"].numpy()


def _described(spec) -> tuple:
    """Return the (dtype, shape) of a tensor for `check_tensors`."""
    shape = [-1 if side is None else side for side in spec.shape]
    return spec.dtype.as_numpy_dtype, shape

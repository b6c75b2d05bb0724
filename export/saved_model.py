"""Exports a trained generator as a SavedModel that plain TensorFlow loads.

    python -m keras_gans.export.saved_model --workdir=runs/cgan

Its signatures `generate` and `serving_default` take latents float32 [num, latent_dim]
(and labels int32 [num], if it is conditional, and what keras_gans.json names under
"inputs") and give images float32 [num, height, width, channels] in [-1, 1].
`assets.extra/keras_gans.json` says what the generator is, with the whole recipe.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
from keras_gans.export.sampler import INFO_NAME, BaseSampler

if TYPE_CHECKING:
    from keras_gans.building import KerasSampler

from keras_gans.errors import UserError


def export(sampler: KerasSampler, path: str) -> None:
    """Writes a SavedModel; an older one at this path stays whole until it is done.

    Args:
        sampler: A `keras_gans.building.KerasSampler`: the model, and what it is.
        path: The folder to write.
    """
    import keras
    import tensorflow as tf

    model, info = sampler.model, sampler.info
    specs = {"latents": tf.TensorSpec((None, info["latent_dim"]), name="latents")}
    if model.conditional:
        specs["labels"] = tf.TensorSpec((None,), tf.int32, name="labels")
    for name, spec in info["inputs"].items():
        specs[name] = tf.TensorSpec((None, *spec["shape"]), name=name)

    def generate(*inputs):
        named = dict(zip(specs, inputs, strict=True))
        return {"images": model.call(named)}

    archive = keras.export.ExportArchive()
    archive.track(model.ema_generator)
    for endpoint in ("generate", "serving_default"):
        archive.add_endpoint(endpoint, generate, [*specs.values()])
    temporary = f"{path}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    archive.write_out(temporary, verbose=False)
    extra = os.path.join(temporary, "assets.extra")
    os.makedirs(extra, exist_ok=True)
    with open(os.path.join(extra, INFO_NAME), "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)
    old = f"{path}.old"
    shutil.rmtree(old, ignore_errors=True)
    if os.path.lexists(path):
        os.replace(path, old)
    os.replace(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


class SavedModelSampler(BaseSampler):
    """A SavedModel generator that this package wrote.

    Args:
        path: Its folder.

    Raises:
        UserError: if it cannot be read, or is not such a generator.
    """

    def __init__(self, path: str):
        """Loads the model."""
        import tensorflow as tf

        try:
            with open(os.path.join(path, "assets.extra", INFO_NAME), "rb") as file:
                self.info = json.load(file)
            self._model = tf.saved_model.load(path)
            self._generate = self._model.signatures["generate"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: truncated, or not a SavedModel that keras_gans wrote "
                f"({type(error).__name__}); export it again"
            ) from None

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the generator; see BaseSampler.run."""
        import tensorflow as tf

        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        return self._generate(**tensors)["images"].numpy()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("saved_model", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())

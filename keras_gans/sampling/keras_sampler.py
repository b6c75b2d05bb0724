"""Sampling from a Keras model in memory, or from a checkpoint of a workdir."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from importlib import metadata

import keras
import numpy as np

from keras_gans.core.trainer import Trainer
from keras_gans.data.options import DataInfo
from keras_gans.device.sampler import BaseSampler, to_float
from keras_gans.errors import UserError
from keras_gans.recipes.build import build_model
from keras_gans.recipes.config import Config
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir


def load_workdir(
    path: str, which: str = "newest", backward: bool = False, allow_code: bool = False
) -> KerasSampler:
    """Build a workdir's model and restore a checkpoint.

    Args:
        path: Workdir of the run.
        which: Checkpoint to restore: "newest", or "best" for a run with
            `train.evaluate_every`.
        backward: Whether to translate in the direction from images to condition images.
        allow_code: Whether to import modules outside the package; see `Workdir`.

    Returns:
        Sampler of the model's averaged generator.

    Raises:
        UserError: If the folder holds no run or no such checkpoint, or `backward` is
            set for a model of a single direction.
    """
    workdir = Workdir(path, allow_code)
    config, info = workdir.read()
    model = build_model(config, info)
    if which == "best":
        file = workdir.join("checkpoints", "best.npz")
        if not os.path.isfile(file):
            raise UserError(
                f"{path}: no best checkpoint; train with "
                "--set=train.evaluate_every=1000 to keep one"
            )
        checkpoint.restore(model, file)
    elif checkpoint.steps(workdir.checkpoints):
        restore = functools.partial(checkpoint.restore, model)
        checkpoint.newest(workdir.checkpoints, restore)
    else:
        raise UserError(f"{path}: no checkpoint yet; train it first")
    sampler = KerasSampler(
        model, generator_info(model, config, info), _read_conditions(workdir)
    )
    return sampler.turned() if backward else sampler


def _read_conditions(workdir: Workdir) -> np.ndarray | None:
    path = workdir.join("sources.npz")
    if not os.path.isfile(path):  # a model from noise has none
        return None
    try:
        with np.load(path) as arrays:
            pictures = arrays["pictures"]
        if pictures.dtype != np.uint8 or pictures.ndim != 4:
            raise ValueError("not images")
        return pictures
    except Exception:  # of NumPy and zipfile, which raise many types
        raise UserError(
            f"{path}: truncated, or not written by training; delete it (only int8 "
            "exports need it)"
        ) from None


def generator_info(model: Trainer, config: Config, info: DataInfo) -> dict:
    """Describe a generator for its exports, as in `BaseSampler.info`."""
    if model.is_translation:
        takes = {"condition_shape": list(info.condition_shape)}
    else:
        takes = _noise_info(model, config, info)
    return {
        "format": 1,
        "name": config.name,
        "image_shape": list(info.image_shape),
        **takes,
        "step": int(model.step.numpy()),
        "data_credit": info.credit,
        "recipe": config.to_toml(),
        "versions": {
            name: metadata.version(name) for name in ("keras_gans", "keras", "numpy")
        },
    }


def _noise_info(model: Trainer, config: Config, info: DataInfo) -> dict:
    labels = model.label_names(config.hparams, info.class_names)
    return {
        "latent_dim": model.latent_dim,
        "latents": model.hparams.latents,
        "num_codes": model.num_codes,
        "inputs": {
            name: {"shape": list(model.generator.input[name].shape[1:]), "default": v}
            for name, v in model.sampling_defaults.items()
            if name in model.generator.input
        },
        "num_classes": len(labels),
        "class_names": list(labels),
    }


class KerasSampler(BaseSampler):
    """Sampler of the averaged generator of a model in memory.

    The model may continue training; samples always use its current weights.

    Args:
        model: Model to sample from.
        info: Description of the generator; see `generator_info`.
        conditions: Example condition images of a translation, uint8 [num, height,
            width, channels]; None if there are none.
        backward: Whether to translate in the direction from images to condition images.
            `info` describes the chosen direction.
        mark: Function that watermarks images generated from noise, see
            `export.watermark`; None for no watermark.
    """

    def __init__(
        self,
        model: Trainer,
        info: dict,
        conditions: np.ndarray | None = None,
        backward: bool = False,
        mark: Callable | None = None,
    ):
        self.model, self.info = model, info
        self.conditions, self.backward, self._mark = conditions, backward, mark

    def turned(self) -> KerasSampler:
        """Return the sampler of the backward direction.

        Raises:
            UserError: If the model has a single direction.
        """
        if not (self.model.is_translation and self.model.bidirectional):
            raise UserError(
                f"--backward: {self.info['name']} generates images in a single "
                "direction; leave it out"
            )
        swapped = {
            "condition_shape": self.info["image_shape"],
            "image_shape": self.info["condition_shape"],
        }
        info = {**self.info, **swapped, "backward": True}
        return KerasSampler(self.model, info, self.conditions, backward=True)

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run the averaged generator; see `BaseSampler.run`."""
        if self.model.is_translation:
            made = self.model.translate(inputs["condition"], self.backward)
        else:
            made = self.pictures(inputs)
        return keras.ops.convert_to_numpy(made)

    def pictures(self, inputs: dict):
        """Generate images from noise, with the watermark of `mark` if it is given."""
        made = self.model(inputs)
        return self._mark(made) if self._mark else made

    def examples(self, num: int, side: int | None = None) -> np.ndarray:
        """Return example condition images, preferably those of the run.

        Args:
            num: Number of images; the result has fewer if the run has fewer.
            side: Side of the images in pixels; that of training if not given.

        Returns:
            The run's first condition images, or their translations for the backward
            direction: float32 [num, side, side, channels] in [-1, 1]. A run without
            condition images gives the images of `BaseSampler.examples`.
        """
        if self.conditions is None:
            return super().examples(num, side)
        pictures = to_float(self.conditions[:num])
        if self.backward:
            made = [self.model.translate(one[None])[0] for one in pictures]
            pictures = np.stack([keras.ops.convert_to_numpy(one) for one in made])
        side = side or self.info["condition_shape"][0]
        more = (0, max(0, side - pictures.shape[1]))
        pictures = np.pad(pictures, ((0, 0), more, more, (0, 0)), "symmetric")
        return pictures[:, :side, :side]

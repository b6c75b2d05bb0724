"""From a recipe to a model, and from a workdir to its generator."""

from __future__ import annotations

import functools
import importlib
import os
from importlib import metadata

import keras
import numpy as np

from keras_gans import checkpoint, optimizers, transfer
from keras_gans import config as config_lib
from keras_gans.config import Config
from keras_gans.data.options import DataInfo
from keras_gans.errors import UserError
from keras_gans.export.sampler import BaseSampler
from keras_gans.gan import BaseGAN
from keras_gans.workdir import Workdir


def build_model(config: Config, info: DataInfo) -> BaseGAN:
    """Makes and compiles the model of a recipe.

    Args:
        config: The recipe; its seed sets the weights.
        info: What the data set says of itself.

    Returns:
        The compiled model. Call it under the strategy that trains it.

    Raises:
        UserError: if the networks cannot make such images.
    """
    keras.utils.set_random_seed(config.train.seed)
    variant = config_lib.find_class(config.name, config.model)
    labels = variant.label_names(config.hparams, info.class_names)
    from_data = {"image_shape": info.image_shape, "num_classes": len(labels)}
    if variant.takes_pictures:
        from_data = {"image_shape": info.image_shape, "source_shape": info.source_shape}
    _check_sources(config, variant, info)
    networks = importlib.import_module(config.networks)
    if config.hparams.augment and info.image_shape[:2] == (1, 1):
        raise UserError(
            f"[hparams] augment: '{config.hparams.augment}' is for pictures, and "
            f'{config.data.dataset} has points; expected ""'
        )
    try:
        model = variant(
            functools.partial(networks.generator, **from_data, **config.generator),
            functools.partial(
                networks.discriminator, **from_data, **config.discriminator
            ),
            config.hparams,
            seed=config.train.seed,
            name=config.name,
        )
        transfer.freeze(model.discriminator, config.train.freeze_discriminator)
        return model.compile(
            _optimizer(config.g_optimizer), _optimizer(config.d_optimizer)
        )
    except UserError:
        raise
    except (ValueError, TypeError) as error:  # what only Keras knows to be wrong
        line = str(error).strip().splitlines()[0]
        raise UserError(f"{config.name}.toml cannot be built: {line}") from None


def _check_sources(config: Config, variant: type[BaseGAN], info: DataInfo) -> None:
    if variant.takes_pictures and not info.source_shape:
        raise UserError(
            f"{config.name} makes pictures from pictures, and '{config.data.dataset}' "
            'has no sources; expected data.dataset="pairs:A,B" (or "unpaired:A,B"), or '
            "data.source beside it: outline, grey, small2 or small4"
        )
    if info.source_shape and not variant.takes_pictures:
        raise UserError(
            f"{config.name} makes pictures from noise; expected a data set without "
            "sources (data.source, pairs and unpaired are for models as pix2pix)"
        )


def load_workdir(path: str, which: str = "newest") -> KerasSampler:
    """Builds a workdir's model and restores a checkpoint.

    Args:
        path: The run's folder.
        which: "newest", or "best" of a run with train.evaluate_every.

    Raises:
        UserError: if it holds no run, or no such checkpoint yet.
    """
    workdir = Workdir(path)
    config, info = workdir.read()
    model = build_model(config, info)
    steps = checkpoint.steps(workdir.checkpoints)
    if which == "best":
        file = workdir.join("checkpoints", "best.npz")
        if not os.path.isfile(file):
            raise UserError(
                f"{path}: no best checkpoint; --set=train.evaluate_every=1000 keeps one"
            )
    elif steps:
        file = checkpoint.path_of(workdir.checkpoints, steps[-1])
    else:
        raise UserError(f"{path}: no checkpoint yet; train it first")
    checkpoint.restore(model, file)
    return KerasSampler(model, generator_info(model, config, info))


def generator_info(model: BaseGAN, config: Config, info: DataInfo) -> dict:
    """Describes a generator, for its exports: see `BaseSampler.info`."""
    if model.takes_pictures:
        takes = {"source_shape": list(info.source_shape)}
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


def _noise_info(model: BaseGAN, config: Config, info: DataInfo) -> dict:
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
    """The averaged generator of a model in memory.

    Args:
        model: The model.
        info: What `generator_info` says of it.
    """

    def __init__(self, model: BaseGAN, info: dict):
        """Keeps the model; its weights may go on training."""
        self.model, self.info = model, info

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the averaged generator; see BaseSampler.run."""
        return keras.ops.convert_to_numpy(self.model(inputs))


def _optimizer(values: dict) -> keras.optimizers.Optimizer:
    values = dict(values)
    cls = optimizers.find(values.pop("class_name"))
    for key, value in values.items():
        if isinstance(value, dict):
            options = dict(value)
            schedule = getattr(keras.optimizers.schedules, options.pop("class_name"))
            values[key] = schedule(**options)
    return cls(**values)

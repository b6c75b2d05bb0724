"""Construction of a recipe's compiled model."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import keras

from keras_gans import engine
from keras_gans.core.trainer import Trainer
from keras_gans.data.options import DataInfo
from keras_gans.engine import optimizers, precision
from keras_gans.engine.remat import remat
from keras_gans.errors import UserError, first_line
from keras_gans.networks import freeze
from keras_gans.recipes import config as config_lib
from keras_gans.recipes.config import Config


def build_model(config: Config, info: DataInfo) -> Trainer:
    """Build and compile the model of a recipe.

    Call it in the scope of the strategy under which the model is trained.

    Args:
        config: Resolved recipe; its seed determines the weights.
        info: Description of the data set.

    Returns:
        The compiled model.

    Raises:
        UserError: If the networks cannot be built or do not suit the data set.
    """
    engine.set_random_seed(config.train.seed)
    variant = config_lib.find_class(config.name, config.model)
    labels = variant.label_names(config.hparams, info.class_names)
    from_data = {"image_shape": info.image_shape, "num_classes": len(labels)}
    if variant.is_translation:
        from_data = {
            "image_shape": info.image_shape,
            "condition_shape": info.condition_shape,
        }
    _check_condition(config, variant, info)
    networks = importlib.import_module(config.networks)
    options = config.train
    try:
        with precision.policy(options.precision):
            model = variant(
                *(
                    _factory(getattr(networks, name), from_data, config.keywords[name])
                    for name in variant.networks
                ),
                hparams=config.hparams,
                seed=options.seed,
                name=_scope_name(config.name),
            )
        if options.synchronized_batch_norm:
            engine.synchronize(model)
        if options.remat:
            for name in variant.networks:
                remat(getattr(model, name))
        if options.freeze_discriminator:
            if "discriminator" not in variant.networks:
                raise UserError(
                    f"[train] freeze_discriminator: {config.name} has no discriminator;"
                    " leave it out"
                )
            freeze.freeze(model.discriminator, options.freeze_discriminator)
        return model.compile(
            accumulate=options.accumulate,
            **{
                f"{name}_optimizer": make_optimizer(values)
                for name, values in config.optimizers.items()
            },
            jit_compile={"yes": True, "no": False}.get(options.jit_compile, "auto"),
        )
    except UserError:
        raise
    except (ValueError, TypeError) as error:  # errors that only Keras detects
        place = config_lib.place_of(error, config.import_from)
        raise UserError(
            f"{config.name}.toml cannot be built: {first_line(error)}{place}"
        ) from error


def _scope_name(name: str) -> str:
    """Return a recipe's name as TensorFlow accepts it for a scope of operations."""
    name = re.sub(r"[^A-Za-z0-9_.>-]", "_", name)
    return name if re.match("[A-Za-z0-9.]", name) else f"model_{name}"


def _factory(
    network: Callable[..., keras.Model], from_data: dict, options: dict
) -> Callable[..., keras.Model]:
    """Return a function that builds a network of a recipe.

    Its `backward` swaps the shapes of the image and the condition image.
    """
    shapes = {k: v for k, v in from_data.items() if k.endswith("_shape")}

    def make(backward: bool = False) -> keras.Model:
        swapped = dict(zip(shapes, reversed(shapes.values()), strict=True))
        return network(**from_data | (swapped if backward else {}), **options)

    return make


def _check_condition(config: Config, variant: type[Trainer], info: DataInfo) -> None:
    if variant.is_translation and not info.condition_shape:
        raise UserError(
            f"{config.name} translates images, but '{config.data.dataset}' "
            "has no condition images; use pairs:A,B or unpaired:A,B, or put outline:, "
            "grey:, small2: or small4: before it"
        )
    if variant.is_translation and variant.needs_pairs and info.unpaired:
        raise UserError(
            f"{config.name} expects pairs of images, got data without pairs; use "
            "pairs:A,B and data.unpaired=false, or --model=cyclegan or --model=cut"
        )
    if info.condition_shape and not variant.is_translation:
        raise UserError(
            f"{config.name} generates images from noise, but '{config.data.dataset}' "
            "has condition images; use a data set without, or --model=pix2pix"
        )


def make_optimizer(values: dict) -> keras.optimizers.Optimizer:
    """Make the optimizer of a recipe's table.

    Args:
        values: Checked table: `class_name`, keywords, and tables of schedules.
    """
    values = dict(values)
    cls = optimizers.find(values.pop("class_name"))
    for key, value in values.items():
        if isinstance(value, dict):
            options = dict(value)
            schedule = optimizers.SCHEDULES[options.pop("class_name")]
            values[key] = schedule(**options)
    return cls(**values)

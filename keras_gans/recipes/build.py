"""From a recipe to a compiled model."""

from __future__ import annotations

import importlib
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
    """Makes and compiles the model of a recipe.

    Args:
        config: The recipe; its seed sets the weights.
        info: What the data set says of itself.

    Returns:
        The compiled model. Call it under the strategy that trains it.

    Raises:
        UserError: if the networks cannot make such images.
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
                name=config.name,
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
                    " leave it away"
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
    except (ValueError, TypeError) as error:  # what only Keras knows to be wrong
        place = config_lib.place_of(error, config.import_from)
        raise UserError(
            f"{config.name}.toml cannot be built: {first_line(error)}{place}"
        ) from error


def _factory(
    network: Callable[..., keras.Model], from_data: dict, options: dict
) -> Callable[..., keras.Model]:
    """Makes a network of a recipe, each time that it is called."""
    shapes = {k: v for k, v in from_data.items() if k.endswith("_shape")}

    def make(backward: bool = False) -> keras.Model:
        swapped = dict(zip(shapes, reversed(shapes.values()), strict=True))
        return network(**from_data | (swapped if backward else {}), **options)

    return make


def _check_condition(config: Config, variant: type[Trainer], info: DataInfo) -> None:
    if variant.is_translation and not info.condition_shape:
        raise UserError(
            f"{config.name} makes pictures from pictures, and '{config.data.dataset}' "
            "has no condition images; expected pairs:A,B or unpaired:A,B, or outline:, "
            "grey:, small2: or small4: before it"
        )
    if variant.is_translation and variant.needs_pairs and info.unpaired:
        raise UserError(
            f"{config.name} needs to know which pictures belong together; expected "
            "pairs:A,B and data.unpaired=false, or --model=cyclegan or cut"
        )
    if info.condition_shape and not variant.is_translation:
        raise UserError(
            f"{config.name} makes pictures from noise, and '{config.data.dataset}' has "
            "condition images, as for pix2pix; expected a data set without"
        )


def make_optimizer(values: dict) -> keras.optimizers.Optimizer:
    """Make the optimizer of a recipe's table: `class_name` and keywords."""
    values = dict(values)
    cls = optimizers.find(values.pop("class_name"))
    for key, value in values.items():
        if isinstance(value, dict):
            options = dict(value)
            schedule = optimizers.SCHEDULES[options.pop("class_name")]
            values[key] = schedule(**options)
    return cls(**values)

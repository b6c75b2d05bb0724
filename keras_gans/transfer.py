"""Transfer: a run that begins with the networks of another one."""

from __future__ import annotations

import keras

from keras_gans import checkpoint
from keras_gans.errors import UserError
from keras_gans.gan import BaseGAN
from keras_gans.workdir import Workdir

NETWORKS = ("generator", "discriminator", "ema_generator")


def begin_from(path: str, model: BaseGAN) -> None:
    """Sets a model's networks from another run's newest checkpoint, and says what fits.

    Optimizers, step and ADA's probability begin anew.

    Args:
        path: The other run's workdir, of the same networks.
        model: Weights of the same shape are set; the others stay as they are, and are
            listed (those of classes or channels, where these differ in number).

    Raises:
        UserError: if the folder has no checkpoint, or its networks are others.
    """
    workdir = Workdir(path)
    config, _ = workdir.read()
    steps = checkpoint.steps(workdir.checkpoints)
    if not steps:
        raise UserError(f"{path}: no checkpoint yet; train it first")
    arrays = checkpoint.read(checkpoint.path_of(workdir.checkpoints, steps[-1]))
    others, taken = [], 0
    for network in NETWORKS:
        weights = getattr(model, network).variables
        names = [name for name in arrays if name.startswith(f"{network}/")]
        if len(names) != len(weights):
            raise UserError(
                f"{path}: its {network} ({config.name}) has {len(names)} weights, this "
                f"run's {len(weights)}; expected the same networks, with the same "
                "number of layers"
            )
        for name, weight in zip(sorted(names), weights, strict=True):
            if arrays[name].shape == tuple(weight.shape):
                weight.assign(arrays[name])
                taken += 1
            else:
                shapes = f"{arrays[name].shape} there, {tuple(weight.shape)} here"
                others.append(f"{network} {weight.path}: {shapes}")
    if len(others) > taken:
        raise UserError(
            f"{path}: of {len(others) + taken} weights only {taken} have the same "
            f"shape ({'; '.join(others[:3])}; ...); expected networks of the same "
            "widths"
        )
    print(f"{path}: begins with {taken} weights of step {steps[-1]}", flush=True)
    for line in others:
        print(f"  begins anew: {line}", flush=True)


def freeze(discriminator: keras.Model, number: int) -> None:
    """Keeps the first layers of a discriminator as they are (FreezeD).

    Source: Mo et al. 2020, "Freeze the Discriminator" (arXiv 2002.10964).

    Args:
        discriminator: Its layers with weights are counted from the picture on; batch
            normalisation in a frozen layer keeps its statistics.
        number: How many.

    Raises:
        UserError: if it has no more layers than that.
    """
    layers = [layer for layer in discriminator.layers if layer.trainable_variables]
    if number >= max(1, len(layers)):
        raise UserError(
            f"[train] freeze_discriminator: expected less than the {len(layers)} "
            f"layers with weights, got {number}"
        )
    for layer in layers[:number]:
        layer.trainable = False

"""Transfer: a run that begins with the networks of another one."""

from __future__ import annotations

import os

from keras_gans.core.trainer import Trainer
from keras_gans.errors import UserError
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir


def begin_from(path: str, model: Trainer, target: Workdir) -> None:
    """Sets a model's networks from another run's newest checkpoint, and says what fits.

    Everything else begins anew: optimizers, step, ADA's probability, running means.

    Args:
        path: The other run's workdir, of the same networks.
        model: Weights of the same shape are set; the others stay as they are, and are
            listed (those of classes or channels, where these differ in number).
        target: Where the model will be trained.

    Raises:
        UserError: if the folder has no checkpoint, or its networks are others, or it is
            the target.
    """
    workdir = Workdir(path)
    config, _ = workdir.read()
    if os.path.realpath(workdir.path) == os.path.realpath(target.path):
        raise UserError(
            f"--init_from={path}: expected another run, got the --workdir itself; "
            "choose another --workdir"
        )
    steps = checkpoint.steps(workdir.checkpoints)
    if not steps:
        raise UserError(f"{path}: no checkpoint yet; train it first")
    arrays = checkpoint.read(checkpoint.path_of(workdir.checkpoints, steps[-1]))
    others, taken = [], 0
    # The generator goes on from its average: the young average of a new run follows it
    # at once, and would forget what it came with.
    origins = {"generator": "ema_generator", "ema_generator": "ema_generator"}
    origins = {name: name for name in model.networks} | origins
    for network, origin in origins.items():
        weights = getattr(model, network).variables
        names = [name for name in arrays if name.startswith(f"{origin}/")]
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

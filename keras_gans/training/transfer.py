"""Transfer learning: initial weights from another run."""

from __future__ import annotations

import os

from keras_gans.core.trainer import Trainer
from keras_gans.errors import UserError
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir


def begin_from(path: str, model: Trainer, target: Workdir) -> None:
    """Initialize a model's networks from another run's newest checkpoint.

    Optimizers, the step, ADA's probability and running means start afresh. Weights of
    another shape keep their initial values, and their names are printed. The numbers of
    classes and of channels change the shape of some weights.

    Args:
        path: Workdir of the other run, which has the same networks.
        model: Model whose weights are set.
        target: Workdir of the new run. Its `allow_code` holds for the other run too.

    Raises:
        UserError: If the other run has no checkpoint or has other networks, or if its
            workdir is the target.
    """
    workdir = Workdir(path, target.allow_code)
    config, _ = workdir.read()
    if os.path.realpath(workdir.path) == os.path.realpath(target.path):
        raise UserError(
            f"--init_from={path}: expected the workdir of another run, got --workdir "
            "itself; choose another --workdir"
        )
    if not checkpoint.steps(workdir.checkpoints):
        raise UserError(f"{path}: no checkpoint yet; train it first")
    step, arrays = checkpoint.newest(workdir.checkpoints, checkpoint.read)
    others, taken = [], 0
    # The generator also starts from its moving average: a new run's average follows the
    # generator quickly, and would lose the averaged weights.
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
    print(f"{path}: initialized {taken} weights from step {step}", flush=True)
    for line in others:
        print(f"  not initialized: {line}", flush=True)

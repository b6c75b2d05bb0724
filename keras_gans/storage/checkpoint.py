"""Checkpoints: the complete state of a run in one .npz file.

A checkpoint holds the networks, their moving average, the optimizers, the step and the
random state. A resumed run therefore ends in the same state as an uninterrupted run.
The file contains plain arrays, which every Keras backend and version can read.
"""

from __future__ import annotations

import os
import re
import zipfile

import keras
import numpy as np

from keras_gans.core.trainer import Trainer
from keras_gans.errors import UserError

# Names of groups of variables in older checkpoints, and their current names.
OLD_GROUPS = {"source_pool": "condition_pool"}


def named_variables(model: Trainer) -> dict[str, keras.Variable]:
    """Return all variables of a model and its optimizers under stable names.

    Args:
        model: Model, compiled or not.

    Returns:
        {"<attribute>/<number>": variable}. Variables of the model itself are in the
        group "state".
    """
    groups = {
        name: value.variables
        for name, value in sorted(vars(model).items())
        if isinstance(value, keras.Layer | keras.optimizers.Optimizer)
    }
    grouped = {id(v) for variables in groups.values() for v in variables}
    groups["state"] = [v for v in model.variables if id(v) not in grouped]
    return {
        f"{group}/{i:03d}": variable
        for group, variables in groups.items()
        for i, variable in enumerate(variables)
    }


def save(model: Trainer, folder: str, name: str | None = None) -> str | None:
    """Write a checkpoint atomically: an interruption leaves existing files intact.

    Args:
        model: Model to save.
        folder: Folder of the checkpoints, made if it does not exist.
        name: Name of the file without its ending, such as "best"; step_<step> if not
            given.

    Returns:
        Path of the file; None if a value is not finite, in which case no file is
        written.
    """
    arrays = {k: v.numpy() for k, v in named_variables(model).items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        return None
    os.makedirs(folder, exist_ok=True)
    path = path_of(folder, int(model.step.numpy()))
    if name:
        path = os.path.join(folder, f"{name}.npz")
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return path


def restore(model: Trainer, path: str) -> None:
    """Set every variable of a model from a checkpoint.

    Args:
        model: Model of the same recipe; compiled if it is to continue training.
        path: File that `save` wrote. Arrays without a variable in the model are
            ignored, such as those of optimizers for a model that is not compiled.

    Raises:
        UserError: If the file cannot be read, or has no array of a variable's name and
            shape.
    """
    variables, arrays = named_variables(model), read(path)
    for name, variable in variables.items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise UserError(
                f"{path}: expected '{name}' ({variable.path}) of shape "
                f"{tuple(variable.shape)}, got "
                f"{arrays[name].shape if name in arrays else 'nothing'}; "
                "the file belongs to another recipe or version"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def read(path: str) -> dict[str, np.ndarray]:
    """Read a checkpoint's arrays, under the names of `named_variables`.

    Groups of an older checkpoint get their current names.

    Args:
        path: File that `save` wrote.

    Returns:
        {name: array}.

    Raises:
        UserError: If the file cannot be read.
    """
    try:
        with np.load(path) as arrays:
            return _rename_groups(dict(arrays))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _rename_groups(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    groups = {name.partition("/")[0] for name in arrays}
    # A file that has the new name keeps all of its names.
    renamed = {old: new for old, new in OLD_GROUPS.items() if new not in groups}
    parts = ((name.partition("/"), array) for name, array in arrays.items())
    return {
        f"{renamed.get(group, group)}{slash}{rest}": array
        for (group, slash, rest), array in parts
    }


def steps(folder: str) -> list[int]:
    """Return the training steps of a folder's checkpoints, in ascending order."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [re.fullmatch(r"step_(\d+)\.npz", name) for name in names]
    return sorted(int(match[1]) for match in found if match)


def path_of(folder: str, step: int) -> str:
    """Return the path of a step's checkpoint."""
    return os.path.join(folder, f"step_{step:08d}.npz")


def keep_newest(folder: str, number: int) -> None:
    """Delete all but the newest `number` checkpoints of a folder."""
    for step in steps(folder)[:-number]:
        os.remove(path_of(folder, step))

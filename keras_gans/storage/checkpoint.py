"""The whole state of a run in one .npz file, written in one step.

Networks, their average, the players' optimizers, the step and the random state: what a
resumed run needs to end where an unbroken one ends. Plain arrays, so that no Keras
backend or version stands in the way of reading them.
"""

from __future__ import annotations

import os
import re
import zipfile

import keras
import numpy as np

from keras_gans.core.trainer import Trainer
from keras_gans.errors import UserError

# Groups of variables in older checkpoints, and their names of today.
OLD_GROUPS = {"source_pool": "condition_pool"}


def named_variables(model: Trainer) -> dict[str, keras.Variable]:
    """All variables of a model and its optimizers, under names that stay the same.

    Args:
        model: A compiled, or not compiled, model.

    Returns:
        {"<attribute>/<number>": variable}; the model's own under "state".
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
    """Writes a checkpoint in one step; a kill leaves the old files whole.

    Args:
        model: The model to keep.
        folder: Made if it is missing.
        name: Of the file, "best"; step_<step> if not given.

    Returns:
        The file's path; None, and nothing written, if a value is not finite.
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
    """Sets every variable of a model from a checkpoint.

    Args:
        model: A model of the same recipe; compiled, if it is to train on.
        path: A file that `save` wrote. What it holds beyond the model's variables
            (optimizers, for a model that is not compiled) is left alone.

    Raises:
        UserError: if the file cannot be read, or lacks a variable of this shape.
    """
    variables, arrays = named_variables(model), read(path)
    for name, variable in variables.items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise UserError(
                f"{path}: expected '{name}' ({variable.path}) of shape "
                f"{tuple(variable.shape)}, got "
                f"{arrays[name].shape if name in arrays else 'nothing'}; "
                "it is of another recipe or version"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def read(path: str) -> dict[str, np.ndarray]:
    """Reads a checkpoint's arrays, under the names of `named_variables`.

    Groups that had another name when the file was written get the name of today.

    Raises:
        UserError: if the file cannot be read.
    """
    try:
        with np.load(path) as arrays:
            return _rename_groups(dict(arrays))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def _rename_groups(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    groups = {name.partition("/")[0] for name in arrays}
    # A file with the new name is of today, whatever else it holds.
    renamed = {old: new for old, new in OLD_GROUPS.items() if new not in groups}
    parts = ((name.partition("/"), array) for name, array in arrays.items())
    return {
        f"{renamed.get(group, group)}{slash}{rest}": array
        for (group, slash, rest), array in parts
    }


def steps(folder: str) -> list[int]:
    """The steps that a folder has checkpoints of, oldest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [re.fullmatch(r"step_(\d+)\.npz", name) for name in names]
    return sorted(int(match[1]) for match in found if match)


def path_of(folder: str, step: int) -> str:
    """The path of a step's checkpoint."""
    return os.path.join(folder, f"step_{step:08d}.npz")


def keep_newest(folder: str, number: int) -> None:
    """Deletes all but the newest checkpoints of a folder."""
    for step in steps(folder)[:-number]:
        os.remove(path_of(folder, step))

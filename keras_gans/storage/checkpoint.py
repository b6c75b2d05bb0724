"""Checkpoints: the complete state of a run in one .npz file.

A checkpoint holds the networks, their moving average, the optimizers, the step and the
random state. A resumed run therefore ends in the same state as an uninterrupted run.
The file contains plain arrays, which every Keras backend and version can read.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_gans.core.trainer import Trainer
from keras_gans.errors import UserError, first_line
from keras_gans.storage import files

# Names of groups of variables in older checkpoints, and their current names.
OLD_GROUPS = {"source_pool": "condition_pool"}
PENDING = "log/"  # beginning of the names of values that await their log line


class DamagedError(UserError):
    """Checkpoint that cannot be read."""


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


def save(
    model: Trainer,
    folder: str,
    name: str | None = None,
    pending: Mapping[str, np.ndarray] | None = None,
) -> str | None:
    """Write a checkpoint atomically: an interruption leaves existing files intact.

    Args:
        model: Model to save.
        folder: Folder of the checkpoints, made if it does not exist.
        name: Name of the file without its ending, such as "best"; step_<step> if not
            given.
        pending: Values of the steps since the last log line, by name.

    Returns:
        Path of the file; None if a value is not finite, in which case no file is
        written.

    Raises:
        WriteError: If the file cannot be written; no part of the file is left.
    """
    arrays = {k: v.numpy() for k, v in named_variables(model).items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        return None
    arrays |= {f"{PENDING}{k}": array for k, array in (pending or {}).items()}
    path = path_of(folder, int(model.step.numpy()))
    if name:
        path = os.path.join(folder, f"{name}.npz")
    size = sum(array.nbytes for array in arrays.values())
    with files.replacing(path, size) as temporary:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
    files.sync_folder(folder)  # else a power failure could undo the renaming
    return path


def size_of(model: Trainer) -> int:
    """Return the size of a model's checkpoint in bytes."""
    variables = named_variables(model).values()
    # Of float32; each array has its headers in the file.
    return sum(4 * math.prod(variable.shape) + 280 for variable in variables)


def restore(model: Trainer, path: str) -> dict[str, np.ndarray]:
    """Set every variable of a model from a checkpoint.

    Args:
        model: Model of the same recipe; compiled if it is to continue training.
        path: File that `save` wrote. Arrays without a variable in the model are
            ignored, such as those of optimizers for a model that is not compiled.

    Returns:
        Values of the steps since the last log line, as `save` took them.

    Raises:
        DamagedError: If the file cannot be read.
        UserError: If the file has no array of a variable's name and shape.
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
    return {
        name.removeprefix(PENDING): array
        for name, array in arrays.items()
        if name.startswith(PENDING)
    }


def newest(folder: str, use: Callable[[str], Any]) -> tuple[int, Any]:
    """Use the newest checkpoint that can be read; print the names of damaged ones.

    Args:
        folder: Folder of checkpoints, at least one.
        use: Function of a checkpoint's path, such as `read`.

    Returns:
        (step of the checkpoint, result of `use`).

    Raises:
        DamagedError: If no checkpoint can be read.
        UserError: As `use` does.
    """
    damaged = []
    for step in reversed(steps(folder)):
        try:
            result = use(path_of(folder, step))
        except DamagedError as error:
            damaged.append(error)
            continue
        for error in damaged:
            print(f"{error}; step {step} is used in its place", flush=True)
        return step, result
    raise DamagedError(
        f"{damaged[0]}, nor any older checkpoint; train again with --overwrite, or "
        "with another --workdir"
    )


def read(path: str) -> dict[str, np.ndarray]:
    """Read a checkpoint's arrays, under the names of `named_variables`.

    Groups of an older checkpoint get their current names.

    Args:
        path: File that `save` wrote.

    Returns:
        {name: array}.

    Raises:
        DamagedError: If the file cannot be read.
    """
    try:
        with np.load(path) as arrays:
            found = _rename_groups(dict(arrays))
    except Exception as error:  # of NumPy and zipfile, which raise many types
        raise DamagedError(
            f"{path}: cannot be read ({first_line(error)[:100]})"
        ) from None
    if any(array.dtype.kind in "OSU" for array in found.values()):
        raise DamagedError(f"{path}: cannot be read (not an array of numbers)")
    return found


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
    found = [re.fullmatch(r"step_(\d{8,18})\.npz", name) for name in names]
    return sorted(
        int(match[1])
        for match in found
        if match and os.path.isfile(os.path.join(folder, match[0]))
    )


def path_of(folder: str, step: int) -> str:
    """Return the path of a step's checkpoint."""
    return os.path.join(folder, f"step_{step:08d}.npz")


def keep_newest(folder: str, number: int) -> None:
    """Delete all but the newest `number` checkpoints of a folder."""
    for step in steps(folder)[:-number]:
        os.remove(path_of(folder, step))

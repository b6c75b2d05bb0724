"""Flags that several commands share."""

from __future__ import annotations

from absl import flags

from keras_gans.errors import UserError
from keras_gans.storage.workdir import Workdir

CHECKPOINTS = ("newest", "best")


def define_checkpoint(values: flags.FlagValues) -> None:
    """Define the flag that selects a checkpoint of a workdir."""
    text = "Checkpoint of a run: newest, or best (by KID; needs train.evaluate_every)."
    flags.DEFINE_enum("checkpoint", "newest", CHECKPOINTS, text, flag_values=values)


def define_allow_code(values: flags.FlagValues) -> None:
    """Define the flag that allows code which is not of this package."""
    text = (
        "Whether to run code that a recipe, run or SavedModel brings along; only if "
        "you trust its author."
    )
    flags.DEFINE_bool("allow_code", False, text, flag_values=values)


def define_workdir(values: flags.FlagValues) -> None:
    """Define the flags for the workdir of a run, and for the code that it names."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)
    define_allow_code(values)


def workdir_of(values: flags.FlagValues) -> Workdir:
    """Return the workdir that the flags of `define_workdir` name.

    Raises:
        UserError: If the flag is not given.
    """
    if values.workdir is None:
        raise UserError(
            "--workdir: expected the folder of a run, such as --workdir=runs/cgan"
        )
    return Workdir(values.workdir, values.allow_code)

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


def define_workdir(values: flags.FlagValues) -> None:
    """Define the flag for the workdir of a run."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)


def workdir_of(values: flags.FlagValues) -> Workdir:
    """Return the workdir that the flag of `define_workdir` names.

    Raises:
        UserError: If the flag is not given.
    """
    if values.workdir is None:
        raise UserError(
            "--workdir: expected the folder of a run, such as --workdir=runs/cgan"
        )
    return Workdir(values.workdir)

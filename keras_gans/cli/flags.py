"""Flags that several commands share."""

from __future__ import annotations

from absl import flags

from keras_gans.errors import UserError
from keras_gans.storage.workdir import Workdir

CHECKPOINTS = ("newest", "best")


def define_checkpoint(values: flags.FlagValues) -> None:
    """Defines the flag that says which checkpoint of a workdir is meant."""
    text = "Of a workdir: newest, or best (by KID, with train.evaluate_every)."
    flags.DEFINE_enum("checkpoint", "newest", CHECKPOINTS, text, flag_values=values)


def define_workdir(values: flags.FlagValues) -> None:
    """Define the flag that names a run."""
    flags.DEFINE_string("workdir", None, "The folder of a run.", flag_values=values)


def workdir_of(values: flags.FlagValues) -> Workdir:
    """Return the run that `define_workdir`'s flag names.

    Raises:
        UserError: If the flag is not given.
    """
    if values.workdir is None:
        raise UserError("say which run: --workdir=runs/cgan")
    return Workdir(values.workdir)

"""Flags that several commands share."""

from __future__ import annotations

from absl import flags

CHECKPOINTS = ("newest", "best")


def define_checkpoint(values: flags.FlagValues) -> None:
    """Defines the flag that says which checkpoint of a workdir is meant."""
    text = "Of a workdir: newest, or best (by KID, with train.evaluate_every)."
    flags.DEFINE_enum("checkpoint", "newest", CHECKPOINTS, text, flag_values=values)

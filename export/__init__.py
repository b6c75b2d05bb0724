"""Exports of trained generators: SavedModel, TFLite, and a sampler for the device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_gans.workdir import Workdir


def export_workdir(workdir: Workdir, kinds: Sequence[str]) -> None:
    """Exports the newest checkpoint of a run, and says where to.

    Args:
        workdir: The run's folder.
        kinds: Any of "saved_model", "tflite".

    Raises:
        UserError: if the folder holds no trained model, or cannot be written to.
    """
    from keras_gans.command import import_tensorflow

    import_tensorflow()
    from keras_gans.export import saved_model, tflite

    from keras_gans.building import load_workdir
    from keras_gans.errors import UserError

    sampler = load_workdir(workdir.path)
    paths = {"saved_model": workdir.saved_model, "tflite": workdir.tflite}
    for kind, path in paths.items():  # the latter is converted from the former
        if kind not in kinds:
            continue
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if kind == "saved_model":
                saved_model.export(sampler, path)
            else:
                source = workdir.saved_model if "saved_model" in kinds else None
                tflite.export(sampler, path, source)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        print(f"exported {path}", flush=True)


def run_export(kind: str, doc: str, argv: list[str] | None) -> int:
    """Runs `python -m keras_gans.export.<kind>`; returns its exit status."""
    from absl import flags

    from keras_gans.command import run_command
    from keras_gans.errors import UserError
    from keras_gans.workdir import Workdir

    def define_flags(values: flags.FlagValues) -> None:
        flags.DEFINE_string("workdir", None, "The folder of a run.", flag_values=values)

    def body(values: flags.FlagValues) -> None:
        if values.workdir is None:
            raise UserError("say which run: --workdir=runs/cgan")
        export_workdir(Workdir(values.workdir), [kind])

    return run_command(kind, doc, define_flags, body, argv)

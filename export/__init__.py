"""Exports of trained generators: SavedModel, TFLite, and a sampler for the device."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_gans.building import KerasSampler
    from keras_gans.workdir import Workdir


def export_workdir(
    workdir: Workdir,
    kinds: Sequence[str],
    quantizations: Sequence[str] = ("float32",),
    checkpoint: str = "newest",
) -> tuple[KerasSampler, list[str]]:
    """Exports a run, and says where to.

    Args:
        workdir: The run's folder.
        kinds: Any of "saved_model", "tflite".
        quantizations: Any of `tflite.QUANTIZATIONS`: a .tflite file for each.
        checkpoint: "newest" or "best", see `sample.load`.

    Returns:
        (sampler, paths): what was exported, and what was written.

    Raises:
        UserError: if the folder holds no trained model, or cannot be written to.
    """
    from keras_gans.command import import_tensorflow

    import_tensorflow()
    from keras_gans.export import saved_model, tflite

    from keras_gans.building import load_workdir
    from keras_gans.errors import UserError

    sampler, written = load_workdir(workdir.path, checkpoint), []

    def write(export, path, *args):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            export(sampler, path, *args)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        print(f"exported {path}", flush=True)
        written.append(path)

    source = None
    if "saved_model" in kinds:
        source = workdir.saved_model
        write(saved_model.export, source)
    if "tflite" in kinds:
        with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
            if source is None:  # what they are converted from
                source = os.path.join(folder, "saved_model")
                saved_model.export(sampler, source)
            for quantization in quantizations:
                path = workdir.join("export", tflite.file_name(quantization))
                write(tflite.export, path, source, quantization)
    return sampler, written


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

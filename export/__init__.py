"""Exports of trained generators: SavedModel, .tflite files and a web page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler
    from keras_gans.storage.workdir import Workdir

EXPORTS = ("saved_model", "tflite")


def export_workdir(
    workdir: Workdir,
    kinds: Sequence[str],
    quantizations: Sequence[str] = ("float32",),
    checkpoint: str = "newest",
    size: int | None = None,
    watermark: str | None = None,
) -> list[tuple[KerasSampler, str]]:
    """Export the generator of a run, and print the path of each export.

    Both directions of a bidirectional model (cyclegan) are exported. The names of the
    other direction end in "_backward", as in saved_model_backward.

    Args:
        workdir: Workdir of the run.
        kinds: Kinds of exports; any of "saved_model", "tflite" and "web".
        quantizations: Any of `tflite.QUANTIZATIONS`, with one .tflite file for each.
            The web page runs the first.
        checkpoint: Checkpoint to export, "newest" or "best"; see `sampling.load.load`.
        size: Side in pixels of the condition images that the .tflite files of a
            translation model take; 0 for any size. The side of the training images if
            not given.
        watermark: Key of an invisible mark in the images of the exports. None for no
            mark.

    Returns:
        (sampler that was exported, path) of each SavedModel and .tflite file.

    Raises:
        UserError: If the folder holds no trained model or cannot be written to, the
            model does not take the size, int8 has no images to calibrate with, or the
            images cannot be marked.
    """
    from keras_gans.backend import import_tensorflow

    import_tensorflow("export")
    from keras_gans.errors import UserError
    from keras_gans.export import saved_model, tflite, web
    from keras_gans.sampling.keras_sampler import load_workdir

    sampler = load_workdir(workdir.path, checkpoint, allow_code=workdir.allow_code)
    written = []
    if watermark is not None:
        from keras_gans.export.watermark import marked

        sampler = marked(sampler, watermark)
    if "web" in kinds:
        web.check(sampler.info, size)
    if {"tflite", "web"} & set(kinds):
        size = tflite.check(sampler, workdir.path, quantizations, size)

    def write(export, sampler, path, *args):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            export(sampler, path, *args)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        print(f"exported {path}", flush=True)

    samplers = [sampler]
    if sampler.model.is_translation and sampler.model.bidirectional:
        samplers.append(sampler.turned())
    for sampler in samplers:
        source = None
        if "saved_model" in kinds:
            source = workdir.saved_model + "_backward" * sampler.backward
            write(saved_model.export, sampler, source)
            written.append((sampler, source))
        if not {"tflite", "web"} & set(kinds):
            continue
        with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
            if source is None or size:  # the conversion needs a SavedModel
                source = os.path.join(folder, "saved_model")
                saved_model.export(sampler, source, size)
            for quantization in quantizations if "tflite" in kinds else ():
                name = tflite.file_name(quantization, sampler, size)
                path = workdir.join("export", name)
                write(tflite.export, sampler, path, source, quantization, size)
                written.append((sampler, path))
            if "web" in kinds:
                page = workdir.web + "_backward" * sampler.backward
                write(web.export, sampler, page, quantizations[0], size)
    return written


def run_export(kind: str, doc: str, argv: list[str] | None) -> int:
    """Run `python -m keras_gans.export.<kind>` and return its exit status.

    Args:
        kind: "saved_model" or "tflite".
        doc: Help text of the command.
        argv: Arguments of the command; `sys.argv[1:]` if not given.
    """
    from keras_gans.cli.flags import define_workdir, workdir_of
    from keras_gans.cli.run import run_command

    def body(values: Any) -> None:
        export_workdir(workdir_of(values), [kind])

    return run_command(kind, doc, define_workdir, body, argv)

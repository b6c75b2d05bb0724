"""Exports of trained generators: SavedModel, TFLite, and a sampler for the device."""

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
    """Exports a run, and says where to.

    Of a model that goes back (cyclegan) both directions are written, the other one as
    saved_model_backward and generator_backward.tflite.

    Args:
        workdir: The run's folder.
        kinds: Any of "saved_model", "tflite", "web".
        quantizations: Any of `tflite.QUANTIZATIONS`: a .tflite file for each; the web
            page runs the first.
        checkpoint: "newest" or "best", see `sampling.load.load`.
        size: Of a model that makes pictures from pictures: the side in pixels of those
            that its .tflite files take, 0 for any; that of training if not given.
        watermark: The key of an invisible mark in what the exports make; none if not
            given.

    Returns:
        (what was exported, the path that was written) of each SavedModel and .tflite.

    Raises:
        UserError: if the folder holds no trained model, or cannot be written to; for a
            size that the model does not take, or no pictures to fit int8 to; for a
            watermark where there can be none.
    """
    from keras_gans.backend import import_tensorflow

    import_tensorflow("export")
    from keras_gans.errors import UserError
    from keras_gans.export import saved_model, tflite, web
    from keras_gans.sampling.keras_sampler import load_workdir

    sampler, written = load_workdir(workdir.path, checkpoint), []
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
            if source is None or size:  # what they are converted from
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
    """Runs `python -m keras_gans.export.<kind>`; returns its exit status."""
    from keras_gans.cli.flags import define_workdir, workdir_of
    from keras_gans.cli.run import run_command

    def body(values: Any) -> None:
        export_workdir(workdir_of(values), [kind])

    return run_command(kind, doc, define_workdir, body, argv)

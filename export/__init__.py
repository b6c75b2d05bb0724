"""Exports of trained generators: SavedModel, .tflite files and a web page."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler
    from keras_gans.storage.workdir import Workdir

EXPORTS = ("saved_model", "tflite")
KINDS = (*EXPORTS, "web")


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
    import tensorflow as tf

    from keras_gans.export import saved_model, tflite, web
    from keras_gans.sampling.keras_sampler import load_workdir
    from keras_gans.storage import files

    check(workdir, kinds)
    sampler = load_workdir(workdir.path, checkpoint, allow_code=workdir.allow_code)
    written = []
    if watermark is not None:
        from keras_gans.export.watermark import marked

        sampler = marked(sampler, watermark)
    if "web" in kinds:
        web.check(sampler.info, size)
    if {"tflite", "web"} & set(kinds):
        size = tflite.check(sampler, workdir.path, quantizations, size)

    def try_to(export, sampler, path, *args):
        try:
            export(sampler, path, *args)
        except (OSError, tf.errors.OpError) as error:
            raise _cannot_write(path, error) from None

    def write(export, sampler, path, *args):
        try_to(export, sampler, path, *args)
        print(f"exported {path}", flush=True)

    samplers = [sampler]
    if sampler.model.is_translation and sampler.model.bidirectional:
        samplers.append(sampler.turned())
    with _exporting(workdir):
        for sampler in samplers:
            source = None
            if "saved_model" in kinds:
                source = workdir.saved_model + "_backward" * sampler.backward
                write(saved_model.export, sampler, source)
                written.append((sampler, source))
            if not {"tflite", "web"} & set(kinds):
                continue
            scratch = workdir.join("export", f"scratch{files.TEMPORARY}")
            if source is None or size:  # the conversion needs a SavedModel
                source = os.path.join(scratch, "saved_model")
                try_to(saved_model.export, sampler, source, size)
            for quantization in quantizations if "tflite" in kinds else ():
                name = tflite.file_name(quantization, sampler, size)
                path = workdir.join("export", name)
                write(tflite.export, sampler, path, source, quantization, size)
                written.append((sampler, path))
            if "web" in kinds:
                page = workdir.web + "_backward" * sampler.backward
                write(web.export, sampler, page, quantizations[0], size)
            files.remove(scratch)
    return written


def check(workdir: Workdir, kinds: Sequence[str]) -> None:
    """Check, before training, that exports can be written to a workdir.

    Args:
        workdir: Workdir of the run, which need not exist yet.
        kinds: Kinds of exports, see `export_workdir`.

    Raises:
        UserError: If a file lies where an export is to be a folder, the other way
            round, or if one of them cannot be written to.
    """
    from keras_gans.storage import files

    paths = {workdir.join("export"): True}
    for kind, (path, folder) in {
        "saved_model": (workdir.saved_model, True),
        "tflite": (workdir.tflite, False),
        "web": (workdir.web, True),
    }.items():
        if kind in kinds:
            paths[path] = folder
    files.check_kinds(f"--workdir={workdir.path}", paths)


@contextlib.contextmanager
def _exporting(workdir: Workdir) -> Iterator[None]:
    """Make and lock the folder of exports, and remove what killed exports have left."""
    from keras_gans.errors import UserError
    from keras_gans.export import saved_model
    from keras_gans.storage import files

    folder = workdir.join("export")
    try:
        os.makedirs(folder, exist_ok=True)
        with files.locked(folder):
            saved_model.recover(folder)
            try:
                yield
            finally:
                files.sweep(folder, *saved_model.PARTS)
    except BlockingIOError:
        raise UserError(
            f"{folder}: another export is writing to this folder; wait for its end"
        ) from None


def _cannot_write(path: str, error: Exception) -> OSError:
    """Return the error of an export that cannot be written, in one line."""
    from keras_gans.errors import first_line
    from keras_gans.storage import files

    if not isinstance(error, OSError):  # of TensorFlow
        error = OSError(first_line(error))
    return files.cannot_write(path, error)


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

"""Exports a trained generator as a .tflite file with built-in operations only.

    python -m keras_gans.export.tflite --workdir=runs/cgan

Its signature `generate` is the SavedModel's. Behind the model, the file holds a zip
with keras_gans.json, which says what the generator is: `unzip -p generator.tflite`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import zipfile
from typing import TYPE_CHECKING

from keras_gans.export import saved_model
from keras_gans.export.sampler import INFO_NAME

if TYPE_CHECKING:
    from keras_gans.building import KerasSampler


def export(sampler: KerasSampler, path: str, source: str | None = None) -> None:
    """Writes a float32 .tflite file; an older one is replaced in one step.

    Args:
        sampler: A `keras_gans.building.KerasSampler`: the model, and what it is.
        path: The file to write.
        source: A SavedModel of the same sampler, if there is one already.
    """
    if source:
        content = convert(source)
    else:
        with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
            source = os.path.join(folder, "saved_model")
            saved_model.export(sampler, source)
            content = convert(source)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    # As TFLite's own metadata does: readers of the model ignore a zip behind it.
    with zipfile.ZipFile(temporary, "a") as archive:
        archive.writestr(INFO_NAME, json.dumps(sampler.info, indent=1))
    os.replace(temporary, path)


def convert(saved_model_path: str) -> bytes:
    """Converts a SavedModel's `generate`, without Flex operations.

    The only place that calls the converter.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model_path, signature_keys=["generate"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("tflite", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())

"""Exports a trained generator as a .tflite file with built-in operations only.

    python -m keras_gans.export.tflite --workdir=runs/cgan

Its signature `generate` is the SavedModel's. Behind the model, the file holds a zip
with keras_gans.json, which says what the generator is: `unzip -p generator.tflite`.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
import zipfile
from typing import TYPE_CHECKING

from keras_gans.export.sampler import INFO_NAME, BaseSampler

if TYPE_CHECKING:
    from keras_gans.building import KerasSampler


# How weights and maps are kept; inputs and images are float32 in all of them.
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")

EXAMPLES = 128  # latents that show an int8 file its ranges


def file_name(quantization: str) -> str:
    """The file's name in a run's export folder."""
    return "generator" + f"_{quantization}" * (quantization != "float32") + ".tflite"


def export(
    sampler: KerasSampler,
    path: str,
    source: str,
    quantization: str = "float32",
) -> None:
    """Writes a .tflite file; an older one is replaced in one step.

    Args:
        sampler: A `keras_gans.building.KerasSampler`: the model, and what it is.
        path: The file to write.
        source: A SavedModel of the same sampler, which it is converted from.
        quantization: One of `QUANTIZATIONS`.
    """
    content = convert(source, quantization, sampler)
    info = {**sampler.info, "quantization": quantization}
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    # As TFLite's own metadata does: readers of the model ignore a zip behind it.
    with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(INFO_NAME, json.dumps(info, indent=1))
    os.replace(temporary, path)


def convert(saved_model_path: str, quantization: str, sampler: BaseSampler) -> bytes:
    """Converts a SavedModel's `generate`, without Flex operations.

    The only place that calls the converter.

    Args:
        saved_model_path: The SavedModel's folder.
        quantization: One of `QUANTIZATIONS`. What has no form in 8 bits (as a
            square root) stays float32 in an int8 file.
        sampler: Draws the examples of an int8 file: the first of seed 0, of all
            classes in turn.

    Returns:
        The file's content.
    """
    import tensorflow as tf

    from keras_gans.command import no_stderr

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model_path, signature_keys=["generate"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]

        def examples():
            latents = sampler.latents(range(EXAMPLES))
            inputs = sampler.inputs(latents, sampler.labels(EXAMPLES, None))
            for i in range(EXAMPLES):
                yield {name: values[i : i + 1] for name, values in inputs.items()}

        converter.representative_dataset = examples
    with no_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the interpreter that shows the ranges
        return converter.convert()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("tflite", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())

"""Exports a trained generator as a .tflite file with built-in operations only.

    python -m keras_gans.export.tflite --workdir=runs/cgan

Its signature `generate` is the SavedModel's. Behind the model, the file holds a zip
with keras_gans.json, which says what the generator is: `unzip -p generator.tflite`.

From pictures to pictures, `generate` takes one at a time, of the side that
keras_gans.json names as "tile"; if that is 0, of any height and width.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.device.sampler import INFO_NAME, BaseSampler

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler

from keras_gans.errors import UserError

# How weights and maps are kept; inputs and images are float32 in all of them.
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")

EXAMPLES = 16, 128  # latents, or at most so many pictures, that show int8 its ranges
EXAMPLE_PIXELS = 2**20  # of large pictures fewer: the converter is slow with them


def file_name(
    quantization: str, sampler: KerasSampler | None = None, size: int | None = None
) -> str:
    """The file's name in a run's export folder; arguments as of `export`.

    Without a sampler that of its forward direction, at the size of training.
    """
    words = ["generator"]
    if sampler and sampler.backward:
        words.append("backward")
    if sampler and size is not None and size != sampler.info["condition_shape"][0]:
        words.append(str(size) if size else "any_size")
    if quantization != "float32":
        words.append(quantization)
    return "_".join(words) + ".tflite"


def check(
    sampler: KerasSampler, path: str, quantizations: Sequence[str], size: int | None
) -> int | None:
    """Checks what .tflite files are to be.

    Args:
        sampler: What is to be exported.
        path: The run's folder, for messages.
        quantizations: Any of `QUANTIZATIONS`.
        size: See `export_workdir`.

    Returns:
        None for a model from noise; for others the side of the pictures that the files
        take, or 0 for any.

    Raises:
        UserError: for a size that the model does not take, or no pictures to fit int8
            to.
    """
    if not sampler.model.is_translation:
        if size is None:
            return None
        raise UserError(
            f"--size is for models from pictures to pictures; {sampler.info['name']} "
            "makes them from noise, leave it away"
        )
    if "int8" in quantizations and sampler.conditions is None:
        raise UserError(
            f"--quantize=int8 is fitted to pictures, and {path} has no sources.npz, "
            "which training writes; expected another of float32, float16, dynamic"
        )
    side, _, channels = sampler.info["condition_shape"]
    if size is None:
        return side
    try:
        if size < 0:
            raise ValueError("negative")
        if size:
            sampler.run({"condition": np.zeros((1, size, size, channels), np.float32)})
    except Exception:  # what the network, Keras or TensorFlow says of it
        raise UserError(
            f"--size={size}: {sampler.info['name']} cannot take pictures of that side; "
            f"expected 0 for any, or about {side}, as it was trained"
        ) from None
    return size


def export(
    sampler: KerasSampler,
    path: str,
    source: str,
    quantization: str = "float32",
    size: int | None = None,
) -> None:
    """Writes a .tflite file; an older one is replaced in one step.

    Args:
        sampler: A `KerasSampler`: the model, and what it is.
        path: The file to write.
        source: A SavedModel of the same sampler, which it is converted from.
        quantization: One of `QUANTIZATIONS`.
        size: Of a model from pictures to pictures: the side that `condition` takes,
            0 for any.
    """
    content = convert(source, quantization, sampler, size)
    info = {**sampler.info, "quantization": quantization}
    if size is not None:
        info["tile"] = size
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    # As TFLite's own metadata does: readers of the model ignore a zip behind it.
    with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(INFO_NAME, json.dumps(info, indent=1))
    os.replace(temporary, path)


def convert(
    saved_model_path: str,
    quantization: str,
    sampler: BaseSampler,
    size: int | None = None,
) -> bytes:
    """Converts a SavedModel's `generate`, without Flex operations.

    The only place that calls the converter.

    Args:
        saved_model_path: The SavedModel's folder.
        quantization: One of `QUANTIZATIONS`. What has no form in 8 bits (as a
            square root) stays float32 in an int8 file.
        sampler: Draws the examples of an int8 file: the first of seed 0, of all
            classes in turn; or has some pictures. They are 128, or 16 of 256 pixels.
        size: See `export`.

    Returns:
        The file's content.
    """
    import tensorflow as tf

    from keras_gans.backend import no_stderr
    from keras_gans.engine import keras_private

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model_path, signature_keys=["generate"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        keras_private.share_dense_scales(converter)
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]

        def examples():
            height, width, _ = sampler.info["image_shape"]
            few, many = EXAMPLES
            num = max(few, min(many, EXAMPLE_PIXELS // (height * width)))
            if size is None:
                latents = sampler.latents(range(num))
                inputs = sampler.inputs(latents, sampler.labels(num, None))
            else:
                inputs = {"condition": sampler.examples(num, size)}
            for i in range(len(next(iter(inputs.values())))):
                yield {name: values[i : i + 1] for name, values in inputs.items()}

        converter.representative_dataset = examples
    with no_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the interpreter that shows the ranges
        content = converter.convert()
    return _share_vectors(content) if quantization in ("dynamic", "int8") else content


def _share_vectors(content: bytes) -> bytes:
    """Writes equal vectors of a .tflite file once.

    Each output channel of a layer in 8 bits has a scale, and a zero point of 8 bytes
    that is always 0: of small layers a tenth of the file.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class Builder(flatbuffers.Builder):
        made: dict[tuple, int] = {}

        def CreateNumpyVector(self, x):  # noqa: N802
            key = x.dtype.str, x.tobytes()
            if key not in self.made:
                self.made[key] = super().CreateNumpyVector(x)
            return self.made[key]

    builder = Builder(len(content))
    builder.made = {}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    from keras_gans.export import run_export

    return run_export("tflite", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())

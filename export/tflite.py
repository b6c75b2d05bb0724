"""Export a trained generator as a .tflite file with built-in operations only.

    python -m keras_gans.export.tflite --workdir=runs/cgan

The file has the signature `generate` of the SavedModel. A zip archive after the model
contains keras_gans.json, which describes the generator: `unzip -p generator.tflite`.

For a translation model, `generate` takes one condition image at a time. The side of
the image is "tile" in keras_gans.json; if "tile" is 0, the image has any height and
width.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.device.sampler import INFO_NAME, BaseSampler
from keras_gans.storage import files

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler

from keras_gans.errors import UserError

# Precisions of weights and activations; inputs and images are always float32.
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")

EXAMPLES = 16, 128  # least and most samples that calibrate the ranges of int8
EXAMPLE_PIXELS = 2**20  # of all samples together, as the converter is slow


def file_name(
    quantization: str, sampler: KerasSampler | None = None, size: int | None = None
) -> str:
    """Return the name of a .tflite file in the export folder of a run.

    Args:
        quantization: One of `QUANTIZATIONS`.
        sampler: Sampler that is exported. If not given, the name is that of the forward
            direction at the training size.
        size: Side in pixels of the condition images of a translation model; 0 for any.
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
    """Check the options of .tflite files.

    Args:
        sampler: Sampler that is to be exported.
        path: Workdir of the run, for error messages.
        quantizations: Any of `QUANTIZATIONS`.
        size: Side in pixels of the condition images; see `export_workdir`.

    Returns:
        The side of the condition images of a translation model, or 0 for any size. None
        for a model that takes latents.

    Raises:
        UserError: If the model does not take the size, or int8 has no images to
            calibrate with.
    """
    if not sampler.model.is_translation:
        if size is None:
            return None
        raise UserError(
            f"--size is for translation models, and {sampler.info['name']} takes "
            "latents; leave it out"
        )
    if "int8" in quantizations and sampler.conditions is None:
        raise UserError(
            f"--quantize=int8 needs the condition images in {path}/sources.npz, which "
            "training writes; use float32, float16 or dynamic"
        )
    side, _, channels = sampler.info["condition_shape"]
    if size is None:
        return side
    try:
        if size < 0:
            raise ValueError("negative")
        if size:
            sampler.run({"condition": np.zeros((1, size, size, channels), np.float32)})
    except Exception:  # of the network, Keras or TensorFlow
        raise UserError(
            f"--size={size}: {sampler.info['name']} cannot take images of this size; "
            f"expected 0 for any size, or about {side}, the training size"
        ) from None
    return size


def export(
    sampler: KerasSampler,
    path: str,
    source: str,
    quantization: str = "float32",
    size: int | None = None,
) -> None:
    """Write a .tflite file, and replace an older file atomically.

    Args:
        sampler: A `KerasSampler`, which holds the model and its description.
        path: Path of the file.
        source: Folder of a SavedModel of the same sampler, which is converted.
        quantization: One of `QUANTIZATIONS`.
        size: Side in pixels of the condition images of a translation model; 0 for any.
    """
    content = convert(source, quantization, sampler, size)
    info = {**sampler.info, "quantization": quantization}
    if size is not None:
        info["tile"] = size
    info["bytes"] = len(content)
    info["sha256"] = hashlib.sha256(content).hexdigest()
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with files.replacing(path, len(content)) as temporary:
        with open(temporary, "wb") as file:
            file.write(content)
        # As TFLite's own metadata: readers of the model ignore a zip archive after it.
        with zipfile.ZipFile(temporary, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(INFO_NAME, json.dumps(info, indent=1))


def convert(
    saved_model_path: str,
    quantization: str,
    sampler: BaseSampler,
    size: int | None = None,
) -> bytes:
    """Convert the signature `generate` of a SavedModel, without Flex operations.

    No other function calls the converter.

    Args:
        saved_model_path: Folder of the SavedModel.
        quantization: One of `QUANTIZATIONS`. Operations without an 8-bit form, such as
            a square root, stay float32 in an int8 file.
        sampler: Sampler of the calibration samples of an int8 file. They are the first
            latents of seed 0 with all classes in turn, or condition images: 128
            samples, or 16 of 256 x 256 pixels.
        size: Side in pixels of the condition images; see `export`.

    Returns:
        Content of the .tflite file.
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
        warnings.simplefilter("ignore")  # of the interpreter that calibrates
        content = converter.convert()
    return _share_vectors(content) if quantization in ("dynamic", "int8") else content


def _share_vectors(content: bytes) -> bytes:
    """Store equal vectors of a .tflite file only once.

    Each output channel of an 8-bit layer has a scale, and a zero point of 8 bytes that
    is always 0. In small layers these are a tenth of the file.
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
    """Run the command and return its exit status."""
    from keras_gans.export import run_export

    return run_export("tflite", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())

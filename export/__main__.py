r"""Export a trained generator, and measure the exports.

    python -m keras_gans.export --workdir=runs/cgan --quantize=float32,float16,int8

The exports are written to the folder export of the run. saved_model is for servers, and
generator.tflite is for devices. Each other quantization has a file of its own, such as
generator_int8.tflite. The command prints the size of each export, and the deviation of
its images from those of the Keras generator. report.json holds the same numbers.

--benchmark also measures speed and memory on this machine, of Keras as well. "times"
is the milliseconds divided by those of the SavedModel. --evaluate=5000 also measures
the KID of 5,000 samples, and the share of samples that show the class of their label.

--quantize chooses the precision. float32 is that of training. float16 stores weights in
16 bits. dynamic stores weights in 8 bits and quantizes activations during inference.
int8 stores weights and activations in 8 bits, with ranges calibrated on samples.

--to=web writes the folder web, a page that runs the generator in the browser.

The .tflite of a translation model takes condition images of the training size. Larger
images are translated tile by tile. --size=256 is another fixed size. --size=0 takes
images of any size, but is slower. The size is part of the file's name, as in
generator_256.tflite and generator_any_size.tflite.
"""

from __future__ import annotations

import json
import sys

from absl import flags

from keras_gans.cli.flags import define_checkpoint, define_workdir, workdir_of
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError, did_you_mean
from keras_gans.export import EXPORTS, KINDS
from keras_gans.export.tflite import QUANTIZATIONS


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flag = {"flag_values": values}
    define_workdir(values)
    flags.DEFINE_list(
        "to", list(EXPORTS), f"Kinds of exports, any of {', '.join(KINDS)}.", **flag
    )
    define_checkpoint(values)
    kinds = f"Precisions of .tflite files, any of {', '.join(QUANTIZATIONS)}."
    flags.DEFINE_list("quantize", ["float32"], kinds, **flag)
    size = (
        "Side in pixels of the condition images that .tflite files of a translation "
        "model take; 0 for any size."
    )
    flags.DEFINE_integer("size", None, size, **flag)
    mark = (
        "Key of an invisible mark in all images, any word; keras_gans.watermark "
        "detects the mark."
    )
    flags.DEFINE_string("watermark", None, mark, **flag)
    judged = "Number of samples of each export that keras_gans.evaluate measures."
    flags.DEFINE_integer("evaluate", 0, judged, lower_bound=0, **flag)
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder in which TensorFlow Datasets keeps its data sets.",
        **flag,
    )
    flags.DEFINE_bool(
        "benchmark", False, "Whether to measure speed and memory as well.", **flag
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("export", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    from keras_gans.device.sampler import write
    from keras_gans.export import export_workdir, report

    workdir = workdir_of(values)
    for name, known in (("to", KINDS), ("quantize", QUANTIZATIONS)):
        chosen = getattr(values, name)
        for word in chosen or [""]:
            if word not in known:
                hint = did_you_mean(word, known)
                raise UserError(f"--{name}={','.join(chosen)}: no '{word}'{hint}")
    for name in ("quantize", "size"):
        if values[name].present and values.to == ["saved_model"]:
            raise UserError(f"--{name} is for .tflite files only; add tflite to --to")
    exported = export_workdir(
        workdir,
        values.to,
        values.quantize,
        values.checkpoint,
        values.size,
        values.watermark,
    )
    rows = [report.measure_keras(workdir.path)] if values.benchmark else []
    for sampler, path in exported:
        row = report.measure(sampler, path, values.benchmark)
        if values.evaluate:
            row |= report.judge(path, values.evaluate, values.data_dir)
        rows.append(row)
    if rows:
        path = workdir.join("export", "report.json")
        write(json.dumps(rows, indent=1).encode(), path)
        print(report.table(rows))


if __name__ == "__main__":
    sys.exit(main())

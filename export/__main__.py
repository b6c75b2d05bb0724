r"""Exports a trained generator, and measures what was written.

    python -m keras_gans.export --workdir=runs/cgan --quantize=float32,float16,int8

Writes to the run's folder export: saved_model, for servers, and generator.tflite, for
devices, with a file for each other quantization (generator_int8.tflite); prints their
sizes and how far their pictures are from the Keras generator's, and keeps the same in
report.json. With --benchmark also their speed and memory on this machine, beside those
of Keras; "times" are the milliseconds against those of the SavedModel. With
--evaluate=5000 also the KID of so many samples, and the share that shows the class that
was asked for.

float32 is as in training; float16 keeps weights in 16 bits; dynamic keeps weights in 8
bits and quantises maps as they come; int8 keeps weights and maps in 8 bits, with ranges
that 128 samples have shown.

--to=web writes a folder web, a page that runs the generator in the browser.

A model that makes pictures from pictures is exported to a .tflite that takes those of
the size of training, tile by tile if they are larger; --size=256 is another fixed size,
and --size=0 takes pictures of any size, but runs slower. Their names say so
(generator_256.tflite, generator_any_size.tflite).
"""

from __future__ import annotations

import json
import sys

from absl import flags

from keras_gans.cli.flags import define_checkpoint, define_workdir, workdir_of
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError, did_you_mean
from keras_gans.export import EXPORTS
from keras_gans.export.tflite import QUANTIZATIONS

KINDS = (*EXPORTS, "web")


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    define_workdir(values)
    flags.DEFINE_list("to", list(EXPORTS), f"Any of {', '.join(KINDS)}.", **flag)
    define_checkpoint(values)
    kinds = f"Of .tflite files: any of {', '.join(QUANTIZATIONS)}; a file for each."
    flags.DEFINE_list("quantize", ["float32"], kinds, **flag)
    size = "Of .tflite files from pictures to pictures: their side; 0 for any."
    flags.DEFINE_integer("size", None, size, **flag)
    mark = "A word: marks all pictures invisibly, see keras_gans.watermark."
    flags.DEFINE_string("watermark", None, mark, **flag)
    judged = "Samples of each file to measure, too, as keras_gans.evaluate does."
    flags.DEFINE_integer("evaluate", 0, judged, lower_bound=0, **flag)
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_bool("benchmark", False, "Measures speed and memory, too.", **flag)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
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
            raise UserError(f"--{name} is of .tflite files; add tflite to --to")
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

r"""Measure speed, memory, sample quality and exports of the zoo on this machine.

    python -m keras_gans.benchmark throughput --model=cgan

times each recipe in two ways, in turn. "fit" is training as the train command does it,
with all callbacks. "bare" is a loop of the same updates on batches already in memory.
The command prints these columns:

- images per second of "fit" and of "bare" (medians), and their ratio;
- the share of the time spent waiting for data;
- floating-point operations per image and per second, and the share of the device's
  peak;
- the peak memory of the process, and the speed relative to the first row.

Several models and --precision=float32,mixed_bfloat16 are measured in turn in the same
run. --torch adds PyTorch's DCGAN of the first model's shape.

    python -m keras_gans.benchmark gpu --seconds=300

times the zoo on a GPU within the given number of seconds. It uses every installed
backend, and PyTorch if it is installed. The rows are: cgan, trained as by the train
command for a minute; milliseconds per step of five models in two precisions; PyTorch's
DCGAN; the device's peaks. Each row is printed and saved to rows.jsonl in --out as soon
as it is measured. --write writes the page gpu.md in the folder --docs.

    python -m keras_gans.benchmark models --model=dcgan --model=r3gan

runs the bare loop of each recipe in a process of its own. It prints steps and images
per second (medians), the numbers of weights, and the peak memory of the process, which
includes the backend.

    python -m keras_gans.benchmark input --model=dcgan --set=data.dataset=digits

reads each recipe's data without training, in a process of its own. It prints the
seconds to the first batch, images per second after that batch (median), the number of
images, and the peak memory of the process.

    python -m keras_gans.benchmark quality --model=dcgan --model=sngan \
        --dataset=fashion --budget=180 --seeds=3 --out=runs/board
    python -m keras_gans.benchmark report --out=runs/board

trains each model with several seeds, for as many steps as fill --budget seconds on this
machine, and measures each run with `keras_gans.evaluate`. It prints means and standard
deviations over the seeds. Runs that are already in the folder --out are not repeated.
`report` writes the table and a plot of KID against time to the folder --docs.

    python -m keras_gans.benchmark exports --model=dcgan --model=r3gan --steps=100 \
        --out=runs/exports

trains each model for some steps and exports it in every quantization. It writes the
sizes and deviations of all exports in the folder --out to exports.md in --docs.

    python -m keras_gans.benchmark doctor --out=runs/doctor

trains one run that is broken on purpose for each of the doctor's diagnoses, and healthy
runs. It writes the doctor's findings in all of them to doctor.md in --docs.

    python -m keras_gans.benchmark watermark --source=runs/cgan --num=1000

marks a run's images as `keras_gans.export --watermark` does, and changes them in
several ways. It prints the share of images in which the mark is still detected, the
PSNR of marked images, and the KID with and without the mark.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Sequence

from absl import flags

from keras_gans.backend import import_backend, import_tensorflow
from keras_gans.benchmarks import gpu, quality, throughput
from keras_gans.benchmarks.models import machine, models, read_input, steps_per_second
from keras_gans.cli.flags import define_allow_code
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError, did_you_mean
from keras_gans.recipes.config import Config, load_config

KINDS = (
    "throughput",
    "gpu",
    "models",
    "input",
    "quality",
    "report",
    "exports",
    "doctor",
    "watermark",
)


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_multi_string(
        "model",
        ["cgan"],
        "Name of a recipe of the zoo, or path of a .toml file",
        **flag,
    )
    flags.DEFINE_multi_string(
        "set", [], "KEY=VALUE that changes one key of the recipe", **flag
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder in which TensorFlow Datasets keeps its data sets.",
        **flag,
    )
    flags.DEFINE_list(
        "precision",
        None,
        "throughput: values of train.precision, separated by commas; the recipe's if "
        "not given.",
        **flag,
    )
    flags.DEFINE_bool(
        "torch", False, "throughput: whether to time PyTorch's DCGAN as well.", **flag
    )
    flags.DEFINE_integer(
        "seconds", 300, "gpu: limit of the total time.", **flag, lower_bound=10
    )
    flags.DEFINE_bool(
        "smoke", False, "gpu: whether to rehearse at the recipes' smoke sizes.", **flag
    )
    flags.DEFINE_bool(
        "write", False, "gpu: whether to write the page of results.", **flag
    )
    flags.DEFINE_integer(
        "rounds",
        5,
        "throughput, models, input: number of measurements.",
        **flag,
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "steps",
        None,
        "Steps of each measurement; the recipe's checkpoint_every if not given, so "
        "that grids and checkpoints take their usual share. exports: training steps "
        "(100).",
        **flag,
        lower_bound=1,
    )
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("dataset", "fashion", "quality: training set of all models.", **flag)
    text(
        "reference",
        None,
        "quality: real images to compare with; see keras_gans.evaluate.",
        **flag,
    )
    number(
        "budget",
        600,
        "quality: seconds of training of each run.",
        **flag,
        lower_bound=1,
    )
    number("seeds", 3, "quality: number of runs of each model.", **flag, lower_bound=1)
    number(
        "num",
        10_000,
        "quality: number of samples to measure; watermark: number of images (1000 if "
        "not given).",
        **flag,
        lower_bound=20,
    )
    text("source", None, "watermark: workdir of a run.", **flag)
    define_allow_code(values)
    text(
        "out",
        "runs/board",
        "quality, report, exports, doctor, gpu: folder of the results; for gpu "
        "runs/gpu if not given.",
        **flag,
    )
    text(
        "docs",
        os.path.join("docs", "results"),
        "report, exports, doctor, gpu: folder in which the pages are written.",
        **flag,
    )
    text(
        "readme",
        None,
        "report: Markdown file that contains the marks of the board.",
        **flag,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command(
        "benchmark", __doc__, define_flags, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, words: list[str]) -> None:
    if not words:
        raise UserError(f"expected a benchmark, one of {', '.join(KINDS)}; got none")
    kind = words[0]
    if kind not in KINDS:
        raise UserError(f"no benchmark '{kind}'{did_you_mean(kind, KINDS)}")
    if len(words) > 1:
        raise UserError(f"expected one benchmark, got {' '.join(words)}")
    if kind != "throughput" and (values.precision or values.torch):
        raise UserError(
            "--precision and --torch: only throughput takes them; leave them out"
        )
    if kind == "gpu":
        _run_gpu(values)
        return
    if kind == "report":
        quality.report(values.out, values.docs, values.readme)
        print(f"wrote {os.path.join(values.docs, 'board.md')}")
        return
    if kind == "quality":
        _run_quality(values)
        return
    if kind == "exports":
        _run_exports(values)
        return
    if kind == "doctor":
        _run_doctor(values)
        return
    if kind == "watermark":
        _run_watermark(values)
        return
    if kind == "throughput":
        _run_throughput(values)
        return
    configs = [_config(values, name) for name in values.model]
    steps = values.steps or configs[0].train.checkpoint_every
    if kind == "input":
        read_input(configs, values.data_dir, values.rounds, steps)
    else:
        models(configs, values.data_dir, values.rounds, steps)


def _config(values: flags.FlagValues, name: str, more: Sequence[str] = ()) -> Config:
    """Load a recipe with the overrides of --set, then with more overrides."""
    return load_config(name, [*values.set, *more], allow_code=values.allow_code)


def _run_throughput(values: flags.FlagValues) -> None:
    """Time training with the command's flags."""
    changes = [[f"train.precision={p}"] for p in values.precision or ()] or [[]]
    configs = [_config(values, name, c) for name in values.model for c in changes]
    throughput.throughput(
        configs, values.data_dir, values.rounds, values.steps, values.torch
    )
    print(machine())


def _run_gpu(values: flags.FlagValues) -> None:
    """Time the zoo on a GPU with the command's flags."""
    out = values.out if values["out"].present else os.path.join("runs", "gpu")
    rows = gpu.run(values.seconds, out, values.smoke)
    print(f"wrote {os.path.join(out, 'rows.jsonl')}")
    if values.write:
        command = f"python -m keras_gans.benchmark gpu --seconds={values.seconds}"
        text = gpu.page(rows, command, datetime.date.today().isoformat())
        path = os.path.join(values.docs, "gpu.md")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print(f"wrote {path}")


def _run_quality(values: flags.FlagValues) -> None:
    """Compare models on a board and print it with the command's flags."""
    contest = quality.Contest(
        values.dataset,
        values.budget,
        values.seeds,
        values.num,
        tuple(values.set),
        values.data_dir,
        values.reference,
    )
    dataset = [f"data.dataset={values.dataset}"]
    configs = {name: _config(values, name, dataset) for name in values.model}
    rows = quality.run(configs, contest, values.out, steps_per_second, machine())
    print(quality.table(rows))


def _run_exports(values: flags.FlagValues) -> None:
    """Export models and write the page with the command's flags."""
    import_tensorflow("export")
    from keras_gans.benchmarks import exports

    configs = {name: _config(values, name) for name in values.model}
    exports.run(configs, values.set, values.steps or 100, values.out)
    print(exports.table(values.out))
    print(f"wrote {exports.write_page(values.out, values.docs, machine())}")


def _run_doctor(values: flags.FlagValues) -> None:
    """Test the doctor and write the page with the command's flags."""
    import_backend()
    from keras_gans.benchmarks import doctor

    doctor.run(values.out)
    print(f"wrote {doctor.write_page(values.out, values.docs, machine())}")


def _run_watermark(values: flags.FlagValues) -> None:
    """Measure the invisible mark of a run's exports with the command's flags."""
    if values.source is None:
        raise UserError(
            "--source: expected the workdir of a run, as in --source=runs/cgan"
        )
    import_tensorflow("the watermark benchmark")
    from keras_gans.benchmarks import watermark
    from keras_gans.sampling import keras_sampler
    from keras_gans.storage.workdir import Workdir

    workdir = Workdir(values.source, values.allow_code)
    sampler = keras_sampler.load_workdir(workdir.path, allow_code=workdir.allow_code)
    recipe, _ = workdir.read()
    num = values.num if values["num"].present else 1000
    real = watermark.real_pictures(recipe.data, values.data_dir, num)
    print(watermark.run(sampler, real, recipe.data.dataset, num))
    print(f"{sampler.info['name']} at step {sampler.info['step']}, {machine()}")


if __name__ == "__main__":
    sys.exit(main())

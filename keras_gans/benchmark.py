r"""Measures how fast this machine trains.

    python -m keras_gans.benchmark throughput --model=cgan

trains the recipe in two ways, in turn: with `fit` and all callbacks of the train
command, and in a bare `tf.function` loop that does the same updates on batches already
in memory. Prints images per second of each (medians), their ratio, the share of the
time spent waiting for data, the arithmetic of an image, what share of the device's peak
that is, and the most memory held. Several models, --precision=float32,mixed_bfloat16,
and --torch (PyTorch's DCGAN of the same shape) are measured in turn in the same run.

    python -m keras_gans.benchmark gpu --seconds=300

times the zoo on a GPU that is at hand for minutes, under the backends that are
installed, and PyTorch's DCGAN if there is PyTorch: the main job for a minute, then
milliseconds per step of five models in two precisions, then the device's peaks. Each
row is printed, and kept in --out, as soon as it is there. --write makes the page
gpu.md in --docs, in its folder results.

    python -m keras_gans.benchmark models --model=dcgan --model=r3gan

runs the bare loop of each recipe in a process of its own and prints steps and images
per second (medians), the number of weights, and the most memory that the process held,
TensorFlow included.

    python -m keras_gans.benchmark input --model=dcgan --set=data.dataset=digits

reads each recipe's data alone, in a process of its own: seconds to the first batch,
images per second after it (median), and the most memory that the process held.

    python -m keras_gans.benchmark quality --model=dcgan --model=sngan \
        --dataset=fashion --budget=180 --seeds=3 --out=runs/board
    python -m keras_gans.benchmark report --out=runs/board --docs=docs

trains each model for as many steps as fill the budget of seconds on this machine, with
several seeds, measures each run by `keras_gans.evaluate`, and prints means and standard
deviations; runs that are in the folder already are not made again. `report` writes the
table and a plot of KID against time.

    python -m keras_gans.benchmark exports --model=dcgan --model=r3gan --steps=100 \
        --out=runs/exports --docs=docs

trains each model for some steps, exports it in every quantization, and writes sizes and
deviations of all that are in the folder to docs/exports.md.

    python -m keras_gans.benchmark doctor --out=runs/doctor --docs=docs

trains runs that are broken on purpose, one for each of the doctor's diagnoses, and
healthy ones, and writes what it says of them to docs/doctor.md.

    python -m keras_gans.benchmark watermark --source=runs/cgan --num=1000

marks a run's pictures as `export --watermark` does, changes them in several ways, and
prints how many are found again, how visible the mark is, and what it costs in KID.
"""

from __future__ import annotations

import datetime
import os
import sys

from absl import flags

from keras_gans.backend import import_backend, import_tensorflow
from keras_gans.benchmarks import gpu, quality, throughput
from keras_gans.benchmarks.models import machine, models, read_input, steps_per_second
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError, did_you_mean
from keras_gans.recipes.config import load_config

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
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_multi_string(
        "model",
        ["cgan"],
        "A name of the zoo, or a .toml file; several.",
        **flag,
    )
    flags.DEFINE_multi_string("set", [], "Changes one key of the recipe.", **flag)
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_list(
        "precision",
        None,
        "throughput: of train.precision, several; the recipe's if not given.",
        **flag,
    )
    flags.DEFINE_bool("torch", False, "throughput: PyTorch's DCGAN, too.", **flag)
    flags.DEFINE_integer("seconds", 300, "gpu: time in all.", **flag, lower_bound=10)
    flags.DEFINE_bool("smoke", False, "gpu: recipes at smoke size.", **flag)
    flags.DEFINE_bool("write", False, "gpu: write the page of results.", **flag)
    flags.DEFINE_integer("rounds", 5, "Pairs of measurements.", **flag, lower_bound=1)
    flags.DEFINE_integer(
        "steps",
        None,
        "Steps in a measurement; the recipe's checkpoint_every if not given, so that "
        "grids and checkpoints count in their true share. exports: of training, 100.",
        **flag,
        lower_bound=1,
    )
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("dataset", "fashion", "quality: what all train on.", **flag)
    text("reference", None, "quality: as of keras_gans.evaluate.", **flag)
    number("budget", 600, "quality: seconds of training.", **flag, lower_bound=1)
    number("seeds", 3, "quality: runs of each model.", **flag, lower_bound=1)
    number(
        "num",
        10_000,
        "quality: samples to measure; watermark: 1000 if not given.",
        **flag,
        lower_bound=20,
    )
    text("source", None, "watermark: a run's workdir.", **flag)
    text("out", "runs/board", "For quality, report, exports, doctor: a folder.", **flag)
    text("docs", "docs", "report, exports, doctor: where their pages go.", **flag)
    text("readme", None, "report: a page with the marks of the board.", **flag)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command(
        "benchmark", __doc__, define_flags, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, words: list[str]) -> None:
    if not words:
        raise UserError(f"say which benchmark: one of {', '.join(KINDS)}")
    kind = words[0]
    if kind not in KINDS:
        raise UserError(f"no benchmark '{kind}'{did_you_mean(kind, KINDS)}")
    if len(words) > 1:
        raise UserError(f"expected one benchmark, got {' '.join(words)}")
    if kind != "throughput" and (values.precision or values.torch):
        raise UserError("--precision and --torch: of throughput alone")
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
    configs = [load_config(name, values.set) for name in values.model]
    steps = values.steps or configs[0].train.checkpoint_every
    if kind == "input":
        read_input(configs, values.data_dir, values.rounds, steps)
    else:
        models(configs, values.data_dir, values.rounds, steps)


def _run_throughput(values: flags.FlagValues) -> None:
    """Times training; the flags are those of the command."""
    changes = [values.set]
    if values.precision:
        changes = [[*values.set, f"train.precision={p}"] for p in values.precision]
    configs = [load_config(name, c) for name in values.model for c in changes]
    throughput.throughput(
        configs, values.data_dir, values.rounds, values.steps, values.torch
    )
    print(machine())


def _run_gpu(values: flags.FlagValues) -> None:
    """Time the zoo on a GPU; the flags are those of the command."""
    out = values.out if values["out"].present else os.path.join("runs", "gpu")
    rows = gpu.run(values.seconds, out, values.smoke)
    print(f"kept in {os.path.join(out, 'rows.jsonl')}")
    if values.write:
        command = f"python -m keras_gans.benchmark gpu --seconds={values.seconds}"
        text = gpu.page(rows, command, datetime.date.today().isoformat())
        path = os.path.join(values.docs, "results", "gpu.md")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print(f"wrote {path}")


def _run_quality(values: flags.FlagValues) -> None:
    """Makes a board of models and prints it; the flags are those of the command."""
    contest = quality.Contest(
        values.dataset,
        values.budget,
        values.seeds,
        values.num,
        tuple(values.set),
        values.data_dir,
        values.reference,
    )
    overrides = [*values.set, f"data.dataset={values.dataset}"]
    configs = {name: load_config(name, overrides) for name in values.model}
    rows = quality.run(configs, contest, values.out, steps_per_second, machine())
    print(quality.table(rows))


def _run_exports(values: flags.FlagValues) -> None:
    """Exports models and writes the page; the flags are those of the command."""
    import_tensorflow("export")
    from keras_gans.benchmarks import exports

    configs = {name: load_config(name, values.set) for name in values.model}
    exports.run(configs, values.set, values.steps or 100, values.out)
    print(exports.table(values.out))
    print(f"wrote {exports.write_page(values.out, values.docs, machine())}")


def _run_doctor(values: flags.FlagValues) -> None:
    """Tries the doctor and writes the page; the flags are those of the command."""
    import_backend()
    from keras_gans.benchmarks import doctor

    doctor.run(values.out)
    print(f"wrote {doctor.write_page(values.out, values.docs, machine())}")


def _run_watermark(values: flags.FlagValues) -> None:
    """Measures the mark of a run's exports; the flags are those of the command."""
    if values.source is None:
        raise UserError("say which run: --source=runs/cgan")
    import_tensorflow("an export's mark")
    from keras_gans.benchmarks import watermark
    from keras_gans.sampling import keras_sampler
    from keras_gans.storage.workdir import Workdir

    sampler = keras_sampler.load_workdir(values.source)
    recipe, _ = Workdir(values.source).read()
    num = values.num if values["num"].present else 1000
    real = watermark.real_pictures(recipe.data, values.data_dir, num)
    print(watermark.run(sampler, real, recipe.data.dataset, num))
    print(f"{sampler.info['name']} at step {sampler.info['step']}, {machine()}")


if __name__ == "__main__":
    sys.exit(main())

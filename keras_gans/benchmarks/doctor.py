"""Findings of the doctor in runs that are broken on purpose, and in healthy runs."""

from __future__ import annotations

import os

from keras_gans.cli.child import run_child
from keras_gans.device.sampler import write
from keras_gans.diagnostics import log as log_lib
from keras_gans.diagnostics import rules
from keras_gans.diagnostics.log import read_log
from keras_gans.errors import UserError
from keras_gans.storage.workdir import Workdir

PAGE = "doctor.md"
# {diagnosis: (recipe, "table.key=value" words that cause it)}
BROKEN = {
    "not finite": ("wgan_gp", ["d_optimizer.learning_rate=1e3", "train.steps=300"]),
    "dead gradients": ("wgan", ["hparams.clip=1e-5", "train.steps=600"]),
    "saturated": ("gan", ["g_optimizer.learning_rate=0.1", "train.steps=800"]),
    "collapse": (
        "dragan",
        [
            "hparams.gp_weight=0",
            "g_optimizer.learning_rate=2e-3",
            "d_optimizer.learning_rate=1e-5",
            "train.steps=1000",
        ],
    ),
    "discriminator won": (
        "dcgan",
        ["g_optimizer.learning_rate=1e-6", "train.steps=800"],
    ),
    "overfitting": ("cgan", ["data.held_out=4900", "train.steps=2000"]),
    "oscillation": (
        "wgan_gp_ring",
        ["hparams.gp_weight=0", "hparams.d_steps=1", "train.steps=1500"],
    ),
}
HEALTHY = {
    "gan": ["train.steps=3000"],
    "dcgan": ["train.steps=2000"],
    "cgan": ["data.held_out=500", "train.steps=2000"],
    "lsgan": ["train.steps=2000"],
    "wgan_gp": ["train.steps=800"],
    "infogan": ["train.steps=2000"],
    "sngan": ["train.steps=1000"],
    "r3gan": ["train.steps=1000"],
    "stylegan2": ["train.steps=1000"],
    "pix2pix": ["train.steps=1000"],
}
DONE = "done"  # name of the file that marks a finished run and holds its settings
LOGGING = "train.log_every=50"  # in every run, as findings depend on it


def runs() -> dict[str, tuple[str, list[str]]]:
    """List all runs: {folder: (recipe, "table.key=value" words)}."""
    broken = {f"broken_{k.replace(' ', '_')}": v for k, v in BROKEN.items()}
    healthy = {f"healthy_{name}": (name, words) for name, words in HEALTHY.items()}
    return {k: (m, [*words, LOGGING]) for k, (m, words) in (broken | healthy).items()}


def run(out: str) -> None:
    """Train each run in a folder of its own, and keep runs that are finished.

    Args:
        out: Folder that holds the runs' folders.

    Raises:
        UserError: If a run cannot be trained.
    """
    for folder, (model, words) in runs().items():
        workdir = os.path.join(out, folder)
        settings = [f"--model={model}", *(f"--set={word}" for word in words)]
        if _done(workdir) == settings:
            continue
        where = [f"--workdir={workdir}", "--overwrite", "--export=none"]
        status, _, said = run_child(["train", *where, *settings])
        found = findings(Workdir(workdir).metrics)
        if status and "not finite" not in found:  # a traceback, for example
            raise UserError(f"{folder}: {said}")
        write("\n".join(settings).encode(), os.path.join(workdir, DONE))
        print(f"{folder}: {', '.join(found) or 'nothing'}", flush=True)


def _done(workdir: str) -> list[str]:
    """Read the settings of a finished run; an unfinished run has none."""
    path = os.path.join(workdir, DONE)
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def findings(path: str) -> dict[str, rules.Finding]:
    """Diagnose a metrics.jsonl file: {diagnosis: finding}."""
    diagnosis = rules.Diagnosis()
    diagnosis.catch_up(read_log(path))
    return diagnosis.findings


def table(found: dict[str, dict[str, rules.Finding]]) -> str:
    """Format findings as a Markdown table of the steps at which they were noticed.

    Args:
        found: Findings of some runs by folder, {folder: {diagnosis: finding}}. Each run
            has a column.
    """
    heads = [_title(folder) for folder in found]
    lines = [f"| finding | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in rules.DIAGNOSES:
        cells = [str(f[name].step) if name in f else "" for f in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(found: dict[str, dict[str, rules.Finding]], machine: str) -> str:
    """Render the page of the docs in Markdown.

    Args:
        found: Findings of all runs, as in `table`.
        machine: Description of the machine and of its software.
    """
    d, recent, least = rules, log_lib.RECENT, log_lib.LEAST
    settled = log_lib.SETTLED
    whens = {
        "not finite": "a value is infinite or not a number; the finding names the "
        "first such value, in the order of their computation",
        "dead gradients": "`g_gradient_norm` or `d_gradient_norm` stays below "
        f"{d.VANISHED:g}",
        "saturated": f"`saturation` stays above {d.SATURATED}",
        "collapse": f"the median `diversity` is below {d.ALIKE} and below {d.FALLEN} "
        f"times its best value, or it is below {d.STUCK} and does not rise",
        "discriminator won": f"`real_score` stays above {1 - d.SURE} and `fake_score` "
        f"below {d.SURE}, or `d_real` and `d_fake` stay between 0 and {d.SURE}; in "
        f"both cases `fakes_passing` stays below {d.PASSING}",
        "overfitting": f"`held_out_score` is at most {d.NEAR} of the way from "
        f"`fake_score` to `real_score`, and these two are at least {d.APART} apart; "
        "needs `--set=data.held_out=100`",
        "oscillation": "`real_score` - `fake_score` oscillates by more than "
        f"{d.SWING}, measured as the square root of the sum of two squares: of the "
        "median `score_spread`, and of half the median change between lines of the "
        "log",
    }
    rows = "\n".join(f"| {name} | {whens[name]} |" for name in d.DIAGNOSES)
    commands = "\n".join(
        f"| {_title(folder)} | `--model={model} "
        f"{' '.join(f'--set={word}' for word in words)}` |"
        for folder, (model, words) in runs().items()
    )
    broken, healthy = (
        table({f: v for f, v in found.items() if f.startswith(kind)})
        for kind in ("broken_", "healthy_")
    )
    return f"""# The doctor

Training diagnoses itself. It prints one line for each fault: the step, the fault, and
the remedy. `python -m keras_gans.doctor --workdir=runs/dcgan` reads the log of a run,
finished or still in progress. A diagnosis uses the last {recent} steps, or the last
{least} lines of the log if these cover more steps. It ignores the steps up to
{settled}. A value that is not finite stops a run at once.

| finding | condition |
|---|---|
{rows}

`diversity` is the mean distance (root mean square over pixels) between pairs of
generated images, divided by that between pairs of as many real images. The averaged
generator draws these 16 to 64 images, always from the same latents. If the generator
takes classes, both images of a pair show the same class. `saturation` compares the
share of values between black and white in generated images with that in real images:
it is 1 minus their ratio. `score_spread` is the standard deviation of
`real_score` - `fake_score` over the steps of a line of the log.

Scores are sigmoids of logits. The scores of `lsgan`, `cyclegan` and `cut` seldom differ
from 0.5 by more than 0.12, because their losses reach the minimum there. With a hinge
loss (`sngan`, `sagan`, `biggan`, `fastgan`, `spade`) this limit is 0.23. In these
models the doctor finds oscillation and overfitting only if they are strong.

Training checks the images before the first step. It stops with a one-line error if all
images are the same, or a value is not finite or outside [-1, 1].

## {len(BROKEN)} runs broken on purpose, {len(HEALTHY)} healthy runs

Written by `python -m keras_gans.benchmark doctor --out=runs/doctor`: {machine}. A cell
holds the step at which the doctor noticed the fault. A run that is broken in one way
often has other faults as well. The logs are in `tests/diagnostics/doctor_logs`, where a
test reads them.

Runs broken on purpose, one in each column:

{broken}

Healthy runs, one in each column:

{healthy}

| run | `python -m keras_gans.train` |
|---|---|
{commands}
"""


def _title(folder: str) -> str:
    return folder.partition("_")[2].replace("_", " ")


def write_page(out: str, docs: str, machine: str) -> str:
    """Write the page of the docs, with the findings and the commands of all runs.

    Args:
        out: Folder that holds the runs' folders, as in `run`.
        docs: Folder in which the page is written.
        machine: Description of the machine and of its software, shown on the page.

    Returns:
        Path of the page.

    Raises:
        UserError: If a run is missing, or the page cannot be written.
    """
    found = {
        name: findings(Workdir(os.path.join(out, name)).metrics) for name in runs()
    }
    path = os.path.join(docs, PAGE)
    try:
        os.makedirs(docs, exist_ok=True)
        write(page(found, machine).encode(), path)
    except OSError as error:
        raise UserError(f"--docs={docs}: {error.strerror}") from None
    return path

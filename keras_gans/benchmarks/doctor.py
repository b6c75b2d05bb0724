"""What the doctor says of runs that are broken on purpose, and of healthy ones."""

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
# {what is broken: (recipe, what breaks it)}
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
DONE = "done"  # a file, in the folder of a run that is over
LOGGING = "train.log_every=50"  # of all of them, whatever the recipe says


def runs() -> dict[str, tuple[str, list[str]]]:
    """All runs: {folder: (recipe, "table.key=value" words)}."""
    broken = {f"broken_{k.replace(' ', '_')}": v for k, v in BROKEN.items()}
    healthy = {f"healthy_{name}": (name, words) for name, words in HEALTHY.items()}
    return {k: (m, [*words, LOGGING]) for k, (m, words) in (broken | healthy).items()}


def run(out: str) -> None:
    """Trains each run, in a folder of its own; those that are there stay.

    Args:
        out: The folder for them.

    Raises:
        UserError: if one cannot be trained.
    """
    for folder, (model, words) in runs().items():
        workdir = os.path.join(out, folder)
        settings = [f"--model={model}", *(f"--set={word}" for word in words)]
        if _done(workdir) == settings:
            continue
        where = [f"--workdir={workdir}", "--overwrite", "--export=none"]
        status, _, said = run_child(["train", *where, *settings])
        found = findings(Workdir(workdir).metrics)
        if status and "not finite" not in found:  # as after a traceback
            raise UserError(f"{folder}: {said}")
        write("\n".join(settings).encode(), os.path.join(workdir, DONE))
        print(f"{folder}: {', '.join(found) or 'nothing'}", flush=True)


def _done(workdir: str) -> list[str]:
    """The settings of a run that is over."""
    path = os.path.join(workdir, DONE)
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def findings(path: str) -> dict[str, rules.Finding]:
    """What the doctor finds in a metrics.jsonl: {name: finding}."""
    diagnosis = rules.Diagnosis()
    diagnosis.catch_up(read_log(path))
    return diagnosis.findings


def table(found: dict[str, dict[str, rules.Finding]]) -> str:
    """Findings as a Markdown table: the step of the first sight of each.

    Args:
        found: {folder: findings} of some runs, a column for each.
    """
    heads = [_title(folder) for folder in found]
    lines = [f"| found | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in rules.DIAGNOSES:
        cells = [str(f[name].step) if name in f else "" for f in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(found: dict[str, dict[str, rules.Finding]], machine: str) -> str:
    """The page of the docs; arguments as of `table`, of all runs, and `write_page`."""
    d, recent, least = rules, log_lib.RECENT, log_lib.LEAST
    settled = log_lib.SETTLED
    whens = {
        "not finite": "a value is infinite or no number; the first is named, in the "
        "order in which they are computed",
        "dead gradients": f"a player's `gradient_norm` stays below {d.VANISHED:g}",
        "saturated": f"`saturation` stays above {d.SATURATED}",
        "collapse": f"`diversity` is below {d.ALIKE} and below {d.FALLEN} of its best, "
        f"or below {d.STUCK} and not rising",
        "discriminator won": f"`real_score` stays above {1 - d.SURE} and `fake_score` "
        f"below {d.SURE}, or `d_real` and `d_fake` from 0 to {d.SURE}; and "
        f"`fakes_passing` below {d.PASSING}",
        "overfitting": f"`held_out_score` is at most {d.NEAR} of the way from "
        f"`fake_score` to `real_score`, which are at least {d.APART} apart; needs "
        "`--set=data.held_out=100`",
        "oscillation": "`real_score` - `fake_score` goes up and down by more than "
        f"{d.SWING}: the root of the squares of the median `score_spread` and of half "
        "the median change from line to line",
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

Training watches itself, and says in one line what goes wrong, at which step, and what
to do. `python -m keras_gans.doctor --workdir=runs/dcgan` reads the log of a run that is
over, or still at work. What is judged are the last {recent} steps (or the last
{least} lines of the log, if they are more), of those after step {settled}; values
that are not finite stop a run at once.

| found | when |
|---|---|
{rows}

`diversity` is the mean distance (root mean square of pixels) between two of 16 to 64
pictures of the averaged generator, always of the same latents, of one class where it
takes classes, as a share of that between as many real ones. `saturation` is the share
of values that lie between black and white in real pictures and do not in generated
ones. `score_spread` is the standard deviation of `real_score` - `fake_score` over the
steps of a line.

Scores are sigmoids of logits. Those of `lsgan`, `cyclegan` and `cut` are seldom
further from 0.5 than 0.12, and those with a hinge (`sngan`, `sagan`, `biggan`,
`fastgan`, `spade`) than 0.23, which is where their losses end: of these, oscillation
and overfitting are seen when they are strong.

Before a run starts, pictures that are all the same, not finite or not in [-1, 1] end it
with one line.

## {len(BROKEN)} runs broken on purpose, {len(HEALTHY)} healthy ones

Made by `python -m keras_gans.benchmark doctor --out=runs/doctor`: {machine}. A cell is
the step at which the doctor said so. What is broken in one way is often so in others,
too. The logs are in `tests/diagnostics/doctor_logs`, where a test reads them again.

Broken on purpose, a column for each:

{broken}

Healthy, a column for each:

{healthy}

| run | `python -m keras_gans.train` |
|---|---|
{commands}
"""


def _title(folder: str) -> str:
    return folder.partition("_")[2].replace("_", " ")


def write_page(out: str, docs: str, machine: str) -> str:
    """Writes the table, and what was run, to a page of the docs.

    Args:
        out: The folder of `run`.
        docs: Where the page goes.
        machine: What to say of the machine.

    Returns:
        The page's path.

    Raises:
        UserError: if a run is missing, or the page cannot be written.
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

"""Board of models, compared after equal seconds of training with several seeds.

Each run is a `keras_gans.train` and a `keras_gans.evaluate` process with a folder of
its own. Runs that are already on the board are not repeated.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import io
import json
import math
import multiprocessing
import os
import re
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from keras_gans.backend import import_backend
from keras_gans.cli.child import run_child
from keras_gans.device.sampler import write
from keras_gans.errors import UserError
from keras_gans.recipes.config import Config

CURVE = 5  # measurements during training, for the plot
MARKS = "<!-- board: begin -->", "<!-- board: end -->"
COLUMNS = (
    # (key, title, format)
    ("kid", "KID", "{:.3g}"),
    ("coverage", "coverage", "{:.3f}"),
    ("recall", "recall", "{:.3f}"),
    ("accuracy", "label accuracy", "{:.3f}"),
    ("seconds", "seconds", "{:.0f}"),
    ("images", "images seen", "{:,.0f}"),
    ("peak_mib", "MiB", "{:.0f}"),
)


@dataclasses.dataclass(frozen=True)
class Contest:
    """Conditions that are the same for all models of a board.

    Attributes:
        dataset: Training set, in the form of `data.dataset` in a recipe.
        budget: Seconds of training of each run, without start and tracing.
        seeds: Number of runs of each model, with the seeds 0, 1, ...
        num: Number of samples to measure.
        overrides: "table.key=value" words that change every recipe.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        reference: Real images to compare with, in the form of `--reference` of
            `keras_gans.evaluate`.
    """

    dataset: str
    budget: int
    seeds: int
    num: int
    overrides: tuple[str, ...] = ()
    data_dir: str | None = None
    reference: str | None = None


def run(
    configs: dict[str, Config],
    contest: Contest,
    out: str,
    measure_rate: Callable[[Config, str | None], tuple[float, int]],
    machine: str,
) -> list[dict]:
    """Train and measure every model with every seed, and save the rows.

    Args:
        configs: Recipes by the value of `--model` that names them.
        contest: Conditions of all runs.
        out: Folder of the board. Runs of an earlier call with the same contest are
            kept.
        measure_rate: Function from a recipe and `data_dir` to steps per second and
            images per step. It is called in a process of its own.
        machine: Description of the machine and of its software.

    Returns:
        Rows, one for each run, as board.json holds them.

    Raises:
        UserError: If the folder holds another contest or other files, two recipes have
            the same name, or a run fails.
    """
    names = [config.name for config in configs.values()]
    if len(set(names)) < len(names):
        raise UserError(f"--model: expected different names, got {', '.join(names)}")
    board = {"contest": _plain(contest), "rows": []}
    if os.path.isfile(_path(out)):
        found = read(out)
        if found["contest"] != board["contest"]:
            raise UserError(
                f"--out={out}: the folder holds a board of another contest "
                f"({found['contest']}); use another folder"
            )
        board = found
    elif os.path.isdir(out) and os.listdir(out):
        raise UserError(
            f"--out={out}: expected a board or an empty folder, got other files; use "
            "another folder"
        )
    _write(board, out)
    rows = board["rows"]
    for model, config in configs.items():
        digest = hashlib.sha256(config.to_toml().encode()).hexdigest()[:8]
        # Runs of a recipe that has changed are repeated.
        rows[:] = [
            row
            for row in rows
            if row["model"] != config.name or row["recipe"] == digest
        ]
        mine = {row["seed"]: row for row in rows if row["model"] == config.name}
        if not mine:
            with concurrent.futures.ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), import_backend
            ) as pool:
                task = pool.submit(measure_rate, config, contest.data_dir)
                rate, pictures = task.result()
            steps = max(CURVE, int(rate * contest.budget))
        else:
            first = next(iter(mine.values()))
            steps, pictures = first["steps"], first["pictures_a_step"]
        for seed in range(contest.seeds):
            if seed in mine:
                continue
            row = {
                "model": config.name,
                "seed": seed,
                "recipe": digest,
                "machine": machine,
                "steps": steps,
                "pictures_a_step": pictures,
                "images": steps * pictures,
            }
            row |= _run_one(model, config.name, seed, steps, contest, out)
            rows.append(row)
            _write(board, out)
            said = f"KID {row['kid']:.3g}" if "kid" in row else row["failed"]
            print(f"{config.name}, seed {seed}: {steps} steps, {said}", flush=True)
    return rows


def read(out: str) -> dict:
    """Read a board: a dictionary with the keys "contest" and "rows".

    Args:
        out: Folder of the board.

    Raises:
        UserError: If the folder holds no board.
    """
    try:
        with open(_path(out), encoding="utf-8") as file:
            board = json.load(file)
        if {"contest", "rows"} <= board.keys():
            return board
    except (OSError, ValueError, AttributeError):
        pass
    raise UserError(f"{_path(out)}: no board; run benchmark quality --out={out} first")


def table(rows: Sequence[dict]) -> str:
    """Format the rows as a Markdown table of means and deviations over the seeds.

    Args:
        rows: Rows of `run`. Models are sorted by their mean KID.
    """
    shown = [c for c in COLUMNS if any(c[0] in row for row in rows)]
    lines = [
        "| model | runs | " + " | ".join(title for _, title, _ in shown) + " |",
        "|---" * (len(shown) + 2) + "|",
    ]
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["model"], []).append(row)

    def rank(item):
        values = [row["kid"] for row in item[1] if "kid" in row]
        return statistics.mean(values) if values else math.inf

    for name, group in sorted(groups.items(), key=rank):
        failed = sum("failed" in row for row in group)
        runs = f"{len(group)}, {failed} of them failed" if failed else str(len(group))
        cells = [f"`{name}`", runs]
        for key, _, form in shown:
            values = [row[key] for row in group if key in row]
            cell = form.format(statistics.mean(values)) if values else ""
            if len(values) > 1:
                cell += f" ± {form.format(statistics.stdev(values))}"
            cells.append(cell)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(out: str, folder: str, readme: str | None) -> None:
    """Write a board's table and its plot of KID against time.

    Args:
        out: Folder of the board.
        folder: Folder in which board.md and board.svg are written.
        readme: Markdown file in which the table replaces the text between the two
            `MARKS`, each on a line of its own. None to write no such file.

    Raises:
        UserError: If there is no board with a finished run, the marks or matplotlib
            are missing, or a file cannot be read or written.
    """
    board = read(out)
    contest = board["contest"]
    rows = [row for row in board["rows"] if "kid" in row]
    if not rows:
        raise UserError(f"--out={out}: expected a board with a finished run, got none")
    first = rows[0]
    against = "held out" if first["held_out"] else "the training images themselves"
    said = (
        f"{contest['dataset']}, {contest['budget']} seconds of training each, "
        f"{contest['num']} samples, {first['measured']} ({against}); mean and standard "
        f"deviation over the seeds. {first['machine']}."
    )
    text = f"{table(board['rows'])}\n\n{said}\n"
    if readme:
        try:
            with open(readme, encoding="utf-8") as file:
                page = file.read()
        except OSError as error:
            raise UserError(f"--readme={readme}: {error.strerror}") from None
        pattern = f"({MARKS[0]}\n).*({MARKS[1]})"
        if not re.search(pattern, page, re.DOTALL):
            raise UserError(
                f"--readme={readme}: expected the lines {' and '.join(MARKS)}"
            )
        page = re.sub(
            pattern, lambda m: f"{m[1]}\n{text}\n{m[2]}", page, flags=re.DOTALL
        )
    drawn = plot(rows)  # may fail, so before any file is written
    docs = f"# Board\n\n{text}\n![KID against seconds](board.svg)\n"
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UserError(f"--docs={folder}: {error.strerror}") from None
    write(docs.encode(), os.path.join(folder, "board.md"))
    write(drawn, os.path.join(folder, "board.svg"))
    if readme:
        write(page.encode(), readme)


def plot(rows: Sequence[dict]) -> bytes:
    """Draw KID against seconds of training, with a line per run and a color per model.

    Args:
        rows: Rows of a board with a "curve", [[seconds, KID], ...].

    Returns:
        Content of an SVG file; equal rows give equal bytes.

    Raises:
        UserError: If matplotlib is not installed.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "the board's plot needs matplotlib, which is not installed; pip install "
            "matplotlib"
        ) from None
    names = sorted({row["model"] for row in rows})
    # Identifiers from the content, and text as text: a small, deterministic file.
    options = {"svg.hashsalt": "board", "svg.fonttype": "none", "font.size": 10}
    with style.context(["default", options]):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot(
            xlabel="seconds of training", ylabel="KID (lower is better)"
        )
        for number, name in enumerate(names):
            label = name
            for row in rows:
                if row["model"] != name:
                    continue
                axes.plot(
                    *np.reshape(row["curve"], (-1, 2)).T,
                    color=f"C{number % 10}",
                    label=label,
                    linewidth=1.2,
                    marker="o",
                    markersize=3,
                    gid=f"{name}_{row['seed']}",
                )
                label = None  # one legend entry per model
        axes.set_xlim(left=0)
        lowest = min((kid for row in rows for _, kid in row["curve"]), default=0)
        axes.set_ylim(bottom=min(0, lowest))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside right upper", frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Creator": None, "Date": None})
    return file.getvalue()


def _plain(contest: Contest) -> dict:
    plain = dataclasses.asdict(contest)
    # Neither the place of the data nor a larger number of seeds makes another contest.
    del plain["data_dir"], plain["seeds"]
    return {**plain, "overrides": list(contest.overrides)}


def _path(out: str) -> str:
    return os.path.join(out, "board.json")


def _write(board: dict, out: str) -> None:
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={out}: {error.strerror}") from None
    write((json.dumps(board, indent=1) + "\n").encode(), _path(out))


def _run_one(
    model: str, name: str, seed: int, steps: int, contest: Contest, out: str
) -> dict:
    """Train and measure one run; return its numbers, or {"failed": reason}."""
    workdir = os.path.join(out, f"{name}_{seed}")
    where = [f"--data_dir={contest.data_dir}"] if contest.data_dir else []
    every = max(1, steps // (4 * CURVE))  # measurements coincide with lines of the log
    settings = [
        *contest.overrides,
        f"data.dataset={contest.dataset}",
        f"train.steps={steps}",
        f"train.seed={seed}",
        f"train.log_every={every}",
        f"train.evaluate_every={min(steps, 4 * every)}",
    ]
    command = ["train", f"--model={model}", f"--workdir={workdir}", "--export=none"]
    where.append("--allow_code")  # the recipe has been loaded already
    command += ["--overwrite", *(f"--set={word}" for word in settings), *where]
    status, peak, said = run_child(command)
    if status == 1:  # a value was not finite
        return {"failed": said}
    result = os.path.join(workdir, "evaluation")
    command = ["evaluate", f"--source={workdir}", f"--num={contest.num}"]
    command += [f"--out={result}", *where]
    if contest.reference:
        command.append(f"--reference={contest.reference}")
    run_child(command)
    [file] = [name for name in os.listdir(result) if name.endswith(".json")]
    with open(os.path.join(result, file), encoding="utf-8") as opened:
        found = json.load(opened)
    samples = found["samples"]
    curve, seconds = _curve(os.path.join(workdir, "metrics.jsonl"))
    row = {
        "seconds": seconds,
        "kid": samples["kid"]["mean"],
        "coverage": samples["coverage"],
        "recall": samples["recall"],
        "curve": curve,
        "measured": found["name"].partition(", ")[2],
        "held_out": found["reference"]["held_out"],
        "versions": found["versions"],
    }
    if peak:
        row["peak_mib"] = round(peak)
    if "accuracy" in samples:
        row["accuracy"] = samples["accuracy"]
    return row


def _curve(path: str) -> tuple[list, float]:
    """Read [[seconds, KID], ...] and the total seconds of training from a run's log.

    Seconds include neither tracing, which is a part of the first line, nor the
    measurements.
    """
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rates = [row["steps_per_second"] for row in rows if "steps_per_second" in row]
    curve, seconds, last, measuring = [], 0.0, 0, 0.0
    for row in rows:
        if "steps_per_second" in row:
            rate = row["steps_per_second"] if last else rates[min(1, len(rates) - 1)]
            seconds += max(0.0, (row["step"] - last) / rate - measuring)
            last, measuring = row["step"], 0.0
        elif "kid" in row:
            curve.append([round(seconds, 1), row["kid"]])
            measuring = row["evaluation_seconds"]
    return curve, seconds

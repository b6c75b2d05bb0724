"""A board of models: the same seconds of training for each, several seeds, measured.

Each run is a `keras_gans.train` and a `keras_gans.evaluate` of its own, in a folder of
its own; what is there already is not run again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import math
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from keras_gans.command import import_tensorflow
from keras_gans.config import Config
from keras_gans.errors import UserError
from keras_gans.export.sampler import write

CURVE = 5  # measurements on the way, for the plot
LATE = 1.25  # of the budget: a run that takes longer is ended there
MARKS = "<!-- board: begin -->", "<!-- board: end -->"
COLUMNS = (
    # (key, title, format)
    ("kid", "KID", "{:.3g}"),
    ("coverage", "coverage", "{:.3f}"),
    ("recall", "recall", "{:.3f}"),
    ("accuracy", "as asked for", "{:.3f}"),
    ("seconds", "seconds", "{:.0f}"),
    ("images", "pictures seen", "{:,.0f}"),
    ("peak_mib", "MiB", "{:.0f}"),
)


@dataclasses.dataclass(frozen=True)
class Contest:
    """What every model of a board gets.

    Attributes:
        dataset: As `data.dataset` of a recipe.
        budget: Seconds of training, without start and tracing.
        seeds: How many runs of each model: seeds 0, 1, ...
        num: Samples that are measured.
        overrides: "table.key=value" of all recipes.
        data_dir: Where TensorFlow Datasets keeps its sets.
        reference: As of `keras_gans.evaluate`.
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
    """Trains and measures every model with every seed, and keeps the rows.

    Args:
        configs: {what --model said: its recipe}.
        contest: What each of them gets.
        out: The board's folder; runs of an earlier call with the same contest stay.
        measure_rate: From a recipe and `data_dir` to steps per second and pictures
            in a step; called in a process of its own.
        machine: What to say of the machine.

    Returns:
        Rows, one for each run; the same are in board.json.

    Raises:
        UserError: if the folder holds another contest, or a run fails.
    """
    path = os.path.join(out, "board.json")
    board = {"contest": _plain(contest), "rows": []}
    if os.path.isfile(path):
        found = read(out)
        if found["contest"] != board["contest"]:
            raise UserError(
                f"--out={out}: holds a board of another contest ({found['contest']}); "
                "choose another folder"
            )
        board = found
    os.makedirs(out, exist_ok=True)
    for model, config in configs.items():
        for seed in range(contest.seeds):
            done = [(row["model"], row["seed"]) for row in board["rows"]]
            if (config.name, seed) in done:
                continue
            plan = next(
                (
                    (row["planned"], row["pictures_a_step"])
                    for row in board["rows"]
                    if row["model"] == config.name
                ),
                None,
            )
            if plan is None:
                with concurrent.futures.ProcessPoolExecutor(
                    1, multiprocessing.get_context("spawn"), import_tensorflow
                ) as pool:
                    task = pool.submit(measure_rate, config, contest.data_dir)
                    rate, pictures = task.result()
                plan = max(CURVE, int(rate * contest.budget)), pictures
            row = _run_one(model, config.name, seed, plan, contest, out)
            row["machine"] = machine
            board["rows"].append(row)
            write((json.dumps(board, indent=1) + "\n").encode(), path)
            print(
                f"{config.name}, seed {seed}: {row['steps']} steps in "
                f"{row['seconds']:.0f} s, KID {row['kid']:.3g}, coverage "
                f"{row['coverage']:.3f}",
                flush=True,
            )
    return board["rows"]


def read(out: str) -> dict:
    """Reads a board: {"contest", "rows"}.

    Raises:
        UserError: if there is none.
    """
    path = os.path.join(out, "board.json")
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        raise UserError(
            f"{path}: no board; benchmark quality --out={out} makes one"
        ) from None


def table(rows: Sequence[dict]) -> str:
    """The rows as a Markdown table: mean and standard deviation over the seeds."""
    shown = [c for c in COLUMNS if any(c[0] in row for row in rows)]
    lines = [
        "| model | runs | " + " | ".join(title for _, title, _ in shown) + " |",
        "|---" * (len(shown) + 2) + "|",
    ]
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["model"], []).append(row)
    for name, group in sorted(
        groups.items(), key=lambda item: statistics.mean(r["kid"] for r in item[1])
    ):
        cells = [f"`{name}`", str(len(group))]
        for key, _, form in shown:
            values = [row[key] for row in group if key in row]
            cell = form.format(statistics.mean(values)) if values else ""
            if len(values) > 1:
                cell += f" ± {form.format(statistics.stdev(values))}"
            cells.append(cell)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(out: str, folder: str, readme: str | None) -> None:
    """Writes a board's table and its plot of KID against time.

    Args:
        out: The board's folder.
        folder: Where board.md and board.svg go.
        readme: A Markdown file that holds the two `MARKS`, each on a line of its own:
            the table is put between them. None for none.

    Raises:
        UserError: if there is no board, or the marks are missing.
    """
    board = read(out)
    contest = board["contest"]
    if not board["rows"]:
        raise UserError(f"--out={out}: the board has no finished run yet")
    first = board["rows"][0]
    said = (
        f"{contest['dataset']}, {contest['budget']} seconds of training each, "
        f"{contest['num']} samples, {first['measured']}; mean and standard "
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
        write(page.encode(), readme)
    os.makedirs(folder, exist_ok=True)
    page = f"# Board\n\n{text}\n![KID against seconds](board.svg)\n"
    write(page.encode(), os.path.join(folder, "board.md"))
    write(plot(board["rows"]).encode(), os.path.join(folder, "board.svg"))


def plot(rows: Sequence[dict]) -> str:
    """Draws KID against seconds of training as an SVG: a line for each run.

    Args:
        rows: Of a board; those with a "curve", [[seconds, KID], ...].
    """
    width, height, left, below = 640, 400, 60, 40
    points = [point for row in rows for point in row["curve"]]
    most = max([s for s, _ in points] or [1.0])
    high = max([k for _, k in points] or [1.0])
    low = min([k for _, k in points] + [0.0])
    colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")

    def place(seconds, kid):
        x = left + (width - left - 110) * seconds / most
        y = height - below - (height - below - 20) * (kid - low) / (high - low or 1.0)
        return f"{x:.1f},{y:.1f}"

    names = sorted({row["model"] for row in rows})
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<polyline points="{place(0, high)} {place(0, low)} {place(most, low)}" '
        'fill="none" stroke="black"/>',
    ]
    for value in (low, (low + high) / 2, high):
        x, y = place(0, value).split(",")
        lines.append(
            f'<text x="{float(x) - 6}" y="{float(y) + 4}" '
            f'text-anchor="end">{value:.3g}</text>'
        )
    for value in (0, most / 2, most):
        x, y = place(value, low).split(",")
        lines.append(
            f'<text x="{x}" y="{float(y) + 16}" '
            f'text-anchor="middle">{value:.0f} s</text>'
        )
    lines.append('<text x="8" y="14">KID</text>')
    for i, name in enumerate(names):
        colour = colours[i % len(colours)]
        for row in rows:
            if row["model"] == name and row["curve"]:
                line = " ".join(place(*point) for point in row["curve"])
                lines.append(
                    f'<polyline points="{line}" fill="none" stroke="{colour}"/>'
                )
        y = 30 + 18 * i
        lines.append(f'<text x="{width - 100}" y="{y}" fill="{colour}">{name}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _plain(contest: Contest) -> dict:
    # data_dir says where, not what.
    plain = dataclasses.asdict(contest)
    del plain["data_dir"], plain["seeds"]  # more seeds may follow
    return {**plain, "overrides": list(contest.overrides)}


def _run_one(
    model: str, name: str, seed: int, plan: tuple, contest: Contest, out: str
) -> dict:
    workdir = os.path.join(out, f"{name}_{seed}")
    steps, pictures = plan
    where = [f"--data_dir={contest.data_dir}"] if contest.data_dir else []
    settings = [
        *contest.overrides,
        f"data.dataset={contest.dataset}",
        f"train.steps={steps}",
        f"train.seed={seed}",
        f"train.evaluate_every={max(1, steps // CURVE)}",
    ]
    command = ["train", f"--model={model}", f"--workdir={workdir}", "--export=none"]
    command += ["--overwrite", *(f"--set={word}" for word in settings), *where]
    peak = _child(command, contest.budget * LATE + 60)
    result = os.path.join(workdir, "evaluation")
    command = ["evaluate", f"--source={workdir}", f"--num={contest.num}"]
    command += [f"--out={result}", *where]
    if contest.reference:
        command.append(f"--reference={contest.reference}")
    _child(command)
    [file] = [name for name in os.listdir(result) if name.endswith(".json")]
    with open(os.path.join(result, file), encoding="utf-8") as file:
        found = json.load(file)
    samples = found["samples"]
    curve, seconds, done = _curve(os.path.join(workdir, "metrics.jsonl"))
    row = {
        "model": name,
        "seed": seed,
        "planned": steps,
        "pictures_a_step": pictures,
        "steps": done,
        "seconds": seconds,
        "images": done * pictures,
        **({"peak_mib": round(peak)} if peak else {}),
        "kid": samples["kid"]["mean"],
        "coverage": samples["coverage"],
        "recall": samples["recall"],
        "curve": curve,
        "measured": found["name"].partition(", ")[2],
        "versions": found["versions"],
    }
    if "accuracy" in samples:
        row["accuracy"] = samples["accuracy"]
    return row


def _curve(path: str) -> tuple[list, float, int]:
    """From a run's log: [[seconds, KID], ...], seconds in all, and the last step."""
    curve, seconds, last = [], 0.0, 0
    with open(path, encoding="utf-8") as file:
        for row in map(json.loads, file):
            if "steps_per_second" in row:
                seconds += (row["step"] - last) / row["steps_per_second"]
                last = row["step"]
            elif "kid" in row:
                curve.append([round(seconds, 1), row["kid"]])
    return curve, seconds, last


def _child(words: list[str], seconds: float = math.inf) -> float:
    """Runs a command of this package; ends it after some time, as Ctrl-C does.

    Returns:
        The most memory that it held, in MiB.

    Raises:
        UserError: if it fails, with its own last line.
    """
    command = [sys.executable, "-m", f"keras_gans.{words[0]}", *words[1:]]
    end, peak = time.monotonic() + seconds, 0.0
    with tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)
        try:
            while child.poll() is None:
                peak = max(peak, _peak_of(child.pid))
                if time.monotonic() > end:
                    child.send_signal(signal.SIGINT)
                    end = math.inf
                time.sleep(0.2)
        except BaseException:
            child.kill()
            raise
        err.seek(0)
        said = err.read().strip().splitlines()
    if child.returncode not in (0, 130):
        raise UserError(f"{' '.join(words[:2])}: {(said or ['no word'])[-1]}")
    return peak


def _peak_of(pid: int) -> float:
    """The most memory that a process held so far, in MiB; 0 if it is not said."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            [line] = [line for line in file if line.startswith("VmHWM:")]
    except (OSError, ValueError):
        return 0.0
    return int(line.split()[1]) / 1024

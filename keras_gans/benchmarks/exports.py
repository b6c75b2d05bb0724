"""What exports of the zoo's generators cost, model by model: a page of the docs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from keras_gans.cli.child import run_child
from keras_gans.device.sampler import write
from keras_gans.errors import UserError
from keras_gans.export.tflite import QUANTIZATIONS, file_name
from keras_gans.recipes.config import Config

PAGE = "exports.md"


def run(
    configs: dict[str, Config], overrides: Sequence[str], steps: int, out: str
) -> None:
    """Trains each recipe for some steps and exports it in every way.

    Args:
        configs: {what --model said: its recipe}.
        overrides: "table.key=value" of all recipes.
        steps: Training steps: the averaged weights should have left their start.
        out: A folder with a workdir for each; those with a report stay as they are.

    Raises:
        UserError: if one cannot be trained or exported.
    """
    for model, config in configs.items():
        workdir = os.path.join(out, config.name)
        if os.path.isfile(_report(workdir)):
            continue
        settings = [f"--set={word}" for word in (*overrides, f"train.steps={steps}")]
        status, _, said = run_child(
            ["train", f"--model={model}", f"--workdir={workdir}", "--export=none"]
            + ["--overwrite", *settings]
        )
        if status:  # its values were not finite
            raise UserError(f"{config.name}: {said}")
        run_child(
            ["export", f"--workdir={workdir}", f"--quantize={','.join(QUANTIZATIONS)}"]
        )
        print(f"exported {config.name}", flush=True)


def table(out: str) -> str:
    """The reports of a folder as a Markdown table.

    Raises:
        UserError: if there is none.
    """
    names = sorted(os.listdir(out)) if os.path.isdir(out) else []
    names = [n for n in names if os.path.isfile(_report(os.path.join(out, n)))]
    if not names:
        raise UserError(f"--out={out}: no exports here yet")
    heads = ["model", "float32 KiB", "deviation"]
    for name in QUANTIZATIONS[1:]:
        heads += [f"{name} share", "deviation", "mean"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in names:
        lines.append(f"| `{name}` | {' | '.join(_cells(os.path.join(out, name)))} |")
    return "\n".join(lines)


def write_page(out: str, docs: str, machine: str) -> str:
    """Writes the table to a page of the docs; returns the page's path."""
    text = f"""# Exports of every model

Made by `python -m keras_gans.benchmark exports`: {machine}.
Each recipe at its own size, after a few steps of training. Share is the file's size
against that of float32; deviation the largest, and mean the mean one, of 64 pictures in
[-1, 1] from those of the Keras generator (16, if they are made from pictures).

{table(out)}
"""
    path = os.path.join(docs, PAGE)
    try:
        os.makedirs(docs, exist_ok=True)
        write(text.encode(), path)
    except OSError as error:
        raise UserError(f"--docs={docs}: {error.strerror}") from None
    return path


def _report(workdir: str) -> str:
    return os.path.join(workdir, "export", "report.json")


def _cells(workdir: str) -> list[str]:
    with open(_report(workdir), encoding="utf-8") as file:
        rows = {row["file"]: row for row in json.load(file)}
    plain, *others = (rows[file_name(name)] for name in QUANTIZATIONS)
    cells = [f"{plain['bytes'] / 1024:,.0f}", f"{plain['largest_deviation']:.0e}"]
    for row in others:
        cells.append(f"{row['bytes'] / plain['bytes']:.3f}")
        cells += [f"{row[f'{k}_deviation']:.0e}" for k in ("largest", "mean")]
    return cells

"""Sizes and deviations of the exports of each model, as a page of the docs."""

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
    """Train each recipe for some steps, and export it in every quantization.

    Args:
        configs: Recipes by the value of `--model` that names them.
        overrides: "table.key=value" words that change every recipe.
        steps: Training steps; enough that the moving average of the weights has left
            its initial value.
        out: Folder that holds the workdir of each recipe. A workdir that has a report
            is kept as it is.

    Raises:
        UserError: If a recipe cannot be trained or exported.
    """
    for model, config in configs.items():
        workdir = os.path.join(out, config.name)
        if os.path.isfile(_report(workdir)):
            continue
        settings = [f"--set={word}" for word in (*overrides, f"train.steps={steps}")]
        status, _, said = run_child(
            ["train", f"--model={model}", f"--workdir={workdir}", "--export=none"]
            + ["--overwrite", "--allow_code", *settings]  # `configs` are loaded already
        )
        if status:  # a value was not finite
            raise UserError(f"{config.name}: {said}")
        run_child(
            ["export", f"--workdir={workdir}", f"--quantize={','.join(QUANTIZATIONS)}"]
            + ["--allow_code"]
        )
        print(f"exported {config.name}", flush=True)


def table(out: str) -> str:
    """Format the reports in a folder as a Markdown table.

    Args:
        out: Folder that holds the workdirs, as in `run`.

    Raises:
        UserError: If the folder holds no report.
    """
    names = sorted(os.listdir(out)) if os.path.isdir(out) else []
    names = [n for n in names if os.path.isfile(_report(os.path.join(out, n)))]
    if not names:
        raise UserError(f"--out={out}: the folder holds no exports; pass --model=NAME")
    heads = ["model", "float32 KiB", "deviation"]
    for name in QUANTIZATIONS[1:]:
        heads += [f"{name} share", "deviation", "mean"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in names:
        lines.append(f"| `{name}` | {' | '.join(_cells(os.path.join(out, name)))} |")
    return "\n".join(lines)


def write_page(out: str, docs: str, machine: str) -> str:
    """Write the table to a page of the docs.

    Args:
        out: Folder that holds the workdirs, as in `run`.
        docs: Folder in which the page is written.
        machine: Description of the machine and of its software, shown on the page.

    Returns:
        Path of the page.

    Raises:
        UserError: If the folder holds no report, or the page cannot be written.
    """
    text = f"""# Exports of every model

Written by `python -m keras_gans.benchmark exports`: {machine}.
Each recipe has its full size and was trained for a few steps. "share" is the size of
the file divided by that of the float32 file. "deviation" is the largest absolute
difference between pixels of the export and of the Keras generator, and "mean" is the
mean one. Both are over 64 images in [-1, 1] (16 images for translation models).

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

"""List the models of the zoo.

    python -m keras_gans.zoo

Print a Markdown table of the recipes: name, idea, paper and measured result.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import sys
import tomllib

from absl import flags

from keras_gans.cli.modules import parse_module
from keras_gans.cli.run import run_command
from keras_gans.recipes.config import read_recipe, zoo_names

# Field of a recipe's header, with lines that continue it.
FIELD = re.compile(r"^# (Command|In short|Result|Measured): (.*(?:\n#   .*)*)", re.M)


@dataclasses.dataclass(frozen=True)
class Entry:
    """Row of the table: one recipe of the zoo.

    Attributes:
        name: Name of the recipe, as in `--model=<name>`.
        module: Module of the variant.
        idea: Idea of the variant, in one sentence.
        paper: arXiv number of the variant's paper.
        command: Command that trained the model, of one or more lines.
        in_short: Main figure of the result; empty if the recipe states none.
        result: Measured result.
        measured: Date, machine, versions and seeds of the result.
    """

    name: str
    module: str
    idea: str
    paper: str
    command: str
    in_short: str
    result: str
    measured: str


def entries() -> list[Entry]:
    """Return all rows, sorted by name.

    They are read from the recipes and from the docstrings of the variants' modules,
    which are not imported.
    """
    return [_entry(name) for name in zoo_names()]


def table(short: bool = False) -> str:
    """Return the zoo as a Markdown table.

    Args:
        short: Whether to give one row to each variant, with its main figure, in place
            of one row to each recipe.
    """
    lines = ["| `--model=` | idea | paper | measured |", "|---|---|---|---|"]
    rows = entries()
    for e in rows:
        names, result = f"`{e.name}`", e.result
        if short:
            same = [other for other in rows if other.module == e.module]
            if same[0] != e:
                continue
            names = ", ".join(f"`{other.name}`" for other in same)
            result = e.in_short
        paper = f"[{e.paper}](https://arxiv.org/abs/{e.paper})"
        lines.append(f"| {names} | {e.idea} | {paper} | {result} |")
    return "\n".join(lines)


def _entry(name: str) -> Entry:
    _, text = read_recipe(name)
    header = dict(FIELD.findall(text))
    command = re.sub(r"\n#", "\n", header.pop("Command"))
    fields = {key: re.sub(r"\n#\s+", " ", value) for key, value in header.items()}
    module = tomllib.loads(text)["model"].split(":")[0]
    doc = ast.get_docstring(parse_module(module)) or ""
    idea = doc.split("\n\n")[0].replace("\n", " ").split(": ", 1)[1]
    [paper] = re.findall(r"arXiv\s+(\d+\.\d+)", doc)[:1]
    return Entry(
        name,
        module,
        idea[0].upper() + idea[1:],
        paper,
        command,
        fields.get("In short", ""),
        fields["Result"],
        fields["Measured"],
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return run_command("zoo", __doc__, lambda values: None, _main, argv)


def _main(values: flags.FlagValues) -> None:
    print(table())


if __name__ == "__main__":
    sys.exit(main())

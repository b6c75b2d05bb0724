"""List the models of the zoo.

    python -m keras_gans.zoo

Print a Markdown table of the recipes: name, idea, paper and measured result. The README
contains this table.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
import sys
import tomllib

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.recipes.config import read_recipe, zoo_names


@dataclasses.dataclass(frozen=True)
class Entry:
    """Row of the table: one recipe of the zoo.

    Attributes:
        name: Name of the recipe, as in `--model=<name>`.
        idea: Idea of the variant, in one sentence.
        paper: arXiv number of the variant's paper.
        result: Text after "# Result: " in the recipe's header; empty without one.
    """

    name: str
    idea: str
    paper: str
    result: str


def entries() -> list[Entry]:
    """Return all rows, sorted by name.

    They are read from the recipes and from the docstrings of the variants' modules,
    which are not imported.
    """
    return [_entry(name) for name in zoo_names()]


def table() -> str:
    """Return the zoo as a Markdown table."""
    lines = ["| `--model=` | idea | paper | measured |", "|---|---|---|---|"]
    for e in entries():
        paper = f"[{e.paper}](https://arxiv.org/abs/{e.paper})"
        lines.append(f"| `{e.name}` | {e.idea} | {paper} | {e.result} |")
    return "\n".join(lines)


def _entry(name: str) -> Entry:
    _, text = read_recipe(name)
    module = tomllib.loads(text)["model"].split(":")[0]
    # find_spec imports only the packages above the module.
    with open(importlib.util.find_spec(module).origin, encoding="utf-8") as file:
        doc = ast.get_docstring(ast.parse(file.read()))
    idea = doc.split("\n\n")[0].replace("\n", " ").split(": ", 1)[1]
    paper = re.search(r"arXiv\s+(\d+\.\d+)", doc)[1]
    comment = re.search(r"^# Result: ((?:.*\n)(?:#   .*\n)*)", text, re.MULTILINE)
    result = re.sub(r"\n#\s+", " ", comment[1]).strip() if comment else ""
    return Entry(name, idea[0].upper() + idea[1:], paper, result)


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return run_command("zoo", __doc__, lambda values: None, _main, argv)


def _main(values: flags.FlagValues) -> None:
    print(table())


if __name__ == "__main__":
    sys.exit(main())

"""The zoo as data: one entry for each recipe."""

from __future__ import annotations

import ast
import dataclasses
import re
import tomllib

from keras_gans.recipes.config import read_recipe, zoo_names
from keras_gans.recipes.modules import parse_module

# Field of a recipe's header, with lines that continue it.
FIELD = re.compile(
    r"^# (Command|Takes|In short|Result|Measured): (.*(?:\n#   .*)*)", re.M
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One recipe of the zoo.

    Attributes:
        name: Name of the recipe, as in `--model=<name>`.
        takes: Inputs of the generator: any of "noise", "class", "code" and "image".
        idea: Idea of the variant, in one sentence.
        paper: arXiv number of the variant's paper.
        module: Module of the variant.
        command: Command that trained the model, of one or more lines.
        in_short: Main figure of the result; empty if the recipe states none.
        result: Measured result.
        measured: Date, machine, versions and seeds of the result.
    """

    name: str
    takes: tuple[str, ...]
    idea: str
    paper: str
    module: str
    command: str
    in_short: str
    result: str
    measured: str


def list_models() -> list[Entry]:
    """Return all recipes of the zoo, sorted by name.

    They are read from the recipes and from the docstrings of the variants' modules,
    which are not imported.
    """
    return [_entry(name) for name in zoo_names()]


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
        name=name,
        takes=tuple(fields["Takes"].split(", ")),
        idea=idea[0].upper() + idea[1:],
        paper=paper,
        module=module,
        command=command,
        in_short=fields.get("In short", ""),
        result=fields["Result"],
        measured=fields["Measured"],
    )

"""List the models of the zoo.

    python -m keras_gans.zoo

Print a Markdown table of the recipes: name, idea, paper and measured result.
"""

from __future__ import annotations

import sys

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.recipes.catalog import list_models


def table(short: bool = False) -> str:
    """Return the zoo as a Markdown table.

    Args:
        short: Whether to give one row to each variant, with its main figure, in place
            of one row to each recipe.
    """
    lines = ["| `--model=` | idea | paper | measured |", "|---|---|---|---|"]
    rows = list_models()
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


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return run_command("zoo", __doc__, lambda values: None, _main, argv)


def _main(values: flags.FlagValues) -> None:
    print(table())


if __name__ == "__main__":
    sys.exit(main())

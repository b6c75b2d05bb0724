"""Write the generated pages of the documentation.

    python docs/pages.py          # writes docs/models, docs/results, README's table
    python docs/pages.py --check  # exit status 1 if a page is not up to date

A model's page is made of its recipe's header, its variant's docstring, its notes on
trials and its images. A results page is made of `docs/results/<date>-<topic>.toml`.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
import tomllib
from collections.abc import Iterator

from keras_gans import zoo
from keras_gans.recipes import catalog
from keras_gans.recipes.config import zoo_names
from keras_gans.recipes.modules import parse_module

DOCS = pathlib.Path(__file__).parent
CAPTIONS = tomllib.loads((DOCS / "images" / "captions.toml").read_text("utf-8"))
README = DOCS.parent / "README.md"
NOTE = "<!-- Written by docs/pages.py; do not edit. -->"


def model_page(entry: catalog.Entry) -> str:
    """Return the page of a recipe.

    Args:
        entry: The recipe's row in the zoo.
    """
    doc = ast.get_docstring(parse_module(entry.module)) or ""
    _, _, description = doc.partition("\n\n")
    recipe = f"zoo_configs/{entry.name}.toml"
    lines = [
        NOTE,
        "",
        f"# `{entry.name}`",
        "",
        entry.idea,
        "",
        _markdown(description),
        "",
        "## Command",
        "",
        "<!-- not run: the tests train every recipe at smoke size -->",
        "```sh",
        entry.command,
        "```",
        "",
        f"The recipe is [{recipe}](../../{recipe}), the module `{entry.module}`.",
        "",
        "## Result",
        "",
        f"{_sentence(entry.result)}",
        "",
        f"Measured: {_sentence(entry.measured.partition(' Other trials:')[0])}",
    ]
    for image in sorted(DOCS.glob(f"images/{entry.name}*.png")):
        if _recipe_of(image.stem) == entry.name:
            caption = CAPTIONS[image.stem]
            lines += ["", f"![{caption}](../images/{image.name})", "", f"*{caption}*"]
    trials = DOCS / "trials" / f"{entry.name}.md"
    if trials.exists():
        _, _, text = trials.read_text("utf-8").partition("\n")
        lines += ["", "## Trials", "", text.strip()]
    return "\n".join(lines) + "\n"


def _recipe_of(stem: str) -> str:
    """Return the recipe of an image: the longest recipe name that begins its stem."""
    names = [n for n in zoo_names() if stem == n or stem.startswith(f"{n}_")]
    return max(names, key=len, default="")


def _sentence(text: str) -> str:
    """Return a text with a capital and a full stop, escaped for Markdown."""
    text = _escape(text.strip().rstrip("."))
    return f"{text[:1].upper()}{text[1:]}."


def _markdown(text: str) -> str:
    """Turn a docstring's body into Markdown."""
    text = _escape(text)
    heading = r"^Differences from the paper:? ?(.*)$"
    text = re.sub(
        heading, r"## Differences from the paper\n\n\1", text, flags=re.MULTILINE
    )
    link = r"[arXiv \1](https://arxiv.org/abs/\1)"
    return re.sub(r"arXiv\s+(\d{4}\.\d{4,5})", link, text).replace("\n\n\n", "\n\n")


def _escape(text: str) -> str:
    """Escape what Markdown would read as markup, outside of code."""
    parts = re.split(r"(`[^`]*`|^ {4}.*$)", text, flags=re.MULTILINE)
    parts[::2] = [re.sub(r"([*_<>$|~])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def results_page(path: pathlib.Path) -> str:
    """Return the page of a results file.

    Args:
        path: The `.toml` file.
    """
    result = tomllib.loads(path.read_text("utf-8"))
    lines = [NOTE, "", f"# {result['title']}", ""]
    lines += [f"Date: {result['date']}. Machine: {result['machine']}.", ""]
    if command := result.get("command", "").strip():
        lines += ["<!-- not run: takes minutes to hours -->"]
        lines += ["```sh", command, "```", ""]
    lines += [result.get("text", "").strip(), ""]
    for table in result.get("tables", []):
        if table.get("title"):
            lines += [f"## {table['title']}", ""]
        lines += [*_table(table["columns"], table["rows"]), ""]
        if table.get("note"):
            lines += [table["note"].strip(), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    for cells in (columns, ["---"] * len(columns), *rows):
        if len(cells) != len(columns):
            raise ValueError(f"expected {len(columns)} cells, got {cells}")
        yield "| " + " | ".join(cells) + " |"


def pages() -> dict[pathlib.Path, str]:
    """Return every generated page, and the README with its table: {path: text}."""
    readme = README.read_text("utf-8")
    table = re.sub(
        r"^\| `--model=` .*?\n\n",
        f"{zoo.table(short=True)}\n\n",
        readme,
        flags=re.M | re.S,
    )
    texts = {README: table}
    texts |= {
        DOCS / "models" / f"{e.name}.md": model_page(e) for e in catalog.list_models()
    }
    for path in sorted(DOCS.glob("results/*.toml")):
        texts[path.with_suffix(".md")] = results_page(path)
    return texts


def main(argv: list[str]) -> int:
    """Write the pages, or check them; return the exit status."""
    stale = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text("utf-8") != text
    }
    for path, text in stale.items():
        name = path.relative_to(DOCS.parent)
        if "--check" in argv:
            print(f"{name}: expected an up-to-date page; run python docs/pages.py")
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {name}")
    return int(bool(stale) and "--check" in argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Sphinx configuration of the documentation site."""

import re
from importlib import metadata

from sphinx.util import inspect

project = "keras_gans"
author = "The keras_gans developers"
copyright = "The keras_gans developers"
version = release = metadata.version("keras_gans")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "trials"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"keras_gans {release}"

# Docstrings write code in single backticks.
default_role = "code"
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def escape(line: str) -> str:
    """Escape the characters of a line that reStructuredText would interpret.

    Formulas of docstrings hold `|x|`, `a * b` and `name_`. Code between backticks stays
    as it is.
    """
    parts = re.split(r"(``[^`]*``|`[^`]*`)", line)
    for i in range(0, len(parts), 2):
        bullet = re.match(r"\s*\* ", parts[i]) if i == 0 else None
        start = bullet.end() if bullet else 0
        text = re.sub(r"([*|])", r"\\\1", parts[i][start:])
        parts[i] = parts[i][:start] + re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)
    return "".join(parts)


def list_returns(lines: list[str]) -> list[str]:
    """Turn a `Returns` section of several "name: text" entries into a list.

    Napoleon expects a single entry there.
    """
    if "Returns:" not in lines:
        return lines
    start = end = lines.index("Returns:") + 1
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end]):
        end += 1
    entries = [line for line in lines[start:end] if re.match(r" {4}\S", line)]
    if len(entries) < 2 or not all(re.match(r" {4}\w+: ", line) for line in entries):
        return lines
    items = [
        f"    - {line[4:]}"
        if line in entries
        else line.replace("        ", "      ", 1)
        for line in lines[start:end]
    ]
    return [*lines[:start], "    Values by name.", "", *items, *lines[end:]]


def prepare_docstring(app, what, name, obj, options, lines) -> None:
    """Turn the plain text of a docstring into reStructuredText, before napoleon.

    A list may follow its sentence without an empty line. In modules' docstrings,
    paragraphs that are indented by four spaces become literal blocks: commands.
    """
    prepared, literal, listed, above = [], False, False, ""
    for line in list_returns(lines):
        indented = line.startswith("    ")
        literal = literal and (indented or not line)
        item = bool(re.match(r" *- ", line))
        if what == "module" and indented and not above and not literal and not listed:
            prepared += ["::", ""]
            literal = True
        if item and above and not listed and not literal:
            prepared.append("")
        listed = item or (listed and bool(line))
        prepared.append(line if literal else escape(line))
        above = line
    lines[:] = prepared


def find_signature(app, what, name, obj, options, signature, returns):
    """Show the arguments of `__init__` where Keras hides them behind `__new__`."""
    if what == "class" and signature == "(*args, **kwargs)":
        found = inspect.signature(obj.__init__, bound_method=True)
        return inspect.stringify_signature(found, show_return_annotation=False), returns


def setup(app) -> None:
    """Prepare docstrings before napoleon reads them (its priority is 500)."""
    app.connect("autodoc-process-signature", find_signature)
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)

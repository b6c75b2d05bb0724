"""The `keras-gans` program, which runs a command of the package by its name."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import shlex
import sys
from importlib import metadata

from keras_gans.errors import did_you_mean, nearest, one_line
from keras_gans.recipes.modules import parse_module
from keras_gans.terminal.output import silence

# Commands that are packages; their `__main__` runs.
PACKAGES = ("export",)
# Commands, and what people type for them.
OTHER_NAMES = {
    "train": "fit run start learn training",
    "sample": "generate gen draw create_images infer inference predict translate",
    "evaluate": "eval test score measure fid metrics",
    "export": "convert save tflite onnx deploy web",
    "new": "init create scaffold",
    "zoo": "list models ls recipes",
    "doctor": "diagnose check debug",
    "benchmark": "bench speed profile",
    "provenance": "origin about",
}


def commands() -> dict[str, str]:
    """Find the commands without importing them.

    Returns:
        {name: first line of the command's docstring}, sorted by name. A command is a
        module in the package's root that defines `main`, or one of `PACKAGES`.
    """
    found = {}
    root = os.path.dirname(os.path.dirname(__file__))
    modules = pkgutil.iter_modules([root])
    names = {module.name for module in modules if not module.ispkg}
    for name in sorted(names.union(PACKAGES)):
        tree = parse_module(_module(name))
        functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
        if "main" in functions:
            found[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the command that the first word names.

    Args:
        argv: Name of a command and its flags; `sys.argv[1:]` if not given.

    Returns:
        The command's exit status; 2 if there is no such command.
    """
    argv = sys.argv[1:] if argv is None else argv
    name, *rest = argv or ["--help"]
    if name in ("help", "--help", "-h", "-help"):
        if rest and name == "help":
            return main([rest[0], "--help"])
        return _print(_help())
    if name in ("--version", "-V", "-v", "version"):
        return _print(f"keras-gans {metadata.version('keras_gans')}")
    known = commands()
    if name not in known:
        line = f"keras-gans: no command '{name}'{_hint(name, argv, known)}"
        print(one_line(line), file=sys.stderr)
        return 2
    return importlib.import_module(_module(name)).main(rest)


def _print(text: str) -> int:
    """Print a text and return the exit status: 1 if the reader has left."""
    try:
        print(text, flush=True)
    except OSError:
        silence(sys.stdout)
        return 1
    return 0


def _hint(name: str, argv: list[str], known: dict[str, str]) -> str:
    """Return the end of the message for an unknown command."""
    from keras_gans.recipes.config import zoo_names  # only for a mistake

    if near := nearest(name, ("--help", "--version")):
        return f"; did you mean '{near}'?"
    if name.startswith("-"):
        return f"; pass a command before its flags: keras-gans train {shlex.join(argv)}"
    if name.lower() in zoo_names():
        return f"; a model is trained by keras-gans train --model={name.lower()}"
    for command, others in OTHER_NAMES.items():
        if name.lower() in others.split():
            return f"; did you mean '{command}'?"
    return did_you_mean(name, known)


def _module(name: str) -> str:
    return f"keras_gans.{name}" + ".__main__" * (name in PACKAGES)


def _help() -> str:
    known = commands()
    width = max(map(len, known)) + 2
    return "\n".join(
        [
            "GANs for TensorFlow and Keras 3: train, evaluate, export and sample.",
            "",
            "    keras-gans train --model cgan",
            "",
            "Commands:",
            *(f"  {name:{width}}{line}" for name, line in known.items()),
            "",
            "keras-gans COMMAND --help explains a command and its flags; "
            "keras-gans --version",
            "prints the version. python -m keras_gans.COMMAND is the same command.",
        ]
    )

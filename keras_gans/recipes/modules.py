"""Modules that are read without being imported."""

from __future__ import annotations

import ast
import importlib.util


def parse_module(name: str) -> ast.Module:
    """Parse a module without importing it.

    Packages above the module are imported.

    Args:
        name: Full name, such as "keras_gans.models.cgan".

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module '{name}'")
    with open(spec.origin, encoding="utf-8") as file:
        return ast.parse(file.read())

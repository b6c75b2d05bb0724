"""Old names of recipe keys, with which older recipes and runs still load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_gans.errors import UserError
from keras_gans.recipes import toml

# Old name "table.key" -> current name.
OLD_KEYS = {"train.recompute": "train.remat"}


def rename_keys(where: str, tables: dict[str, Any]) -> None:
    """Rename the old keys of a recipe in place.

    Args:
        where: Name of the file, for the error message.
        tables: Tables of the recipe: {table: {key: value}}.

    Raises:
        UserError: If a key is set by both its old and its current name.
    """
    for old, new in OLD_KEYS.items():
        (table, key), (new_table, new_key) = old.split("."), new.split(".")
        if not isinstance(tables.get(table), dict) or key not in tables[table]:
            continue
        target = tables.setdefault(new_table, {})
        if new_key in target:
            raise UserError(
                f"{where}: '{old}' is the older name of '{new}', which is also set; "
                "leave one of them out"
            )
        target[new_key] = tables[table].pop(key)


def read_tables(text: str) -> dict[str, Any]:
    """Parse a recipe that a run or an export recorded, without checking its keys.

    Args:
        text: Recipe as TOML.

    Raises:
        TOMLDecodeError: If the text is not TOML.
        UserError: If a key is set by both its old and its current name.
    """
    tables = toml.parse("the recipe", text)
    rename_keys("the recipe", tables)
    return tables


def new_path(path: str) -> str:
    """Return the current name of a key, "table.key" or "table.key.key"."""
    key = ".".join(path.split(".")[:2])
    return OLD_KEYS.get(key, key) + path[len(key) :]


def check_overrides(overrides: Sequence[str]) -> None:
    """Check that no key is set by both its old and its current name.

    Args:
        overrides: Values of --set, each "table.key=value".

    Raises:
        UserError: If a key is set by both names.
    """
    words = {".".join(w.partition("=")[0].split(".")[:2]): w for w in overrides}
    for old, new in OLD_KEYS.items():
        if old in words and new in words:
            raise UserError(
                f"--set={words[old]}: '{old}' is the older name of '{new}', which "
                "another --set sets; leave one of them out"
            )

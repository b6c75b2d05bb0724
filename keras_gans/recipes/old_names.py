"""Old names of recipe keys: recipes and runs that were written with them still load."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from keras_gans.errors import UserError

# "table.key" of an older version -> the same setting's name of today.
OLD_KEYS = {"train.recompute": "train.remat"}


def rename_keys(where: str, tables: dict[str, Any]) -> None:
    """Rename the old keys of a recipe in place.

    Args:
        where: Name of the file, for the error message.
        tables: Tables of the recipe: {table: {key: value}}.

    Raises:
        UserError: For an old key beside its new one.
    """
    for old, new in OLD_KEYS.items():
        (table, key), (new_table, new_key) = old.split("."), new.split(".")
        if key not in tables.get(table, {}):
            continue
        target = tables.setdefault(new_table, {})
        if new_key in target:
            raise UserError(
                f"{where}: '{old}' is the older name of '{new}', which is there, too; "
                "expected one of them"
            )
        target[new_key] = tables[table].pop(key)


def read_tables(text: str) -> dict[str, Any]:
    """Read the tables of a recipe that a run or an export kept, unchecked.

    Raises:
        TOMLDecodeError: For text that is not TOML.
    """
    tables = tomllib.loads(text)
    rename_keys("the recipe", tables)
    return tables


def new_path(path: str) -> str:
    """Return the name of today of a key, "table.key" or "table.key.key"."""
    key = ".".join(path.split(".")[:2])
    return OLD_KEYS.get(key, key) + path[len(key) :]


def check_overrides(overrides: Sequence[str]) -> None:
    """Check that no word of --set has the old name of a key that another word sets.

    Raises:
        UserError: For such a word.
    """
    words = {".".join(w.partition("=")[0].split(".")[:2]): w for w in overrides}
    for old, new in OLD_KEYS.items():
        if old in words and new in words:
            raise UserError(
                f"--set={words[old]}: '{old}' is the older name of '{new}', which "
                "another --set gives; expected one of them"
            )

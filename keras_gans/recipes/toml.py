"""Reading of TOML that anyone may have written."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import Any

from keras_gans.errors import UserError

LONGEST = 2**16  # characters; recipes of the zoo have 1,500
DEEPEST = 8  # tables and lists inside one another; recipes have 3
DOTS = 1000  # in one line; the parser takes quadratic time for the parts of a key


def read_text(where: str, path: str) -> str:
    """Read a file of TOML.

    Args:
        where: Name of the file, for error messages.
        path: Path of the file.

    Raises:
        UserError: If the file cannot be read, is no regular file, is too long or is not
            in UTF-8.
    """
    text = ""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):  # reading a pipe may wait forever
            with open(path, encoding="utf-8-sig") as file:  # skips a byte order mark
                text = file.read(LONGEST + 1)
    except UnicodeDecodeError:
        raise UserError(f"{where}: expected text in UTF-8; save it as UTF-8") from None
    except (OSError, ValueError) as error:  # a path with a null character
        raise UserError(f"{where}: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UserError(f"{where}: expected a file of TOML, got {kind}")
    if len(text) > LONGEST:
        raise UserError(f"{where}: expected at most {LONGEST} characters, got more")
    return text


def parse(where: str, text: str) -> dict[str, Any]:
    """Parse TOML whose nesting and numbers are limited.

    Args:
        where: Name of the text's origin, for error messages.
        text: Text to parse.

    Returns:
        The tables.

    Raises:
        TOMLDecodeError: If the text is not TOML.
        UserError: If the text is too long, its values are nested too deeply, or a whole
            number needs more than 64 bits.
    """
    deep = f"{where}: expected at most {DEEPEST} levels of tables and lists, got more"
    large = (
        f"{where}: expected whole numbers from -2**63 to 2**63 - 1, got a larger one"
    )
    if len(text) > LONGEST:
        raise UserError(f"{where}: expected at most {LONGEST} characters, got more")
    if any(line.count(".") > DOTS for line in text.splitlines()):
        raise UserError(deep)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise UserError(deep) from None
    except ValueError:  # Python converts at most 4,300 digits
        raise UserError(large) from None
    level: list[Any] = [tables]
    for _ in range(DEEPEST):
        inner = []
        for value in level:
            if isinstance(value, dict | list):
                inner += value.values() if isinstance(value, dict) else value
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise UserError(large)
        level = inner
    if any(isinstance(value, dict | list) for value in level):
        raise UserError(deep)
    return tables

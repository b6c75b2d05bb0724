"""Exceptions with one-line messages, and helpers to write such messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Beginnings of lines that say where an error occurred: TensorFlow's trace of the user's
# code, and Keras's line with the name of the layer.
TRACE = (
    "Graph execution error",
    "Detected at node",
    'File "',
    "Exception encountered when calling",
)


class UserError(ValueError):
    """Invalid input of the user; the message is one line with the reason and a fix."""


class WorkerLost(RuntimeError):
    """Loss of another worker, which has died or cannot be reached."""


def message_lines(error: BaseException) -> list[str]:
    """Return the lines of an error's message that give the reason.

    TensorFlow adds a trace of the user's code, whose paths may contain any word. Keras
    adds a line with the layer's name. These lines and empty lines are left out.

    Args:
        error: Error of any library.

    Returns:
        The lines, without surrounding spaces.
    """
    lines = (line.strip() for line in str(error).splitlines())
    return [line for line in lines if line and not line.startswith(TRACE)]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that gives the reason.

    Args:
        error: Error of any library.

    Returns:
        The line; the name of the error's class if the message is empty.
    """
    return (message_lines(error) or [type(error).__name__])[0]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for an error message about an unknown word.

    Args:
        word: The unknown word.
        known: All known words.

    Returns:
        Text such as "; did you mean 'x'? Known: a, b". The guess is left out if no
        known word is similar.
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    return f"{guess} Known: {', '.join(known)}" if known else "."


def check_range(low: float, high: float = float("inf"), **values: float) -> None:
    """Check the values of arguments of a network.

    Args:
        low: Smallest valid value.
        high: Upper limit, which is not a valid value.
        **values: Values by the names of the arguments.

    Raises:
        UserError: If a value is out of range.
    """
    for name, value in values.items():
        if not low <= value < high:
            above = "" if high == float("inf") else f" and below {high}"
            raise UserError(f"{name}: expected at least {low}{above}, got {value}")

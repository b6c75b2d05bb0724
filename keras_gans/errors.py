"""Mistakes that a user can make."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# First words of lines in TensorFlow's messages that trace the user's code.
TRACE = "Graph execution error", "Detected at node", 'File "'
# First words of the line in which Keras names the layer; what is wrong comes after it.
WHERE = "Exception encountered when calling"


class UserError(ValueError):
    """A mistake in what the user gave: one line says what, and what to do."""


class WorkerLost(RuntimeError):
    """Another worker of a run has died or cannot be reached; one line says so."""


def message_lines(error: BaseException) -> list[str]:
    """Return the lines of an error's message that say what is wrong.

    TensorFlow adds a trace of the user's code, whose paths may hold any word, and Keras
    a line with the layer's name. These lines and empty lines are left out.

    Args:
        error: Error of any library.
    """
    lines = (line.strip() for line in str(error).splitlines())
    return [line for line in lines if line and not line.startswith((*TRACE, WHERE))]


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that says what is wrong.

    Args:
        error: Error of any library.

    Returns:
        The line; the name of the error's class if the message is empty.
    """
    return (message_lines(error) or [type(error).__name__])[0]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns "; did you mean 'x'? Known: a, b" (without the guess if none is near)."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    return f"{guess} Known: {', '.join(known)}" if known else "."


def check_range(low: float, high: float = float("inf"), **values: float) -> None:
    """Checks keywords of a network against a range.

    Args:
        low: Least value allowed.
        high: Values must be below it.
        **values: The keywords, by name.

    Raises:
        UserError: for a value out of range.
    """
    for name, value in values.items():
        if not low <= value < high:
            above = "" if high == float("inf") else f" and below {high}"
            raise UserError(f"{name}: expected at least {low}{above}, got {value}")

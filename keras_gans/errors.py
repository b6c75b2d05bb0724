"""Exceptions with one-line messages, and helpers to write such messages."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

# Beginnings of lines that say where an error occurred: TensorFlow's trace of the user's
# code, and Keras's line with the name of the layer.
TRACE = (
    "Graph execution error",
    "Detected at node",
    'File "',
    "Exception encountered when calling",
)


# Limits of a message in characters. The name of the command is printed before it.
MESSAGE, WORD, NAMES = 470, 200, 300
# Upper limit of the sizes that a network takes, unless it states another one.
LARGEST = 2**14

F = TypeVar("F", bound=Callable)


def one_line(text: object) -> str:
    """Return a message as one line of limited length.

    Control characters are written as escapes, since a name that is quoted may contain
    any. Of long words, and of a long message, the middle is left out: the beginning
    names the place, the end says what to do.

    Args:
        text: The message.
    """
    line = " ".join(str(text).split("\n")).strip()
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    line = re.sub(rf"\S{{{WORD + 1},}}", lambda word: _cut(word[0], WORD // 2), line)
    return _cut(line, MESSAGE)


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = length * 2 // 5
    return f"{text[: length - end - 3]}...{text[-end:]}"


class UserError(ValueError):
    """Invalid input of the user; the message is one line with the reason and a fix."""

    def __init__(self, message: object = ""):
        super().__init__(one_line(message))


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


def os_line(error: OSError) -> str:
    """Return an OSError as one line: its file, if it names one, and the reason."""
    reason = error.strerror or first_line(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint for an error message about an unknown word.

    Args:
        word: The unknown word.
        known: All known words.

    Returns:
        Text such as "; did you mean 'x'? Known: a, b". The guess is left out if no
        known word is similar. Of many known words, the first ones are named.
    """
    known = sorted(known)
    near = nearest(word, known)
    guess = f"; did you mean '{near}'?" if near else "."
    names = ", ".join(known)
    if len(names) > NAMES:
        names = f"{names[:NAMES].rpartition(',')[0]}, ... ({len(known)} in all)"
    return f"{guess} Known: {names}" if known else "."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to another word.

    Case, spaces and punctuation do not count: "WGAN-GP" is near to "wgan_gp".

    Args:
        word: The unknown word.
        known: Known words; the unknown word itself is left out.

    Returns:
        The known word; None if no known word is similar.
    """
    plain = {plain_word(name): name for name in known if name != word}
    typed = plain_word(word[:WORD])
    near = difflib.get_close_matches(typed, plain, n=1)
    # "stylegan" is a part of "stylegan2", "learning" of "learning_rate".
    parts = [p for p in plain if min(map(len, (p, typed))) > 2]
    parts = [p for p in parts if p in typed or typed in p]
    return plain[near[0] if near else parts[0]] if near or parts else None


def plain_word(word: str) -> str:
    """Return a word for comparison: without case, spaces and punctuation.

    Args:
        word: Word; returned as it is if it consists of punctuation alone.
    """
    return re.sub(r"[\W_]+", "", word.casefold()) or word


def in_range(
    **limits: float | tuple[float, float],
) -> Callable[[F], F]:
    """Return a decorator that checks numbers which a function is called with.

    A recipe is checked against the same limits before anything is built.

    Args:
        **limits: For each argument, its smallest value, or the smallest value and the
            upper limit, which is not a valid value. Without an upper limit, whole
            numbers go up to `LARGEST`.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                if name in limits:
                    check_limits(name, value, limits[name])
            return function(*args, **kwargs)

        checked.limits = limits  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return decorate


def check_limits(where: str, value: float, limits: float | tuple[float, float]) -> None:
    """Check a number against limits of `in_range`.

    Args:
        where: Name of the value, for the error message.
        value: Number to check.
        limits: Smallest value, or the smallest value and the upper limit.

    Raises:
        UserError: If the value is out of range.
    """
    if not isinstance(limits, tuple):
        limits = limits, LARGEST + 1 if isinstance(value, int) else float("inf")
    low, high = limits
    if low <= value < high:
        return
    upper = "" if high == float("inf") else f" and below {high}"
    if isinstance(value, int) and upper:
        upper = f" and at most {int(high) - 1}"
    raise UserError(f"{where}: expected at least {low}{upper}, got {value}")


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
        check_limits(name, value, (low, high))

"""What a step knows of itself while it is traced: its part of a batch, its number."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

# Each replica of a TensorFlow strategy is traced in a thread of its own.
_tracing = threading.local()


@contextlib.contextmanager
def computing(**what: Any) -> Iterator[None]:
    """Sets facts about the code that is traced inside.

    Args:
        **what: `part` and `scale`, for the functions of these names; `step`, `number`
            and `periods`, for `is_due`.
    """
    before = dict(vars(_tracing))
    vars(_tracing).update(what)
    try:
        yield
    finally:
        vars(_tracing).clear()
        vars(_tracing).update(before)


def part() -> tuple[int, int]:
    """Which part of this replica's batch is computed, and of how many."""
    return getattr(_tracing, "part", (0, 1))


def scale() -> Any:
    """What the loss is multiplied by, so that gradients of 16 bits do not vanish."""
    return getattr(_tracing, "scale", 1.0)


def is_due(step: Any, every: int) -> bool | None:
    """Return whether a lazy term falls in the step that is traced.

    Args:
        step: Variable that counts training steps.
        every: Steps from one computation of the term to the next.

    Returns:
        None if the traced function serves all steps; it has to look at `step` then.
    """
    if getattr(_tracing, "step", None) is not step:
        return None
    _tracing.periods.add(every)
    return _tracing.number % every == 0

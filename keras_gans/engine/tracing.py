"""Facts about the step that is traced, as its number and the part of its batch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from keras_gans.errors import UserError

# Each replica of a TensorFlow strategy is traced in its own thread.
_tracing = threading.local()


@contextlib.contextmanager
def computing(**what: Any) -> Iterator[None]:
    """Set facts about the code that is traced inside.

    Args:
        **what: Facts by name: `part` and `scale` for the functions of these names;
            `step`, `number` and `periods` for `is_due`.
    """
    before = dict(vars(_tracing))
    vars(_tracing).update(what)
    try:
        yield
    finally:
        vars(_tracing).clear()
        vars(_tracing).update(before)


def part() -> tuple[int, int]:
    """Return (index, count) of the part of this replica's batch that is computed."""
    return getattr(_tracing, "part", (0, 1))


def scale() -> Any:
    """Return the factor of the loss that keeps float16 gradients from underflowing."""
    return getattr(_tracing, "scale", 1.0)


def is_late(step: Any, start: int) -> bool:
    """Return whether the step that is traced belongs to the later phase of a run.

    Args:
        step: Variable that counts training steps.
        start: First step of the later phase.

    Returns:
        Whether it does.

    Raises:
        UserError: In a graph of the user's own that serves all steps.
    """
    known = getattr(_tracing, "late", None)
    if known is not None or not start:
        return known is not False
    try:
        return bool(step.value >= start)  # outside of a graph
    except Exception:  # each backend has its own error for symbolic values
        raise UserError(
            f"this model trains in another way from step {start} on, which a function "
            "traced for all steps cannot know; train with fit or train_on_batch, or "
            "set pretraining to 0"
        ) from None


def is_due(step: Any, every: int) -> bool | None:
    """Return whether a lazy term is due in the step that is traced.

    Args:
        step: Variable that counts training steps.
        every: Number of steps from one computation of the term to the next.

    Returns:
        Whether the term is due. None if the traced function serves all steps: the
        caller must read `step` then.
    """
    if getattr(_tracing, "step", None) is not step:
        return None
    _tracing.periods.add(every)
    return _tracing.number % every == 0

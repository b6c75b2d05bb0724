"""What a step knows of itself while it is traced: which part of a batch it computes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

# Each replica of a TensorFlow strategy is traced in a thread of its own.
_tracing = threading.local()


@contextlib.contextmanager
def computing(**what: Any) -> Iterator[None]:
    """Notes which part of a batch is computed, and by how much its loss is scaled."""
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

"""End of the output: signals that stop a command, and a reader that has left."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop a command, without those that `nohup` ignores."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [
        number
        for number in known
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    ]


class Output:
    """Text stream that survives the end of its reader.

    Args:
        stream: Stream to write to.
        lost: Function that is called once, when the stream cannot be written to.
            Further output is dropped.
    """

    def __init__(self, stream: Any, lost: Callable[[], None]):
        self.stream, self._lost = stream, lost

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        with self._guarded():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what the stream has buffered."""
        with self._guarded():
            self.stream.flush()

    @contextlib.contextmanager
    def _guarded(self):
        try:
            yield
        except OSError:  # a closed pipe or terminal, or a file on a full disk
            silence(self.stream)
            self._lost()

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream."""
        return getattr(self.stream, name)


def silence(stream: Any) -> None:
    """Drop all further output of a stream, such as one whose reader has left."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)

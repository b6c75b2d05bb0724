"""Progress of an evaluation."""

from __future__ import annotations

import shutil
import sys
import time


class Progress:
    """How many pictures have been looked at; few lines where it is no terminal.

    Args:
        title: What they are.
        num: How many there are.
    """

    EVERY = 20.0  # seconds between two lines; 1 on a terminal

    def __init__(self, title: str, num: int):
        """Starts the clock."""
        self._title, self._num = title, num
        self._terminal = sys.stdout.isatty()
        self._every = 1.0 if self._terminal else self.EVERY
        self._start = self._shown = time.monotonic()

    def show(self, done: int) -> None:
        """Shows a line, if one is due."""
        now = time.monotonic()
        if now - self._shown >= self._every:
            self._shown = now
            left = int((self._num - done) * (now - self._start) / done)
            self._print(
                f"{self._title}: {done}/{self._num}, {left // 60}:{left % 60:02d} left"
            )

    def end(self, done: int) -> None:
        """Says how long it took."""
        seconds = time.monotonic() - self._start
        self._print(f"{self._title}: {done} in {seconds:.0f} s")
        if self._terminal:
            print(flush=True)

    def _print(self, line: str) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)

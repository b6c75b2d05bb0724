"""Progress line of a run."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from keras_gans.training.step_callback import StepCallback

Tensor = Any


class Progress(StepCallback):
    """A progress bar with the losses and the time left.

    Args:
        steps: Steps of the whole run.
    """

    EVERY = 1.0  # seconds between two updates; longer where it is no terminal

    def __init__(self, steps: int):
        """Shows nothing yet."""
        super().__init__()
        self._steps = steps
        self._terminal = sys.stdout.isatty()
        self._every = self.EVERY if self._terminal else 20 * self.EVERY

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the clock."""
        super().on_train_begin()
        self._first, self._shown = self.step, time.monotonic()
        self._start = None

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Shows a line, now and then."""
        now = time.monotonic()
        if self._start is None:  # the first step traces: leave it out of the rate
            self._start, self._first = now, step
            return
        if now - self._shown >= self._every or step == self._steps:
            self._shown = now
            self._show(step, logs, now - self._start)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends the line."""
        if self._terminal:
            print(flush=True)

    def _show(self, step: int, logs: dict[str, Tensor], seconds: float) -> None:
        done = int(24 * step / self._steps)
        rate = (step - self._first) / seconds
        left = int((self._steps - step) / rate)
        values = "  ".join(
            f"{k} {float(v[-1]):.3f}"
            for k, v in logs.items()
            if not k.endswith("gradient_norm")
        )
        line = (
            f"{step}/{self._steps} [{'#' * done}{'.' * (24 - done)}] "
            f"{left // 60}:{left % 60:02d} left, {rate:.1f} steps/s  {values}"
        )
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)

"""Progress bar of a run."""

from __future__ import annotations

import functools
from typing import Any

from keras_gans.terminal.progress import ProgressBar
from keras_gans.training.step_callback import StepCallback

Tensor = Any


class Progress(StepCallback):
    """Progress bar with the losses, the rate and the remaining time.

    The bar is updated once a second; no value is read from the device in between.

    Args:
        steps: Number of steps of the whole run.
    """

    def __init__(self, steps: int):
        super().__init__()
        self._steps = steps
        self._bar: ProgressBar | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Show the bar, with a note until the first step is done."""
        super().on_train_begin()
        waiting = "compiling the first step"
        self._bar = ProgressBar(self._steps, "steps", done=self.step, waiting=waiting)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Update the bar, if an update is due."""
        self._bar.update(step, functools.partial(_describe, logs))

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar, also after an exception."""
        if self._bar:
            self._bar.close()


def _describe(logs: dict[str, Tensor]) -> str:
    return "  ".join(
        f"{name} {float(values[-1]):.3f}"
        for name, values in logs.items()
        if not name.endswith(("gradient_norm", "ema_decay"))
    )

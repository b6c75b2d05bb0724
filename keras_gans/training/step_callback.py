"""Callbacks that know the model's own step."""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any


class CallbackList(keras.callbacks.CallbackList):
    """Hands a step's values over as they are, still on the device.

    Keras's own list turns them into floats after each step, which waits for the device.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Tells each callback."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class StepCallback(keras.callbacks.Callback):
    """Counts training steps, over resumes, and calls `on_step(step, logs)`.

    Some steps may come at once, see `engine.train_function`.
    """

    step = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over the model's step."""
        self.step = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the steps."""
        self.step += len(next(iter(logs.values())))
        self.on_step(self.step, logs)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Does the callback's work after some steps.

        Args:
            step: The last of them.
            logs: What each said, float32 [steps].
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release what the callback holds, however training ends.

        Called after `on_train_end`, which does not come after an exception.
        """

"""Base class of callbacks that count training steps."""

from __future__ import annotations

from typing import Any

import keras

Tensor = Any


class CallbackList(keras.callbacks.CallbackList):
    """List of callbacks that leaves the values of a step on the device.

    The list of Keras converts the values to floats after each step, which waits for the
    device.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Call each callback."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class StepCallback(keras.callbacks.Callback):
    """Callback that counts the steps of all resumes and calls `on_step(step, logs)`.

    One call may cover several steps, see `engine.train_function`.

    Attributes:
        step: Number of training steps done so far.
    """

    step = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Read the model's step."""
        self.step = int(self.model.step.numpy())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Count the steps and call `on_step`."""
        self.step += len(next(iter(logs.values())))
        self.on_step(self.step, logs)

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Do the callback's work after one or more steps.

        Args:
            step: Last of the steps.
            logs: Values of these steps by name, float32 [steps].
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release the callback's resources.

        This method is called however training ends; `on_train_end` is not called after
        an exception.
        """

"""Keras's optimizers, and what they lack for the recipes of the zoo."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule


class ScheduledAdam(keras.optimizers.Adam):
    """Adam whose beta_2, like the learning rate, may follow a schedule.

    The correction for the running means' start takes the beta_2 of the moment.

    Args:
        beta_2: A number, or a schedule from the number of updates to one.
        **kwargs: As of `keras.optimizers.Adam`.
    """

    def __init__(self, beta_2: float | LearningRateSchedule = 0.999, **kwargs: Any):
        """Keeps the schedule."""
        super().__init__(beta_2=beta_2, **kwargs)

    @property
    def beta_2(self) -> Any:
        """The beta_2 of the next update."""
        if isinstance(self._beta_2, LearningRateSchedule):
            return self._beta_2(self.iterations)
        return self._beta_2

    @beta_2.setter
    def beta_2(self, value: Any) -> None:
        self._beta_2 = value


def scheduled(class_name: str) -> tuple[str, ...]:
    """Which numbers of one of Keras's optimizers may follow a schedule."""
    return ("learning_rate", "beta_2")[: 2 if class_name == "Adam" else 1]


def find(class_name: str) -> type[keras.optimizers.Optimizer]:
    """The class behind a name of `keras.optimizers`."""
    return (
        ScheduledAdam if class_name == "Adam" else getattr(keras.optimizers, class_name)
    )


class LinearAfter(LearningRateSchedule):
    """A rate that stays for a while, then falls to 0 on a line.

    Args:
        initial_learning_rate: The rate.
        decay_steps: Updates until it is 0.
        constant: Share of them in which it stays.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, constant: float = 0.5
    ):
        """Keeps the options.

        Raises:
            ValueError: for a share out of range.
        """
        if not 0 <= constant < 1:
            raise ValueError(f"constant: expected 0 <= share < 1, got {constant}")
        self._rate, self._steps = initial_learning_rate, decay_steps
        self._constant = constant

    def __call__(self, step: Any) -> Any:
        """The rate of an update, counted from 0."""
        share = ops.cast(step, "float32") / self._steps
        left = (1.0 - share) / (1.0 - self._constant)
        return self._rate * ops.clip(left, 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """The keywords it was made with."""
        return {
            "initial_learning_rate": self._rate,
            "decay_steps": self._steps,
            "constant": self._constant,
        }


SCHEDULES = {
    **{
        name: cls
        for name, cls in vars(keras.optimizers.schedules).items()
        if inspect.isclass(cls) and cls is not LearningRateSchedule
    },
    "LinearAfter": LinearAfter,
}


def scaled(
    optimizer: keras.optimizers.Optimizer, network: keras.Model
) -> keras.optimizers.Optimizer:
    """Wraps an optimizer in loss scaling if a network computes in float16."""
    if network.dtype_policy.name != "mixed_float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)

"""Keras's optimizers, and what they lack for the recipes of the zoo."""

from __future__ import annotations

from typing import Any

import keras
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

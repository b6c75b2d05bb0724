"""Optimizers and schedules that the recipes need beyond those of Keras."""

from __future__ import annotations

import inspect
from typing import Any, Self

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule


@keras.saving.register_keras_serializable("keras_gans")
class ScheduledAdam(keras.optimizers.Adam):
    """Adam whose `beta_2`, like the learning rate, may follow a schedule.

    The bias correction uses the `beta_2` of the current update.

    Args:
        beta_2: Number, or schedule from the number of updates to a number.
        **kwargs: Passed on to `keras.optimizers.Adam`.
    """

    def __init__(self, beta_2: float | LearningRateSchedule = 0.999, **kwargs: Any):
        super().__init__(beta_2=beta_2, **kwargs)

    @property
    def beta_2(self) -> Any:
        """Value of `beta_2` in the next update."""
        if isinstance(self._beta_2, LearningRateSchedule):
            return self._beta_2(self.iterations)
        return self._beta_2

    @beta_2.setter
    def beta_2(self, value: Any) -> None:
        self._beta_2 = value

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        schedule = self._beta_2
        if isinstance(schedule, LearningRateSchedule):
            schedule = keras.saving.serialize_keras_object(schedule)
        return super().get_config() | {"beta_2": schedule}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make an optimizer from the configuration of `get_config`."""
        schedule = config["beta_2"]
        if isinstance(schedule, dict):
            schedule = keras.saving.deserialize_keras_object(schedule)
        return super().from_config({**config, "beta_2": schedule}, custom_objects)


def scheduled(class_name: str) -> tuple[str, ...]:
    """Return the names of an optimizer's arguments that accept a schedule.

    Args:
        class_name: Name of a class of `keras.optimizers`.
    """
    return ("learning_rate", "beta_2")[: 2 if class_name == "Adam" else 1]


def find(class_name: str) -> type[keras.optimizers.Optimizer]:
    """Return the class of an optimizer; that of "Adam" is `ScheduledAdam`.

    Args:
        class_name: Name of a class of `keras.optimizers`.
    """
    return (
        ScheduledAdam if class_name == "Adam" else getattr(keras.optimizers, class_name)
    )


@keras.saving.register_keras_serializable("keras_gans")
class LinearAfter(LearningRateSchedule):
    """Learning rate that is constant at first, then falls linearly to 0.

    Args:
        initial_learning_rate: Learning rate of the constant part.
        decay_steps: Number of updates until the learning rate is 0.
        constant: Share of these updates with a constant learning rate, in [0, 1).

    Raises:
        ValueError: If `constant` is out of range.
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, constant: float = 0.5
    ):
        if not 0 <= constant < 1:
            raise ValueError(f"constant: expected 0 <= share < 1, got {constant}")
        self._rate, self._steps = initial_learning_rate, decay_steps
        self._constant = constant

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of an update, counted from 0."""
        share = ops.cast(step, "float32") / self._steps
        left = (1.0 - share) / (1.0 - self._constant)
        return self._rate * ops.clip(left, 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """Return the arguments of the constructor."""
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


# Classes that wrap other optimizers, which a recipe's table cannot name.
WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer")
INFINITY = float("inf")
# Ranges of the numbers that Keras's optimizers and schedules take, by keyword: type,
# lower and upper limit, and which of the limits are valid values, "[" or "(" and "]" or
# ")". A keyword without a range takes any number.
POSITIVE = (float, "(", 0, INFINITY, ")")
NOT_NEGATIVE = (float, "[", 0, INFINITY, ")")
DECAY = (float, "[", 0, 1, ")")
SHARE = (float, "[", 0, 1, "]")
UPDATES = (int, "[", 1, INFINITY, ")")
RANGES: dict[str, tuple[type, str, float, float, str]] = {
    **dict.fromkeys(
        (
            "adam_lr_ratio",
            "clip_threshold",
            "clipnorm",
            "clipvalue",
            "decay_rate",
            "global_clipnorm",
            "learning_rate",
            "loss_scale_factor",
            "power",
            "rms_rate",
            "t_mul",
        ),
        POSITIVE,
    ),
    **dict.fromkeys(
        (
            "adam_weight_decay",
            "alpha",
            "beta",
            "end_learning_rate",
            "epsilon",
            "epsilon_1",
            "epsilon_2",
            "initial_accumulator_value",
            "initial_learning_rate",  # 0 before a warm-up
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
            "m_mul",
            "values",
            "warmup_target",
            "weight_decay",
        ),
        NOT_NEGATIVE,
    ),
    **dict.fromkeys(
        (
            "adam_beta_1",
            "adam_beta_2",
            "beta_1",
            "beta_2",
            "constant",
            "momentum",
            "rho",
        ),
        DECAY,
    ),
    "ema_momentum": SHARE,
    **dict.fromkeys(
        ("decay_steps", "ema_overwrite_frequency", "first_decay_steps", "ns_steps"),
        UPDATES,
    ),
    "boundaries": (int, "[", 0, INFINITY, ")"),
    "warmup_steps": (int, "[", 0, INFINITY, ")"),
    "gradient_accumulation_steps": (int, "[", 2, INFINITY, ")"),
    "beta_2_decay": (float, "(", -INFINITY, 0, ")"),
    "learning_rate_power": (float, "(", -INFINITY, 0, "]"),
}
LISTS = ("boundaries", "values")  # of PiecewiseConstantDecay


def scaled(
    optimizer: keras.optimizers.Optimizer, network: keras.Model
) -> keras.optimizers.Optimizer:
    """Wrap an optimizer in loss scaling if a network computes in float16.

    Args:
        optimizer: Optimizer to wrap.
        network: Network whose dtype policy decides.

    Returns:
        The optimizer, or a `LossScaleOptimizer` around it.
    """
    half = network.dtype_policy.name == "mixed_float16"
    if not half or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)

"""Binding of a recipe's tables to signatures."""

from __future__ import annotations

import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from keras_gans.errors import UserError, did_you_mean


def bind_optimizer(where: str, values: dict[str, Any], steps: int) -> dict[str, Any]:
    """Check an optimizer's table and fill in its defaults.

    Args:
        where: File and table, for error messages.
        values: Table of the optimizer: `class_name`, keywords, and tables of schedules.
        steps: Number of updates in the whole run, the default `decay_steps` of
            schedules.

    Returns:
        The table with its defaults, without values that are None.

    Raises:
        UserError: If a class, schedule or keyword is unknown or has a wrong value.
    """
    import keras

    from keras_gans.engine import optimizers

    found = {k: v for k, v in values.items() if isinstance(v, dict)}
    values = {k: v for k, v in values.items() if k not in found}
    base = keras.optimizers.Optimizer
    classes = {
        k: v
        for k, v in vars(keras.optimizers).items()
        if inspect.isclass(v) and issubclass(v, base) and v is not base
    }
    bound = _bind_class(where, values, classes)
    known = optimizers.scheduled(bound["class_name"])
    for key, schedule in found.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise UserError(f"{where} {key}: it cannot follow a schedule{hint}")
        cls = optimizers.SCHEDULES.get(str(schedule.get("class_name")))
        if cls and "decay_steps" in inspect.signature(cls).parameters:
            schedule = {"decay_steps": steps, **schedule}  # unless it is set
        bound[key] = _bind_class(f"{where} {key}", schedule, optimizers.SCHEDULES)
    rate = bound["learning_rate"]
    if not isinstance(rate, dict) and rate < 0:
        raise UserError(f"{where} learning_rate: expected at least 0, got {rate}")
    return bound


def _bind_class(
    where: str, values: dict[str, Any], classes: dict[str, type]
) -> dict[str, Any]:
    """Check a `class_name` against known classes, and its keywords."""
    values = dict(values)
    name = values.pop("class_name", None)
    if name not in classes:
        raise UserError(
            f"{where}: no class_name '{name}'{did_you_mean(str(name), classes)}"
        )
    bound = bind(where, values, classes[name], skip=("name",))
    return {"class_name": name, **{k: v for k, v in bound.items() if v is not None}}


def bind(
    where: str, values: dict[str, Any], target: Callable, skip: Sequence[str] = ()
) -> dict[str, Any]:
    """Check values against a signature and fill in its defaults.

    Args:
        where: File and table, for error messages.
        values: Keywords and their values.
        target: Function or class with the signature.
        skip: Names of parameters that cannot be set.

    Raises:
        UserError: If a keyword is unknown or missing, or has a wrong value.
    """
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(target).parameters.items()
        if key not in skip and parameter.kind is not parameter.VAR_KEYWORD
    }
    for key in values.keys() - parameters.keys():
        raise UserError(f"{where}: no key '{key}'{did_you_mean(key, parameters)}")
    hints = typing.get_type_hints(target)
    bound = {}
    for key, parameter in parameters.items():
        if key not in values:
            if parameter.default is parameter.empty:
                raise UserError(f"{where}: '{key}' is missing and has no default")
            bound[key] = parameter.default
            continue
        hint = hints.get(key, _hint_of_default(parameter.default))
        bound[key] = _convert(f"{where} {key}", values[key], hint)
    return bound


def _hint_of_default(default: Any) -> Any:
    # Keras's optimizers have no annotations, so the type is that of the default. A
    # default of None stands for a number.
    if default is inspect.Parameter.empty:
        return Any
    return numbers.Real if default is None else type(default)


def _convert(where: str, value: Any, hint: Any) -> Any:
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value in arguments:
            return value
        choice = did_you_mean(str(value), map(str, arguments))
        raise UserError(f"{where}: no choice {value!r}{choice}")
    if origin in (typing.Union, types.UnionType):
        hint = next(a for a in arguments if a is not type(None))
        return _convert(where, value, hint)
    if hint is float and type(value) is int:
        return float(value)
    if hint is numbers.Real and type(value) in (int, float):
        hint = type(value)
    if type(value) is float and not math.isfinite(value):
        raise UserError(f"{where}: expected a finite number, got {value}")
    if type(value) is not hint:
        raise UserError(
            f"{where}: expected {hint.__name__}, got {value!r} ({type(value).__name__})"
        )
    return value

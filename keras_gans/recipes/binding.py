"""Binding of a recipe's tables to signatures."""

from __future__ import annotations

import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from keras_gans.errors import UserError, check_limits, did_you_mean

# Largest absolute values: numbers of steps and sizes have 32 bits, weights are float32.
LARGEST = {int: 2**31 - 1, float: 3.4e38}


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

    schedules = {k: v for k, v in values.items() if isinstance(v, dict)}
    values = {k: v for k, v in values.items() if k not in schedules}
    base = keras.optimizers.Optimizer
    classes = {
        k: v
        for k, v in vars(keras.optimizers).items()
        if inspect.isclass(v) and issubclass(v, base) and v is not base
    }
    for wrapper in optimizers.WRAPPERS:
        classes.pop(wrapper, None)
    bound = _bind_class(where, values, classes)
    clips = [key for key in bound if key.endswith(("clipnorm", "clipvalue"))]
    if len(clips) > 1:
        raise UserError(f"{where}: expected one of {' and '.join(clips)}, got both")
    known = optimizers.scheduled(bound["class_name"])
    for key, schedule in schedules.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise UserError(f"{where} {key}: it cannot follow a schedule{hint}")
        cls = optimizers.SCHEDULES.get(str(schedule.get("class_name")))
        if cls and "decay_steps" in inspect.signature(cls).parameters:
            schedule = {"decay_steps": steps, **schedule}  # unless it is set
        bound[key] = _bind_class(f"{where} {key}", schedule, optimizers.SCHEDULES)
        _check_schedule(f"{where} {key}", bound[key], optimizers.RANGES[key])
    return bound


def _bind_class(
    where: str, values: dict[str, Any], classes: dict[str, type]
) -> dict[str, Any]:
    """Check a `class_name` against known classes, and its keywords."""
    from keras_gans.engine import optimizers

    values = dict(values)
    name = values.pop("class_name", None)
    if not isinstance(name, str) or name not in classes:
        hint = did_you_mean(name if isinstance(name, str) else "", classes)
        missing = "'class_name' is missing" if name is None else ""
        raise UserError(f"{where}: {missing or f'no class_name {name!r}'}{hint}")
    bound = bind(where, values, classes[name], skip=("name", "exclude_layers"))
    bound = {k: v for k, v in bound.items() if v is not None}
    for key, value in bound.items():
        if key not in optimizers.RANGES:
            continue
        limits = optimizers.RANGES[key]
        if key not in optimizers.LISTS:
            bound[key] = _number(f"{where} {key}", value, *limits)
            continue
        if not isinstance(value, list):
            raise UserError(f"{where} {key}: expected a list of numbers, got {value!r}")
        bound[key] = [_number(f"{where} {key}", v, *limits) for v in value]
    return {"class_name": name, **bound}


def _number(
    where: str, value: Any, kind: type, left: str, low: float, high: float, right: str
) -> float:
    """Check a number against one of `optimizers.RANGES`."""
    if kind is int and type(value) is float and value.is_integer():
        value = int(value)  # 1e4
    value = _convert(where, value, kind)
    above = value >= low if left == "[" else value > low
    below = value <= high if right == "]" else value < high
    if above and below:
        return value
    if high == math.inf:
        expected = f"{'at least' if left == '[' else 'more than'} {low}"
    elif low == -math.inf:
        expected = f"{'at most' if right == ']' else 'less than'} {high}"
    else:
        words = ["<=" if end in "[]" else "<" for end in (left, right)]
        expected = f"{low} {words[0]} value {words[1]} {high}"
    raise UserError(f"{where}: expected {expected}, got {value}")


def _check_schedule(where: str, schedule: dict[str, Any], limits: tuple) -> None:
    """Check that the values of a schedule suit the keyword that follows it."""
    first, last = schedule.get("initial_learning_rate"), schedule.get("alpha")
    if "boundaries" in schedule:
        boundaries, ends = schedule["boundaries"], schedule["values"]
        if sorted(set(boundaries)) != boundaries or len(ends) != len(boundaries) + 1:
            raise UserError(
                f"{where}: expected ascending boundaries and one value more than "
                f"boundaries, got boundaries = {boundaries} and values = {ends}"
            )
    else:
        targets = ("warmup_target", "end_learning_rate")
        ends = [first, *(schedule[key] for key in targets if key in schedule)]
        ends += [first * last] if last else []
    if not any(ends):
        raise UserError(f"{where}: expected a value above 0, got only 0")
    for value in filter(None, ends):
        _number(where, value, *limits)


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
    for key in values:
        if key not in parameters:
            raise UserError(f"{where}: no key '{key}'{did_you_mean(key, parameters)}")
    hints = typing.get_type_hints(target)
    limits = getattr(target, "limits", {})
    bound = {}
    for key, parameter in parameters.items():
        if key not in values:
            if parameter.default is parameter.empty:
                raise UserError(f"{where}: '{key}' is missing and has no default")
            bound[key] = parameter.default
            continue
        hint = hints.get(key, _hint_of_default(parameter.default))
        bound[key] = _convert(f"{where} {key}", values[key], hint)
        if key in limits:
            check_limits(f"{where} {key}", bound[key], limits[key])
    return bound


def _hint_of_default(default: Any) -> Any:
    # Keras's optimizers have no annotations, so the type is that of the default. A
    # default of None stands for a number.
    if default is inspect.Parameter.empty:
        return Any
    return numbers.Real if default is None else type(default)


def _convert(where: str, value: Any, hint: Any) -> Any:
    if hint is Any:
        return _plain(where, value)
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
        value = float(value)
    if hint is numbers.Real and type(value) in (int, float):
        hint = type(value)
    if type(value) is not hint:
        expected = getattr(hint, "__name__", hint)
        raise UserError(
            f"{where}: expected {expected}, got {value!r} ({type(value).__name__})"
        )
    return _plain(where, value)


def _plain(where: str, value: Any) -> Any:
    """Check that a value is a number, text or list that a recipe can hold."""
    if type(value) is float and not math.isfinite(value):
        raise UserError(f"{where}: expected a finite number, got {value}")
    if type(value) in (int, float) and abs(value) > LARGEST[type(value)]:
        largest = LARGEST[type(value)]
        most = f"at most {largest}" if value > 0 else f"at least -{largest}"
        raise UserError(f"{where}: expected {most}, got {value}")
    if isinstance(value, list):
        return [_plain(where, inner) for inner in value]
    if type(value) not in (bool, int, float, str):
        raise UserError(
            f"{where}: expected a number, text or a list of them, got {value} "
            f"({type(value).__name__})"
        )
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise UserError(f"{where}: expected text in UTF-8, got {value}") from None
    return value

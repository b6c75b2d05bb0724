"""Networks that Keras saves as the function that made them, and its arguments."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import keras

from keras_gans.engine import keras_private
from keras_gans.engine.precision import policy
from keras_gans.engine.remat import remat
from keras_gans.errors import UserError


@dataclasses.dataclass(frozen=True)
class Call:
    """Call of a network function.

    Attributes:
        function: Function that is decorated with `network`.
        arguments: All arguments, by name.
    """

    function: Callable[..., keras.Model]
    arguments: dict[str, Any]

    def __call__(self) -> Network:
        """Make the network."""
        return self.function(**self.arguments)

    def get_config(self) -> dict[str, Any]:
        """Return the call in a form that JSON can hold.

        Raises:
            UserError: If the function cannot be imported by its name, or if Keras
                cannot save an argument.
        """
        name = path_of(self.function)
        try:
            arguments = keras.saving.serialize_keras_object(self.arguments)
            json.dumps(arguments)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UserError(
                f"{name}: expected arguments that Keras can save, such as numbers, "
                f"got {self.arguments}"
            ) from error
        return {"function": name, "arguments": arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Call:
        """Return the call that `get_config` described.

        Raises:
            UserError: If there is no such network function.
        """
        function = find(config["function"])
        if not getattr(function, "makes_network", False):
            raise UserError(
                f"{config['function']}: expected a function with the decorator "
                "keras_gans.network"
            )
        arguments = keras.saving.deserialize_keras_object(config["arguments"])
        return cls(function, {k: _tuples(v) for k, v in arguments.items()})


def _tuples(value: Any) -> Any:
    """Return a value with its lists as tuples, since JSON has lists alone."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class SavesSeeds:
    """Mixin of a model that saves the states of its layers' random seeds.

    Keras saves weights alone. Without the states, a loaded model would draw other noise
    than the saved model.
    """

    def save_own_variables(self, store: Any) -> None:
        """Save the model's own variables, and the seeds of all its layers."""
        super().save_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            store[f"seed_{i}"] = state

    def load_own_variables(self, store: Any) -> None:
        """Load the model's own variables, and the seeds if the file has them."""
        own = {k: store[k] for k in store.keys() if not k.startswith("seed_")}
        super().load_own_variables(own)
        for i, state in enumerate(self._seed_states()):
            if f"seed_{i}" in store.keys():
                state.assign(store[f"seed_{i}"])

    def _seed_states(self) -> list[keras.Variable]:
        weights = {id(variable) for variable in self.weights}
        return [v for v in self.variables if id(v) not in weights]


@keras.saving.register_keras_serializable("keras_gans")
class Network(SavesSeeds, keras.Model):
    """Functional model that Keras saves as the call that made it.

    `keras.models.load_model` calls the function again, under any backend, and then
    sets the weights.

    Args:
        inputs: Inputs of the model.
        outputs: Outputs of the model.
        name: Name of the model.

    Attributes:
        origin: Call that made the network.
        made_under: Name of the dtype policy under which the network was made.
    """

    origin: Call
    made_under: str

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(inputs=inputs, outputs=outputs, name=name)

    def get_config(self) -> dict[str, Any]:
        """Return the call, and what later changes to the network `from_config` needs.

        Raises:
            UserError: If the call cannot be saved.
        """
        return {
            "call": self.origin.get_config(),
            "dtype": self.made_under,
            "name": self.name,
            **changes(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        """Make a network by the call of a configuration.

        Args:
            config: Result of `get_config`.
            custom_objects: Ignored; Keras passes it.
        """
        with policy(config["dtype"]):
            network = renamed(Call.from_config(config["call"])(), config["name"])
        change(network, config)
        return network


def network(function: Callable[..., keras.Model]) -> Callable[..., Network]:
    """Decorate a function that makes a network, so that Keras can save the network.

    Args:
        function: Function at the top level of a module. It returns a functional Keras
            model with named inputs.

    Returns:
        Function with the same arguments that returns a `Network`.
    """

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Network:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        model = function(*args, **kwargs)
        result = Network(model.input, model.output, name=model.name)
        result.origin = Call(make, dict(bound.arguments))
        result.made_under = keras.config.dtype_policy().name
        return result

    make.makes_network = True
    return make


class Factory:
    """Factory of networks that knows how to make its networks again.

    Args:
        make: Function that makes a network from keywords, such as `backward`.
    """

    def __init__(self, make: Callable[..., keras.Model]):
        self._make, self._calls = make, {}

    def __call__(self, **options: Any) -> keras.Model:
        """Make a network."""
        made = self._make(**options)
        self._calls[json.dumps(options)] = getattr(made, "origin", None)
        return made

    def get_config(self) -> dict[str, Any]:
        """Return the calls that made the networks so far.

        Raises:
            UserError: If a network cannot be saved.
        """
        if None in self._calls.values():
            name = getattr(inspect.unwrap(self._make), "__qualname__", "the factory")
            raise UserError(
                f"{name}: expected a network function with the decorator "
                "keras_gans.network, which saving needs to make the network again; "
                "save_weights works without"
            )
        return {options: call.get_config() for options, call in self._calls.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Factory:
        """Return a factory of the networks that `get_config` described."""
        calls = {options: Call.from_config(call) for options, call in config.items()}
        return cls(lambda **options: calls[json.dumps(options)]())


def renamed(model: keras.Model, name: str) -> keras.Model:
    """Return a model of the same layers under another name.

    Args:
        model: Functional model.
        name: Name of the result, as for `get_layer`.
    """
    if not isinstance(model, Network):
        return keras.Model(model.input, model.output, name=name)
    result = Network(model.input, model.output, name=name)
    result.origin, result.made_under = model.origin, model.made_under
    return result


def changes(model: keras.Model) -> dict[str, Any]:
    """Return changes that were made to a network after it was made.

    Args:
        model: Network.

    Returns:
        Numbers of its frozen layers; whether batch normalization uses all devices;
        whether it is rematerialized.
    """
    layers = keras_private.flatten_layers(model)
    return {
        "frozen": [i for i, layer in enumerate(layers) if not layer.trainable],
        "synchronized": any(getattr(x, "synchronized", False) for x in layers),
        "remat": keras_private.has_other_forward(model),
    }


def change(model: keras.Model, config: dict[str, Any]) -> None:
    """Make the changes to a network that `changes` described."""
    layers = keras_private.flatten_layers(model)
    for i in config["frozen"]:
        layers[i].trainable = False
    if config["synchronized"]:
        for layer in layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    if config["remat"]:
        remat(model)


def path_of(value: Callable) -> str:
    """Return the import path of a function or class, as "module:name".

    Raises:
        UserError: If it cannot be imported by this path.
    """
    path = f"{value.__module__}:{value.__qualname__}"
    module = sys.modules.get(value.__module__)
    if getattr(module, value.__qualname__, None) is not value:
        raise UserError(
            f"{path}: expected a name at the top level of a module, which saving needs "
            "to find it again; save_weights works without"
        )
    return path


def find(path: str) -> Any:
    """Return the function or class of an import path.

    Only modules of this package are imported. Other modules must be imported already,
    since a file from elsewhere must not choose the code to run.

    Args:
        path: Path of the form "module:name".

    Raises:
        UserError: If the module is not imported, or has no such name.
    """
    module, _, name = path.partition(":")
    if module.partition(".")[0] == "keras_gans":
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            raise UserError(f"{path}: this version has no such module") from None
    elif module not in sys.modules:
        raise UserError(f"{path}: import {module} before you load the model")
    found = getattr(sys.modules[module], name, None)
    if found is None:
        raise UserError(f"{path}: the module has no such name")
    return found

"""Private names of Keras and TensorFlow, each with the reason for its use.

No other file of the package uses such a name. `tests/engine/test_keras_private.py`
checks this rule, and fails with a clear message if a name no longer exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def is_compiling() -> bool:
    """Return whether TensorFlow traces a function that XLA will compile.

    TensorFlow has no public name for this. A flag of our own would miss functions
    that a user compiles with `tf.function(..., jit_compile=True)`.
    """
    from tensorflow.python.framework import ops
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(ops.get_default_graph())


class NoSymbolicBuild:
    """Mixin of a TensorFlow model that is built before `fit`.

    Keras's `fit` would trace the model again on symbolic inputs, whose batch size is
    the sum over the hosts. No public option turns this off.
    """

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing; the model is already built."""


class StateInVariables:
    """Mixin of a JAX model whose variables hold their values between two steps.

    Keras's `fit` would move the values out of the variables for a whole epoch.
    Callbacks could not read the variables then, and the engine's steps assign the
    variables themselves. The pair (state, iterator) of `make_train_function` depends on
    this name.
    """

    def _get_jax_state(self, optimizer_variables: bool = False, **kinds: bool) -> tuple:
        """Return an empty state in training, and Keras's own state elsewhere."""
        if optimizer_variables:
            return (), (), (), ()
        return super()._get_jax_state(**kinds)


def sum_no_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Keep an optimizer from summing gradients over TensorFlow's replicas.

    The engine sums the gradients first. Keras would sum them only after clipping and
    after the check for overflows. No public option turns this sum off.

    Args:
        optimizer: Optimizer, which loss scaling may wrap; changed in place.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = list


def flatten_layers(network: keras.Layer) -> list[keras.Layer]:
    """Return a network and all layers in it, at any depth.

    The public `Model.layers` lists direct members only. A layer that consists of other
    layers has no public list of them.
    """
    return network._flatten_layers()


def calls_in_order(network: keras.Model) -> list[Any]:
    """Return the nodes of a functional model, each after the nodes that it depends on.

    A node is one call of an operation. Keras has no public list of the calls.
    """
    by_depth = network._nodes_by_depth
    return [
        node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]
    ]


def replace_forward(network: keras.Model, forward: Callable) -> None:
    """Replace the function that runs the calls of a functional model.

    A subclass would need no private name. But the functions that make networks return a
    plain `keras.Model`, which may contain others.

    Args:
        network: Functional model.
        forward: Function of (inputs, operation_fn) that returns the outputs, in the
            structure of `network.output`. `operation_fn` adds the call's context, as
            `training`, to an operation.
    """
    network._run_through_graph = forward


def has_other_forward(network: keras.Model) -> bool:
    """Return whether `replace_forward` has changed a network."""
    return "_run_through_graph" in vars(network)


def function_graph(graph: Any, name: str) -> Any:
    """Return the body of a function that a TensorFlow graph calls.

    The public graph definition names the function, but lacks the shapes in its body.

    Args:
        graph: Graph that contains the call.
        name: Name of the function.
    """
    return graph._get_function(name).graph


def share_dense_scales(converter: Any) -> None:
    """Make LiteRT's converter quantize a dense layer with one scale for all outputs.

    A first layer has few inputs and thousands of outputs. One scale for each output
    would take more space than its weights. The converter has no public option for this.

    Args:
        converter: `tf.lite.TFLiteConverter`.
    """
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True

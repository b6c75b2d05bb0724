"""Gradient checkpointing (rematerialization): less memory for more computation.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost" (arXiv
1604.06174), section 4.1: a chain of n layers is cut into about sqrt(n) segments.
Tensors that pass from one segment to the next are kept. All other tensors are computed
again for the segment's gradient, which costs one more forward pass in total.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, tree

from keras_gans import engine
from keras_gans.engine import keras_private

Tensor = Any


def remat(network: keras.Model) -> None:
    """Make a network keep only the tensors that pass from segment to segment.

    Layers that draw random numbers or have non-trainable weights (dropout, batch and
    spectral normalization) would give another result when run again. These layers run
    once, and the tensors that they need are kept.

    Args:
        network: Functional model, changed in place; networks inside it have segments of
            their own.
    """
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            remat(layer)
    segments = _segments(network)

    def run(inputs: Any, operation_fn: Callable = lambda op: op) -> Any:
        tensors = dict(zip(map(id, network.inputs), tree.flatten(inputs), strict=True))
        for segment in segments:
            segment(tensors, operation_fn)
        outputs = [tensors[id(x)] for x in network.outputs]
        return tree.pack_sequence_as(network.output, outputs)

    keras_private.replace_forward(network, run)


class _Segment:
    """Consecutive operations of a network.

    Args:
        nodes: Calls of the operations, in order.
        again: Whether to compute the operations again in the backward pass.
        needed: Tensors that the rest of the network needs afterwards, by `id`.

    Attributes:
        takes: Tensors that the segment takes as inputs, by `id`.
    """

    def __init__(self, nodes: list, again: bool, needed: set[int]):
        self._nodes, self._again = nodes, again
        # Dictionaries, since sets would lose the order.
        made = dict.fromkeys(id(x) for node in nodes for x in node.outputs)
        read = dict.fromkeys(id(x) for node in nodes for x in node.input_tensors)
        self.takes = [x for x in read if x not in made]
        self._gives = [x for x in made if x in needed]
        own = (node.operation for node in nodes)
        weights = (op.trainable_variables for op in own if isinstance(op, layers.Layer))
        self._variables = list({id(v): v for v in itertools.chain(*weights)}.values())

    def __call__(self, tensors: dict[int, Tensor], operation_fn: Callable) -> None:
        """Run the operations and add their results to `tensors`.

        Args:
            tensors: Values of the network's tensors, by `id`; changed in place.
            operation_fn: Function that adds the call's context to an operation.
        """

        def part(*values: Tensor) -> list[Tensor]:
            found = dict(zip(self.takes, values, strict=True))
            for node in self._nodes:
                args, kwargs = node.arguments.fill_in(found)
                outputs = operation_fn(node.operation)(*args, **kwargs)
                found.update(
                    zip(map(id, node.outputs), tree.flatten(outputs), strict=True)
                )
            return [found[x] for x in self._gives]

        values = [tensors[x] for x in self.takes]
        symbolic = any(isinstance(x, keras.KerasTensor) for x in values)
        if self._again and not symbolic:
            outputs = engine.rematerialize(part, values, self._variables)
        else:
            outputs = part(*values)
        tensors.update(zip(self._gives, outputs, strict=True))


def _segments(network: keras.Model) -> list[_Segment]:
    nodes = keras_private.calls_in_order(network)
    nodes = [node for node in nodes if node.operation and not node.is_input]
    size = math.ceil(math.sqrt(len(nodes)))
    groups = []
    for again, some in itertools.groupby(nodes, _does_the_same_again):
        some = list(some)
        groups += [(some[i : i + size], again) for i in range(0, len(some), size)]
    found, needed = [], {id(x) for x in network.outputs}
    for group, again in reversed(groups):
        found.append(_Segment(group, again, needed))
        needed |= set(found[-1].takes)
    return found[::-1]


def _does_the_same_again(node: Any) -> bool:
    op = node.operation
    if isinstance(op, keras.Model):  # has segments of its own
        return False
    return not (isinstance(op, layers.Layer) and op.non_trainable_variables)

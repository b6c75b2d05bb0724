"""Choice between equivalent computations, by device and by compilation.

| choice | computation that it replaces | condition |
|---|---|---|
| `fold_strides` | convolution with stride 2 over images | CPU; TensorFlow: uncompiled |
| `split_groups` | grouped convolution | CPU, compiled by XLA |
| `sum_shifts` | depthwise convolution | CPU, compiled by XLA |
| `repeat_pixels` | nearest-neighbor resizing | TensorFlow, compiled by XLA |

The first three are faster under their conditions. The last one is required: XLA lacks
the gradient of TensorFlow's nearest-neighbor resizing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Kernels:
    """Choices for the operations that can be computed in two ways.

    Attributes:
        fold_strides: Whether to fold 2x2 pixels into channels and convolve them with
            stride 1, instead of a convolution with stride 2 (or its transpose) over
            images.
        split_groups: Whether to convolve each group of channels in its own operation,
            instead of one grouped convolution.
        sum_shifts: Whether to add up shifted maps, instead of a depthwise convolution.
        repeat_pixels: Whether to repeat rows and columns, instead of nearest-neighbor
            resizing.
    """

    fold_strides: bool
    split_groups: bool
    sum_shifts: bool
    repeat_pixels: bool


_forced: dict[str, bool] = {}


def choose(backend: str, device: str, compiled: bool) -> Kernels:
    """Choose the computations of a step.

    Args:
        backend: Keras's backend, "tensorflow" or "jax".
        device: Kind of the device: "cpu", "gpu" or "tpu".
        compiled: Whether XLA compiles the step.

    Returns:
        Choices for the step; those set by `force` take precedence.
    """
    cpu = device == "cpu"
    chosen = Kernels(
        # XLA lacks the second derivative of the fold's slice in TensorFlow.
        fold_strides=cpu and not (backend == "tensorflow" and compiled),
        split_groups=cpu and compiled,
        sum_shifts=cpu and compiled,
        repeat_pixels=compiled and backend == "tensorflow",
    )
    return dataclasses.replace(chosen, **_forced)


@contextlib.contextmanager
def force(**choices: bool) -> Iterator[None]:
    """Override choices for all steps that are traced inside, on any device.

    Args:
        **choices: Values of attributes of `Kernels`, by name.
    """
    before = dict(_forced)
    _forced.update(choices)
    try:
        yield
    finally:
        _forced.clear()
        _forced.update(before)

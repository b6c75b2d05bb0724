"""Choice between equal computations, by device and by compilation.

| choice | what it replaces | where it is chosen |
|---|---|---|
| `fold_strides` | a convolution of stride 2 over images | CPU; TensorFlow: uncompiled |
| `split_groups` | a grouped convolution | CPU, compiled by XLA |
| `sum_shifts` | a depthwise convolution | CPU, compiled by XLA |
| `repeat_pixels` | nearest-neighbor resizing | TensorFlow, compiled by XLA |

The first three are faster there. The last one is needed: XLA lacks the gradient of
TensorFlow's nearest-neighbor resizing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Kernels:
    """One choice for each operation that can be computed in two ways.

    Attributes:
        fold_strides: Fold 2x2 pixels into channels and convolve them with stride 1,
            in place of a convolution of stride 2 (or its transpose) over images.
        split_groups: Convolve each group of channels in an operation of its own, in
            place of one grouped convolution.
        sum_shifts: Add up shifted maps, in place of a depthwise convolution.
        repeat_pixels: Repeat rows and columns, in place of nearest-neighbor resizing.
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
        The choices, after those that `force` sets.
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
    """Set choices for all steps that are traced inside, whatever the device.

    Args:
        **choices: Attributes of `Kernels`.
    """
    before = dict(_forced)
    _forced.update(choices)
    try:
        yield
    finally:
        _forced.clear()
        _forced.update(before)

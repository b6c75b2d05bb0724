"""Error messages for device faults, and for steps that XLA cannot compile."""

from __future__ import annotations

import re
from typing import Literal

from keras_gans.errors import message_lines

MEMORY = re.compile(r"RESOURCE_EXHAUSTED|OOM when allocating|Out of memory")
CUDNN = re.compile(r"DNN library|CUDNN_STATUS|cudnn", re.IGNORECASE)
# Patterns whose group is the operation that XLA cannot compile.
OPERATIONS = (
    re.compile(r"unsupported operations.*? on \S+?: (\w+)", re.DOTALL),
    re.compile(r"with op (\w+) must be a compile-time constant"),
    re.compile(r"Detected at node \S*?([^/\s]+) defined at"),
    re.compile(r"\{\{node (?:\S*/)?([^/}\s]+)\}\}"),
)


def find(error: BaseException) -> tuple[Literal["memory", "cudnn"], str] | None:
    """Find out whether a step failed because the device lacks memory or cuDNN.

    Args:
        error: Error of the backend; the errors in its `__context__` are searched as
            well.

    Returns:
        Missing resource, "memory" or "cudnn", and the line of the message that shows
        it; None for any other error.
    """
    if not isinstance(error, RuntimeError) and not hasattr(error, "error_code"):
        return None  # not an error of TensorFlow or JAX
    for line in message_lines(error):
        if MEMORY.search(line):
            return "memory", line
        if CUDNN.search(line):
            return "cudnn", line
    return find(error.__context__) if error.__context__ else None


def describe(error: BaseException, images: int, parts: int) -> str | None:
    """Describe a device fault in one line.

    Args:
        error: Error that the backend raised.
        images: Number of images in a batch.
        parts: Value of the recipe's `train.accumulate`.

    Returns:
        One line with the missing resource and a remedy; None for any other error.
    """
    fault, line = find(error) or (None, "")
    if fault == "memory":
        smaller = f"--set=data.batch_size={images // 2}, or " if images > 1 else ""
        return (
            f"the device's memory is too small for batches of {images} images; "
            f"try {smaller}--set=train.accumulate={2 * parts}, which computes the same "
            f"batch in {2 * parts} parts (with a new --workdir, or --overwrite)"
        )
    if fault == "cudnn":
        return (
            f"the GPU's convolutions need cuDNN, which cannot be used here ({line}); "
            "run pip install -U -e .[gpu] (.[jax-gpu] for JAX), or train on the CPU "
            "with CUDA_VISIBLE_DEVICES=-1"
        )
    return None


def describe_compilation(text: str) -> str:
    """Name the operation that XLA cannot compile, and the setting that avoids it.

    Args:
        text: Message of XLA's error.
    """
    matches = (pattern.search(text) for pattern in OPERATIONS)
    operation = next((match[1] for match in matches if match), "")
    if not operation:
        operation = text.strip().partition("\n")[0][:80]
    return (
        f"XLA cannot compile the training step ({operation}); it runs without XLA; "
        "set train.jit_compile=no to skip the attempt"
    )

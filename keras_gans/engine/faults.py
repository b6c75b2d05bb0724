"""Messages for the user where a device, or XLA, fails."""

from __future__ import annotations

import re
from typing import Literal

from keras_gans.errors import message_lines

MEMORY = re.compile(r"RESOURCE_EXHAUSTED|OOM when allocating|Out of memory")
CUDNN = re.compile(r"DNN library|CUDNN_STATUS|cudnn", re.IGNORECASE)
# Where XLA names the operation that it cannot compile.
OPERATIONS = (
    re.compile(r"unsupported operations.*? on \S+?: (\w+)", re.DOTALL),
    re.compile(r"with op (\w+) must be a compile-time constant"),
    re.compile(r"Detected at node \S*?([^/\s]+) defined at"),
    re.compile(r"\{\{node (?:\S*/)?([^/}\s]+)\}\}"),
)


def find(error: BaseException) -> tuple[Literal["memory", "cudnn"], str] | None:
    """Find out whether a step failed for what the device lacks.

    Args:
        error: Error of the backend; those that it was raised in the place of count.

    Returns:
        What the device lacks, and the line of the message that says so; None for any
        other error.
    """
    if not isinstance(error, RuntimeError) and not hasattr(error, "error_code"):
        return None  # both backends' own errors have one of the two
    for line in message_lines(error):
        if MEMORY.search(line):
            return "memory", line
        if CUDNN.search(line):
            return "cudnn", line
    return find(error.__context__) if error.__context__ else None


def describe(error: BaseException, images: int, parts: int) -> str | None:
    """Describe a fault of the device in one line.

    Args:
        error: What the backend raised.
        images: Images in a batch.
        parts: The recipe's `train.accumulate`.

    Returns:
        The line: what is missing and what to do; None for any other error.
    """
    fault, line = find(error) or (None, "")
    if fault == "memory":
        smaller = f"--set=data.batch_size={images // 2}, or " if images > 1 else ""
        return (
            f"the device's memory is too small for batches of {images} images; "
            f"try {smaller}--set=train.accumulate={2 * parts}, which computes the same "
            f"batch in {2 * parts} parts (another --workdir, or --overwrite)"
        )
    if fault == "cudnn":
        return (
            f"the GPU's convolutions need cuDNN, which cannot be used here ({line}); "
            "pip install -U -e .[gpu] (under JAX .[jax-gpu]), or train on the CPU with "
            "CUDA_VISIBLE_DEVICES=-1"
        )
    return None


def describe_compilation(text: str) -> str:
    """Say which operation XLA cannot compile, and which setting avoids the attempt.

    Args:
        text: XLA's message.
    """
    matches = (pattern.search(text) for pattern in OPERATIONS)
    operation = next((match[1] for match in matches if match), "")
    if not operation:
        operation = text.strip().partition("\n")[0][:80]
    return (
        f"XLA cannot compile the training step ({operation}); it runs without XLA; "
        "set train.jit_compile=no to skip the attempt"
    )

"""What a device, or XLA, says when a step fails; in words for the user."""

from __future__ import annotations

import re
from typing import Literal

MEMORY = re.compile(r"RESOURCE_EXHAUSTED|ResourceExhausted|OOM when|[Oo]ut of memory")
CUDNN = re.compile(r"DNN library|cudnn|CUDNN_STATUS", re.IGNORECASE)
# Where XLA names the operation that it cannot compile.
OPERATIONS = (
    re.compile(r"unsupported operations.*? on \S+?: (\w+)", re.DOTALL),
    re.compile(r"with op (\w+) must be a compile-time constant"),
    re.compile(r"Detected at node \S*?([^/\s]+) defined at"),
    re.compile(r"\{\{node (?:\S*/)?([^/}\s]+)\}\}"),
)


def find(error: BaseException) -> Literal["memory", "cudnn"] | None:
    """Return what the device lacks, if that is why a step failed."""
    text = f"{type(error).__name__}: {error}"
    if MEMORY.search(text):
        return "memory"
    return "cudnn" if CUDNN.search(text) else None


def describe(error: BaseException, images: int, parts: int) -> str | None:
    """Describe a fault of the device in one line.

    Args:
        error: What the backend raised.
        images: Images in a batch.
        parts: The recipe's `train.accumulate`.

    Returns:
        The line: what is missing and what to do; None for any other error.
    """
    fault = find(error)
    if fault == "memory":
        smaller = f"--set=data.batch_size={images // 2}, or " if images > 1 else ""
        return (
            f"the device's memory is too small for a training step of {images} images; "
            f"try {smaller}--set=train.accumulate={2 * parts}, which computes the same "
            f"batch in {2 * parts} parts (another --workdir, or --overwrite)"
        )
    if fault == "cudnn":
        first = str(error).strip().splitlines()[0]
        return (
            f"the GPU's convolutions need cuDNN, which cannot be used here ({first}); "
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
        f"XLA cannot compile the training step ({operation}); it runs without XLA. "
        "--set=train.jit_compile=no (jit_compile=False of compile) does not try"
    )

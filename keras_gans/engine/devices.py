"""The hardware of a run: what it is, in words, and whether another run had the same."""

from __future__ import annotations

import dataclasses
import os

from keras_gans.engine import backend

NVIDIA_DEVICES = "/dev/nvidiactl", "/dev/dxg"  # Linux; Windows's, within WSL
NOT_COMPILED = {
    "no": "train.jit_compile=no",
    "several": "XLA compiles for one device alone",
    "mirrored": "XLA compiles for no distribution strategy",
    "cpu": "train.jit_compile=auto compiles on a GPU alone",
    "unsupported": "Keras supports no XLA here",
}


@dataclasses.dataclass(frozen=True)
class Hardware:
    """What computes the steps of a run.

    Attributes:
        backend: "TensorFlow" or "JAX".
        kind: "cpu", "gpu" or "tpu".
        name: The device's name, as "NVIDIA H200".
        count: Number of devices.
        compiled: Whether XLA compiles the steps.
    """

    backend: str
    kind: str
    name: str
    count: int
    compiled: bool

    def __str__(self) -> str:
        """As "1 GPU (NVIDIA H200), TensorFlow, compiled by XLA"."""
        plural = "s" if self.count > 1 else ""
        how = ", compiled by XLA" if self.compiled else ""
        device = f"{self.count} {self.kind.upper()}{plural} ({self.name})"
        return f"{device}, {self.backend}{how}"

    def rounds_like(self, other: Hardware) -> bool:
        """Return whether steps on both are expected to be equal, bit for bit."""
        if self.kind == "cpu":  # its name is a number of cores
            other = dataclasses.replace(other, name=self.name)
        return self == other


def parse(fields: dict | None) -> Hardware | None:
    """Make the hardware of these fields; return None if its fields are others."""
    try:
        return Hardware(**fields)
    except TypeError:
        return None


def find(count: int, compiled: bool) -> Hardware:
    """Find the hardware of this process.

    Args:
        count: Number of devices that share a step.
        compiled: Whether XLA compiles it.
    """
    kind = backend.device_kind()
    name = f"{os.cpu_count()} cores" if kind == "cpu" else backend.device_name()
    return Hardware(backend.NAME, kind, name, count, compiled)


def describe(
    hardware: Hardware, precision: str, jit_compile: str, mirrored: bool = False
) -> str:
    """Describe in one line what a run is computed on, and why not otherwise.

    Args:
        hardware: Hardware of the run.
        precision: As `train.precision`.
        jit_compile: As `train.jit_compile`.
        mirrored: Whether a strategy distributes the run, over one device even.
    """
    line = f"devices: {hardware}, {precision}"
    if not hardware.compiled:
        reason = "unsupported"
        if jit_compile == "no":
            reason = "no"
        elif hardware.count > 1:
            reason = "several"
        elif hardware.kind == "cpu":
            reason = "cpu"
        elif mirrored:
            reason = "mirrored"
        line += f", not compiled ({NOT_COMPILED[reason]})"
    hint = _unused_gpu(hardware)
    return f"{line}; {hint}" if hint else line


def _unused_gpu(hardware: Hardware) -> str:
    if hardware.kind != "cpu" or not any(map(os.path.exists, NVIDIA_DEVICES)):
        return ""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return "a GPU is there, hidden by CUDA_VISIBLE_DEVICES"
    if hardware.backend == "JAX" and os.environ.get("JAX_PLATFORMS") == "cpu":
        return "a GPU is there, hidden by JAX_PLATFORMS"
    extra = "jax-gpu" if hardware.backend == "JAX" else "gpu"
    return (
        f"a GPU is there, {hardware.backend} finds no CUDA libraries: "
        f"pip install -e .[{extra}]"
    )

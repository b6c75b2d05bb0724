"""Hardware of a run: its description, and its comparison with that of another run."""

from __future__ import annotations

import dataclasses
import os

from keras_gans.engine import backend

NVIDIA_DEVICES = "/dev/nvidiactl", "/dev/dxg"  # on Linux; in WSL on Windows
NOT_COMPILED = {
    "no": "train.jit_compile=no",
    "several": "XLA compiles for a single device only",
    "mirrored": "XLA is not used under a distribution strategy",
    "cpu": "train.jit_compile=auto compiles on a GPU only",
    "unsupported": "Keras does not support XLA here",
}


@dataclasses.dataclass(frozen=True)
class Hardware:
    """Hardware that computes the steps of a run.

    Attributes:
        backend: Keras's backend, "TensorFlow" or "JAX".
        kind: Kind of the device: "cpu", "gpu" or "tpu".
        name: Name of the device, as "NVIDIA H200"; for a CPU, as "8 cores".
        count: Number of devices.
        compiled: Whether XLA compiles the steps.
    """

    backend: str
    kind: str
    name: str
    count: int
    compiled: bool

    def __str__(self) -> str:
        """Describe it, as "1 GPU (NVIDIA H200), TensorFlow, compiled by XLA"."""
        plural = "s" if self.count > 1 else ""
        how = ", compiled by XLA" if self.compiled else ""
        device = f"{self.count} {self.kind.upper()}{plural} ({self.name})"
        return f"{device}, {self.backend}{how}"

    def rounds_like(self, other: Hardware) -> bool:
        """Return whether both are expected to compute the same steps, bit for bit.

        Args:
            other: Hardware of another run.
        """
        if self.kind == "cpu":  # a CPU's name is its number of cores
            other = dataclasses.replace(other, name=self.name)
        return self == other


def parse(fields: dict | None) -> Hardware | None:
    """Make a `Hardware` from saved fields.

    Args:
        fields: Values of its attributes, by name; None if nothing was saved.

    Returns:
        The hardware; None if the names differ from its attributes.
    """
    try:
        return Hardware(**fields)
    except TypeError:
        return None


def find(count: int, compiled: bool) -> Hardware:
    """Find the hardware of this process.

    Args:
        count: Number of devices that share a step.
        compiled: Whether XLA compiles the step.
    """
    kind = backend.device_kind()
    name = f"{os.cpu_count()} cores" if kind == "cpu" else backend.device_name()
    return Hardware(backend.NAME, kind, name, count, compiled)


def describe(
    hardware: Hardware, precision: str, jit_compile: str, mirrored: bool = False
) -> str:
    """Describe in one line the devices of a run, and why XLA or a GPU is not used.

    Args:
        hardware: Hardware of the run.
        precision: Value of `train.precision`.
        jit_compile: Value of `train.jit_compile`.
        mirrored: Whether a distribution strategy is in effect, even on one device.
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
        return "a GPU is present, but hidden by CUDA_VISIBLE_DEVICES"
    if hardware.backend == "JAX" and os.environ.get("JAX_PLATFORMS") == "cpu":
        return "a GPU is present, but hidden by JAX_PLATFORMS"
    extra = "jax-gpu" if hardware.backend == "JAX" else "gpu"
    return (
        f"a GPU is present, but {hardware.backend} finds no CUDA libraries: "
        f"pip install -e .[{extra}]"
    )

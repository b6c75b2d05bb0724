"""Event files of a run for TensorBoard, with its numbers and images."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any


class Events:
    """Writer of one event file, the same under every Keras backend.

    A background thread writes the file. Each writer adds a new file to the folder: a
    resumed run does not change the earlier files.

    Args:
        folder: Folder of the file; created if it is missing.
    """

    def __init__(self, folder: str):
        with _without_torch():
            from tensorboardX import FileWriter
            from tensorboardX.proto.summary_pb2 import Summary

        self._summary = Summary
        # The default names hold whole seconds; two writers might share a file.
        self._writer = FileWriter(folder, filename_suffix=f".{time.time_ns()}")

    def numbers(self, values: dict[str, float], step: int) -> None:
        """Write the numbers of a step.

        Args:
            values: Numbers by name.
            step: Training step.
        """
        value = self._summary.Value
        self._write([value(tag=k, simple_value=v) for k, v in values.items()], step)

    def image(self, name: str, encoded: bytes, shape: tuple, step: int) -> None:
        """Write an image.

        Args:
            name: Name of the series of images.
            encoded: Content of the image's PNG file.
            shape: (height, width, channels).
            step: Training step.
        """
        image = self._summary.Image(
            height=shape[0],
            width=shape[1],
            colorspace=shape[2],
            encoded_image_string=encoded,
        )
        self._write([self._summary.Value(tag=name, image=image)], step)

    def close(self) -> None:
        """Write what is still queued, and close the file."""
        self._writer.close()

    def _write(self, values: list[Any], step: int) -> None:
        self._writer.add_summary(self._summary(value=values), step)


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """Hide PyTorch from imports.

    tensorboardX imports an installed PyTorch for functions that are not used here. The
    import takes seconds, and loads a second cuDNN, which the backend may then use in
    place of its own.
    """
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None
    try:
        yield
    finally:
        del sys.modules["torch"]

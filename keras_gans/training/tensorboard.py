"""Event files of a run for TensorBoard, with its numbers and images."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any


class Events:
    """Writer of one event file, the same under every Keras backend.

    Each writer adds a new file to the folder: a
    resumed run does not change the earlier files.

    Args:
        folder: Folder of the file; created if it is missing.
    """

    EVERY = 60.0  # seconds between two waits for the disk

    def __init__(self, folder: str):
        with _without_torch():
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event
            from tensorboardX.proto.summary_pb2 import Summary

        self._event, self._summary = Event, Summary
        os.makedirs(folder, exist_ok=True)
        # The default names hold whole seconds; two writers might share a file.
        # `FileWriter` writes in a thread, which a full disk would end: training waits.
        # A relative path "s3:..." would be one of a server.
        prefix = os.path.abspath(os.path.join(folder, "events"))
        self._writer = EventsWriter(prefix, f".{time.time_ns()}")
        self._due = 0.0

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
        """Close the file."""
        with contextlib.suppress(OSError):  # a full disk, which has stopped the run
            self._writer.close()

    def _write(self, values: list[Any], step: int) -> None:
        event = self._event(
            wall_time=time.time(), step=step, summary=self._summary(value=values)
        )
        self._writer.write_event(event)
        if time.monotonic() >= self._due:
            self._writer.flush()
            self._due = time.monotonic() + self.EVERY


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

"""What TensorBoard shows of a run: event files with numbers and pictures."""

from __future__ import annotations

import importlib.util
from typing import Any

import keras


class Events:
    """Writes a folder's event file, as far as something here can.

    TensorFlow writes it; under another backend, which TensorFlow would have to share
    its device with, tensorboardX does where it is installed, or nothing.

    Args:
        folder: Where to; made if it is missing.
    """

    def __init__(self, folder: str):
        """Opens the file."""
        self._writer = self._proto = None
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # Raw summaries need no tensorboard package, which TensorFlow lacks.
            self._writer = tf.summary.create_file_writer(folder)
            self._proto = tf.compat.v1.Summary
            self._add = self._add_raw
        elif importlib.util.find_spec("tensorboardX"):
            from tensorboardX import FileWriter
            from tensorboardX.proto.summary_pb2 import Summary

            self._writer, self._proto = FileWriter(folder), Summary
            self._add = self._writer.add_summary

    def numbers(self, values: dict[str, float], step: int) -> None:
        """Writes a step's numbers."""
        if self._proto:
            value = self._proto.Value
            self._write([value(tag=k, simple_value=v) for k, v in values.items()], step)

    def picture(self, name: str, encoded: bytes, shape: tuple, step: int) -> None:
        """Writes an encoded PNG of [height, width, channels]."""
        if self._proto:
            image = self._proto.Image(
                height=shape[0],
                width=shape[1],
                colorspace=shape[2],
                encoded_image_string=encoded,
            )
            self._write([self._proto.Value(tag=name, image=image)], step)

    def close(self) -> None:
        """Writes what is left."""
        if self._writer:
            self._writer.close()

    def _write(self, values: list[Any], step: int) -> None:
        self._add(self._proto(value=values), step)

    def _add_raw(self, summary: Any, step: int) -> None:
        import tensorflow as tf

        with self._writer.as_default():
            raw = summary.SerializeToString()
            tf.summary.experimental.write_raw_pb(raw, step=step)

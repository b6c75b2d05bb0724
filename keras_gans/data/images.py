"""Images as arrays, with NumPy and Pillow only: value ranges, sizes, files.

The functions that convert a generator's floats to images are those of
`keras_gans.device.sampler`, a module that must run alone on a device.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from keras_gans.device.sampler import (
    MOST_PIXELS,
    decode,
    decode_bytes,
    encode,
    grid,
    open_header,
    save,
    to_float,
    to_uint8,
    too_many,
)

__all__ = [
    "MOST_BYTES",
    "beside",
    "encode",
    "fit",
    "grid",
    "load",
    "read",
    "save",
    "to_float",
    "to_uint8",
]

MOST_BYTES = 2**29  # memory of all images that threads decode at a time


class _Room:
    """Memory that threads share: a thread waits until its part is free.

    Args:
        size: Number of bytes in total.
    """

    def __init__(self, size: int):
        self._free, self._changed = size, threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Hold a part, at most the total, inside the `with` block."""
        with self._changed:
            self._changed.wait_for(lambda: size <= self._free)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


_ROOM = _Room(MOST_BYTES)


def load(path: str, channels: int, enough: int | None) -> Image.Image:
    """Decode an image file within the memory that all threads share.

    Args:
        path: Path of the image file.
        channels: Number of channels: 1 for grayscale, 3 for RGB.
        enough: Side in pixels that is large enough, see `sampler.decode`.

    Returns:
        Image of mode "L" or "RGB".

    Raises:
        OSError: If the file is damaged, too large or not an image.
    """
    with open_header(path) as image:
        size = decode_bytes(image, enough)
        if not enough and image.width * image.height > MOST_PIXELS:
            raise OSError(too_many(image))
        if size > MOST_BYTES:
            raise OSError(
                f"{image.width}x{image.height} pixels of mode {image.mode} need "
                f"{size >> 20} MiB, more than the limit of {MOST_BYTES >> 20} MiB"
            )
        with _ROOM.taken(size):
            return decode(image, channels, enough)


def read(
    path: str,
    image_size: int,
    channels: int,
    part: tuple[float, float, float, float] = (0, 0, 1, 1),
    nearest: bool = False,
) -> np.ndarray:
    """Read an image file, upright, and fit it to a size.

    Args:
        path: Path of the image file.
        image_size: Side of the result in pixels; see `fit`.
        channels: Number of channels: 1 for grayscale, 3 for RGB. Transparent images are
            composited onto white.
        part: Part of the image to read: left, upper, right and lower edge, as fractions
            of the sides.
        nearest: Whether to resize by nearest neighbor, so that colors do not mix.

    Returns:
        uint8 [image_size, image_size, channels].

    Raises:
        OSError: If the file is damaged, too large or not an image.
    """
    # JPEG files may decode at a lower resolution. At twice the size or more, a half of
    # the image is not enlarged.
    image = load(path, channels, None if nearest else 2 * image_size)
    if part != (0, 0, 1, 1):
        sides = (*image.size, *image.size)
        image = image.crop([round(a * b) for a, b in zip(part, sides, strict=True)])
    return _fit(image, image_size, nearest)


def beside(pictures: np.ndarray, height: int) -> np.ndarray:
    """Enlarge images to the height of others beside them by repeating pixels.

    Args:
        pictures: Images, uint8 [num, rows, columns, 1 or 3].
        height: Height of the result in pixels, a multiple of the rows.

    Returns:
        RGB images, uint8 [num, height, ..., 3]; each pixel becomes a square.
    """
    times = height // pictures.shape[1]
    pictures = pictures.repeat(times, axis=1).repeat(times, axis=2)
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))


def fit(image: np.ndarray, image_size: int, channels: int) -> np.ndarray:
    """Resize an image on its shorter side and crop it at the center.

    Args:
        image: Image, uint8 [height, width, 1 or 3].
        image_size: Side of the result in pixels.
        channels: Number of channels: 1 for grayscale, 3 for RGB.

    Returns:
        uint8 [image_size, image_size, channels], resized with Pillow's antialiased
        Lanczos filter.
    """
    mode = "L" if channels == 1 else "RGB"
    pillow = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return _fit(pillow.convert(mode), image_size)


def _fit(image: Image.Image, image_size: int, nearest: bool = False) -> np.ndarray:
    size, way = (image_size, image_size), Image.Resampling
    if image.size != size:
        image = ImageOps.fit(image, size, way.NEAREST if nearest else way.LANCZOS)
    return np.asarray(image).reshape(*size, -1)

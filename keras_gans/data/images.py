"""Pictures as arrays, with NumPy and Pillow only: ranges, sizes, files.

What turns a generator's floats into pictures stands in `keras_gans.device.sampler`,
which must run alone on a device; it is the same functions here.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from keras_gans.device.sampler import (
    encode,
    grid,
    open_picture,
    save,
    to_float,
    to_uint8,
)

__all__ = [
    "beside",
    "encode",
    "fit",
    "grid",
    "read",
    "save",
    "to_float",
    "to_uint8",
]


def read(
    path: str,
    image_size: int,
    channels: int,
    part: tuple[float, float, float, float] = (0, 0, 1, 1),
    nearest: bool = False,
) -> np.ndarray:
    """Reads a picture file, upright, at the size asked for.

    Args:
        path: A PNG, JPEG or WebP file.
        image_size: Side in pixels, see `fit`.
        channels: 1 for grey, 3 for colour; transparency is laid on white.
        part: What of it: left, upper, right and lower end, as shares of the sides.
        nearest: Whether to resize by nearest neighbours, so that colours do not mix.

    Returns:
        uint8 [image_size, image_size, channels].

    Raises:
        OSError: if the file is not a picture, or truncated.
    """
    # Twice the size: what is cut out is still resized from more than it.
    image = open_picture(path, channels, None if nearest else 2 * image_size)
    sides = (*image.size, *image.size)
    image = image.crop([round(a * b) for a, b in zip(part, sides, strict=True)])
    return _fit(image, image_size, nearest)


def beside(pictures: np.ndarray, height: int) -> np.ndarray:
    """Brings pictures to where they can stand beside others, without a change.

    Args:
        pictures: uint8 [num, rows, columns, 1 or 3].
        height: Of the others, a multiple of the rows.

    Returns:
        uint8 [num, height, ..., 3]: each pixel a square, grey as colour.
    """
    times = height // pictures.shape[1]
    pictures = pictures.repeat(times, axis=1).repeat(times, axis=2)
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))


def fit(image: np.ndarray, image_size: int, channels: int) -> np.ndarray:
    """Brings a picture to a size: resized on its shorter side, cut at the centre.

    Args:
        image: uint8 [height, width, 1 or 3].
        image_size: Side of the result, in pixels.
        channels: 1 for grey, 3 for colour.

    Returns:
        uint8 [image_size, image_size, channels]; resized with Pillow's Lanczos filter,
        which is antialiased.
    """
    mode = "L" if channels == 1 else "RGB"
    pillow = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return _fit(pillow.convert(mode), image_size)


def _fit(image: Image.Image, image_size: int, nearest: bool = False) -> np.ndarray:
    size, way = (image_size, image_size), Image.Resampling
    if image.size != size:
        image = ImageOps.fit(image, size, way.NEAREST if nearest else way.LANCZOS)
    return np.asarray(image).reshape(*size, -1)

"""Pictures as arrays, with NumPy and Pillow only: ranges, sizes, files.

What turns a generator's floats into pictures stands in `keras_gans.export.sampler`,
which must run alone on a device; it is the same functions here.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from keras_gans.export.sampler import encode, grid, save, to_uint8

__all__ = ["encode", "fit", "grid", "halvings", "read", "save", "to_float", "to_uint8"]


def to_float(images: np.ndarray) -> np.ndarray:
    """Turns uint8 images in 0..255 into float32 in [-1, 1]; inverse of `to_uint8`."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def halvings(side: int) -> tuple[int, int]:
    """Halves a side while it is above 7 and even: (what is left, how often).

    Networks reach a side if 4 to 7 are left after at least one halving.
    """
    times = 0
    while side > 7 and side % 2 == 0:
        side, times = side // 2, times + 1
    return side, times


def read(
    path: str,
    image_size: int,
    channels: int,
    part: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> np.ndarray:
    """Reads a picture file, upright, at the size asked for.

    Args:
        path: A PNG, JPEG or WebP file.
        image_size: Side in pixels, see `fit`.
        channels: 1 for grey, 3 for colour; transparency is laid on white.
        part: What of it: left, upper, right and lower end, as shares of the sides.

    Returns:
        uint8 [image_size, image_size, channels].

    Raises:
        OSError: if the file is not a picture, or truncated.
    """
    try:
        with Image.open(path) as image:
            # Lets JPEG decode at a fraction of its size where that is enough.
            image.draft(None, (2 * image_size, 2 * image_size))
            image = ImageOps.exif_transpose(image)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            if image.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            image = image.convert("L" if channels == 1 else "RGB")
            sides = (*image.size, *image.size)
            ends = [round(a * b) for a, b in zip(part, sides, strict=True)]
            image = image.crop(ends)
    except Exception as error:  # Pillow says "corrupt" in many ways
        raise OSError(f"{type(error).__name__}: {error}") from None
    return _fit(image, image_size)


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


def _fit(image: Image.Image, image_size: int) -> np.ndarray:
    size = (image_size, image_size)
    if image.size != size:
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(*size, -1)

"""Images as a sheet that a notebook displays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError

LONGER = 512  # pixels that the longer side of a sheet should have at least
TITLE = 14  # pixels above a row for its titles


def show(
    images: Any,
    columns: int | None = None,
    titles: Sequence[object] | None = None,
    scale: int | None = None,
) -> Any:
    """Lay out images as one, which a notebook displays as the value of a cell.

    Args:
        images: Images [num, height, width, channels] or one image [height, width,
            channels], with 1 or 3 channels: uint8, or floats in [-1, 1] as a model's
            `predict` returns them.
        columns: Number of images in a row; about the square root of `num` if None.
        titles: Text above each image, such as its class.
        scale: Whole number by which images are enlarged, without smoothing. If None,
            small images are enlarged until the longer side has at least 512 pixels.

    Returns:
        `PIL.Image.Image`; its method `save("sheet.png")` writes a file.

    Raises:
        UserError: If the images have another shape or range, or the numbers of images
            and titles differ.
    """
    from PIL import ImageDraw

    pictures = _as_uint8(images)
    num, height, width, _ = pictures.shape
    if titles is not None and len(titles) != num:
        raise UserError(
            f"titles: expected one for each of {num} images, got {len(titles)}"
        )
    for name, value in (("columns", columns), ("scale", scale)):
        if value is not None and value < 1:
            raise UserError(f"{name}: expected 1 or more, got {value}")
    columns = columns or math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    if scale is None:
        scale = math.ceil(LONGER / max(columns * width, rows * height))
    pictures = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    if titles is not None:  # white above each image
        above = ((0, 0), (TITLE, 0), (0, 0), (0, 0))
        pictures = np.pad(pictures, above, constant_values=255)
    image = sampler_lib.pillow_image(sampler_lib.grid(pictures, columns))
    drawn = ImageDraw.Draw(image)
    across, down = scale * width + 2, scale * height + TITLE + 2
    for i, title in enumerate(titles or ()):
        text = str(title)
        while text and drawn.textlength(text) > across - 2:
            text = text[:-1]
        drawn.text((2 + i % columns * across, 2 + i // columns * down), text, 0)
    return image


def _as_uint8(images: Any) -> np.ndarray:
    """Return images as uint8 [num, height, width, 1 or 3]."""
    images = np.asarray(images)
    pictures = images[None] if images.ndim == 3 else images
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3) or not len(pictures):
        raise UserError(
            "images: expected the shape [num, height, width, 1 or 3], got "
            f"{list(images.shape)}"
        )
    if pictures.dtype == np.uint8:
        return pictures
    if pictures.dtype.kind != "f":
        raise UserError(f"images: expected uint8 or floats, got {pictures.dtype}")
    low, high = pictures.min(), pictures.max()
    if not -1.01 <= low <= high <= 1.01:  # fails for NaN, too
        raise UserError(
            f"images: expected values in [-1, 1], got {low:.3g} to {high:.3g}; convert "
            "images in [0, 255] to uint8"
        )
    return sampler_lib.to_uint8(pictures)

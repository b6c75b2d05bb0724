"""Condition images, from which a translation starts: stored with images or derived.

A batch for translation holds "images", the targets of the translation, and "condition",
the condition images. Both are float32 [batch, height, width, channels] in [-1, 1].
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.errors import UserError

# Threshold of an edge: change of an image in [-1, 1] over two pixels.
EDGE = 0.25
LUMINANCE = np.array([0.2989, 0.5870, 0.1140], np.float32)  # ITU-R BT.601
SHRINKS = {"small2": 2, "small4": 4}


def derived_shape(options: DataOptions, shape: tuple[int, int, int]) -> tuple:
    """Return the shape of the condition images that `derive` makes.

    Args:
        options: Options of the data set.
        shape: Shape (height, width, channels) of the images.

    Returns:
        Shape (height, width, channels) of the condition images.

    Raises:
        UserError: If the data set holds points, the images are grayscale already, or
            their height is not a multiple of the reduction.
    """
    height, width, channels = shape
    if height == 1:
        raise UserError(
            f"[data] dataset: '{options.derivation}:' expects images, but "
            f"'{options.pictures}' holds points"
        )
    if options.derivation == "grey" and channels == 1:
        raise UserError(
            f"[data] dataset: the images of {options.pictures} are grayscale already; "
            "'grey:' expects RGB images"
        )
    times = SHRINKS.get(options.derivation, 1)
    if height % times:
        raise UserError(
            f"[data] image_size: expected a multiple of {times}, the reduction of the "
            f"condition images, got {height}"
        )
    grey = options.derivation in ("grey", "outline")
    return height // times, width // times, 1 if grey else channels


def derive(pictures: np.ndarray, kind: str) -> np.ndarray:
    """Derive condition images from images.

    Args:
        pictures: Images, float32 [batch, height, width, channels] in [-1, 1].
        kind: Kind of derivation. "grey" converts to grayscale; "outline" draws edges
            of the brightness in black on white. "small2" and "small4" reduce the sides
            to a half and a quarter (bicubic, antialiased).

    Returns:
        Condition images, float32 in [-1, 1], rounded to the 256 levels of 8 bits. Their
        shape is that of `derived_shape`.
    """
    if kind in SHRINKS:
        height, width = (side // SHRINKS[kind] for side in pictures.shape[1:3])
        made = resize(pictures, height, width)
    else:
        made = pictures
        if pictures.shape[-1] == 3:
            made = (pictures @ LUMINANCE)[..., None]
        if kind == "outline":
            return np.where(_slope(made) > EDGE, -1.0, 1.0).astype(np.float32)
    levels = np.clip(np.round((made + 1.0) * 127.5), 0.0, 255.0)
    return (levels / 127.5 - 1.0).astype(np.float32)


def resize(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize images with an antialiased bicubic filter.

    Args:
        pictures: Images, float32 [batch, rows, columns, channels].
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        float32 [batch, height, width, channels]; values may exceed the range of the
        images.
    """

    def one(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

    planes = [[one(plane) for plane in np.moveaxis(p, -1, 0)] for p in pictures]
    return np.moveaxis(np.array(planes), 1, -1)


def _slope(grey: np.ndarray) -> np.ndarray:
    """Return the change of brightness over two pixels: the Sobel operator / 4."""
    x = np.pad(grey, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    down, right = x[:, 2:] - x[:, :-2], x[:, :, 2:] - x[:, :, :-2]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    right = right[:, :-2] + 2 * right[:, 1:-1] + right[:, 2:]
    return np.hypot(down, right) / 4.0


def stored_shape(info: DataInfo, options: DataOptions) -> tuple[int, int, int]:
    """Return the shape in which a source stores each example.

    Args:
        info: Description of the data set.
        options: Options of the data set.

    Returns:
        Shape (height, width, channels). Height and width include the margin of
        `random_crop`. The channels of the image are followed by those of the condition
        image, unless the condition image is derived.
    """
    height, width, channels = info.image_shape
    if info.condition_shape and not options.derivation:
        channels += info.condition_shape[-1]
    return options.stored_size(height), options.stored_size(width), channels


def centre(stored: np.ndarray, info: DataInfo, options: DataOptions) -> np.ndarray:
    """Crop stored examples at the center to the size of the images.

    Args:
        stored: Stored examples, [num, height, width, any], of `stored_shape`.
        info: Description of the data set.
        options: Options of the data set.

    Returns:
        Cropped examples, [num, *info.image_shape[:2], any].
    """
    start = options.random_crop // 2
    height, width = info.image_shape[:2]
    return stored[:, start : start + height, start : start + width]


def split(stored: np.ndarray, info: DataInfo, derivation: str) -> dict[str, np.ndarray]:
    """Split stored examples into images and condition images.

    Args:
        stored: Stored examples, float32 in [-1, 1]. The channels of the images are
            followed by those of the condition images, unless these are derived.
        info: Description of the data set.
        derivation: Kind of derivation; see `DataOptions.derivation`.

    Returns:
        Batch of "images" and "condition", both float32.
    """
    if derivation:
        return {"images": stored, "condition": derive(stored, derivation)}
    channels = info.image_shape[-1]
    return {"images": stored[..., :channels], "condition": stored[..., channels:]}

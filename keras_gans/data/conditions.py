"""Conditions: images that a translation starts from, stored with others or derived.

A batch of such sets holds "images", what is to be made, and "condition", what it is
made from, both float32 [batch, height, width, channels] in [-1, 1].
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.errors import UserError

# How strongly a picture in [-1, 1] has to change over two pixels to count as an edge.
EDGE = 0.25
LUMINANCE = np.array([0.2989, 0.5870, 0.1140], np.float32)  # ITU-R BT.601
SHRINKS = {"small2": 2, "small4": 4}


def derived_shape(options: DataOptions, shape: tuple[int, int, int]) -> tuple:
    """The shape of what `derive` makes of pictures of a shape.

    Raises:
        UserError: if they cannot be shrunk so, or are no pictures.
    """
    height, width, channels = shape
    if height == 1:
        raise UserError(
            f"[data] dataset: '{options.derivation}:' is made of pictures, and "
            f"'{options.pictures}' has points"
        )
    if options.derivation == "grey" and channels == 1:
        raise UserError(
            f"[data] dataset: the pictures of {options.pictures} are grey already; "
            "'grey:' expects pictures in colour"
        )
    times = SHRINKS.get(options.derivation, 1)
    if height % times:
        raise UserError(
            f"[data] image_size: expected a multiple of {times}, to be made smaller by "
            f"it, got {height}"
        )
    grey = options.derivation in ("grey", "outline")
    return height // times, width // times, 1 if grey else channels


def derive(pictures: np.ndarray, kind: str) -> np.ndarray:
    """Make conditions of images.

    Args:
        pictures: float32 [batch, height, width, channels] in [-1, 1].
        kind: "grey"; "outline", black where the brightness changes, on white; "small2"
            or "small4", of a half or a quarter of the side (bicubic, antialiased).

    Returns:
        float32 in [-1, 1], as 8 bits hold it; see `derived_shape`.
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
    """Resizes pictures, float32 [batch, height, width, channels]; bicubic, antialiased.

    Values may go beyond those of the pictures.
    """

    def one(plane: np.ndarray) -> np.ndarray:
        image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))

    planes = [[one(plane) for plane in np.moveaxis(p, -1, 0)] for p in pictures]
    return np.moveaxis(np.array(planes), 1, -1)


def _slope(grey: np.ndarray) -> np.ndarray:
    """How much brightness changes over two pixels: the Sobel operator / 4."""
    x = np.pad(grey, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    down, right = x[:, 2:] - x[:, :-2], x[:, :, 2:] - x[:, :, :-2]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    right = right[:, :-2] + 2 * right[:, 1:-1] + right[:, 2:]
    return np.hypot(down, right) / 4.0


def stored_shape(info: DataInfo, options: DataOptions) -> tuple[int, int, int]:
    """The shape of what a set keeps of each example, to make (image, condition) of it.

    Args:
        info: What the set says of itself.
        options: How it is read.

    Returns:
        (height, width, channels), larger than `info.image_shape` by what is cut off;
        with the channels of the condition behind, unless it is derived.
    """
    height, width, channels = info.image_shape
    if info.condition_shape and not options.derivation:
        channels += info.condition_shape[-1]
    return options.stored_size(height), options.stored_size(width), channels


def centre(stored: np.ndarray, info: DataInfo, options: DataOptions) -> np.ndarray:
    """Cuts what is stored to the size of the pictures, at the centre.

    Args:
        stored: [num, height, width, any], of `stored_shape`.
        info: What the set says of itself.
        options: How it is read.

    Returns:
        [num, *info.image_shape[:2], any].
    """
    start = options.random_crop // 2
    height, width = info.image_shape[:2]
    return stored[:, start : start + height, start : start + width]


def split(
    stored: np.ndarray, info: DataInfo, derivation: str
) -> tuple[np.ndarray, np.ndarray]:
    """Make (images, conditions) of what a source stores.

    Args:
        stored: float32 in [-1, 1]: images, with the channels of their conditions behind
            their own, unless these are derived.
        info: What the set says of itself.
        derivation: `DataOptions.derivation`.

    Returns:
        Both, float32.
    """
    if derivation:
        return stored, derive(stored, derivation)
    channels = info.image_shape[-1]
    return stored[..., :channels], stored[..., channels:]

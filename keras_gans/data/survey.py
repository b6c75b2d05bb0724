"""Survey of a folder of images, to choose the image size and the channels."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_gans.data import images
from keras_gans.device.sampler import open_header, upright_size
from keras_gans.layers.sizes import halvings

SIDES = (28, 32, 48, 64)  # choices; larger sizes have to be set by the user
GREY = ("1", "L", "LA", "I", "I;16", "F")  # Pillow's grayscale modes
LOOKED_AT = 64  # images, about, that are checked for colors
THREADS = 2 * (os.cpu_count() or 1)  # Pillow decodes outside Python's global lock
BLOCK = 64  # files that a thread measures at a time
CUT = 0.25  # fraction of an image whose loss by the crop is noted


@dataclasses.dataclass(frozen=True)
class Choice:
    """Image size and channels chosen for a folder.

    Attributes:
        image_size: Side of the images in pixels.
        channels: Number of channels: 1 for grayscale, 3 for RGB.
        notes: Notes for the user: choices with their reasons, and warnings.
    """

    image_size: int
    channels: int
    notes: tuple[str, ...]


def choose(
    paths: Sequence[str],
    image_size: int = 0,
    channels: int = 0,
    sizes: Sequence[tuple[int, int]] | None = None,
) -> Choice:
    """Survey images and choose the image size and the channels.

    Args:
        paths: Paths of the image files; unreadable files are skipped.
        image_size: Side in pixels, or 0 to choose it. The choice is the side of the
            images if all are square and of one size that networks reach, up to 128.
            Otherwise it is the largest of `SIDES` that nine of ten images have.
        channels: Number of channels, 1 or 3, or 0 to choose it. The choice is 1 if none
            of the checked images has colors.
        sizes: Sizes (width, height) of the readable images; None measures them.

    Returns:
        The choice.
    """
    if sizes is None:
        sizes = [size for size in measure(paths) if not isinstance(size, str)]
    sizes = np.array(list(sizes) or [(0, 0)])
    shorter, longer = sizes.min(axis=1), sizes.max(axis=1)
    notes = []
    if not image_size:
        alike = (sizes == sizes[0, 0]).all()
        if alike and _reached(int(sizes[0, 0])):
            image_size = int(sizes[0, 0])
            why = "that of all images"
        else:
            tenth = np.quantile(shorter, 0.1, method="lower")
            image_size = max([side for side in SIDES if side <= tenth] or SIDES[:1])
            why = "the largest up to 64 that nine of ten images have"
        notes.append(
            f"image_size {image_size}: {why} (data.image_size=... sets another)"
        )
    if not channels:
        step = max(1, len(paths) // LOOKED_AT)
        channels = 3 if any(map(_has_colours, paths[::step])) else 1
        what = "some images are RGB" if channels == 3 else "all images are grayscale"
        notes.append(f"channels {channels}: {what} (data.channels=... sets another)")
    small = int((shorter < image_size).sum())
    if small:
        notes.append(
            f"{small} of {len(sizes)} images are smaller than {image_size} pixels and "
            "are enlarged, which blurs generated images"
        )
    cut = int((longer * (1 - CUT) > shorter).sum())
    if cut:
        notes.append(
            f"{cut} of {len(sizes)} images lose more than a quarter: they are not "
            "square and are cropped at the center"
        )
    dark = _dark(paths[:: max(1, len(paths) // LOOKED_AT)])
    notes += [dark] if dark else []
    return Choice(image_size, channels, tuple(notes))


def _reached(side: int) -> bool:
    """Return whether networks reach a side and it is at most 128 pixels."""
    small, times = halvings(side)
    return side <= 128 and 4 <= small <= 7 and times > 0


def measure(paths: Sequence[str]) -> list[tuple[int, int] | str]:
    """Return the (width, height) of upright images; a reason for unreadable files."""

    def size_of(path: str) -> tuple[int, int] | str:
        try:
            with open_header(path) as image:
                return upright_size(image)
        except OSError as error:
            return str(error)

    blocks = [paths[i : i + BLOCK] for i in range(0, len(paths), BLOCK)]
    with ThreadPoolExecutor(THREADS) as pool:
        measured = pool.map(lambda block: [size_of(path) for path in block], blocks)
        return [size for block in measured for size in block]


def _has_colours(path: str) -> bool:
    try:
        with open_header(path) as image:
            if image.mode in GREY:
                return False
        image = images.load(path, 3, 128)
    except OSError:
        return False
    image.thumbnail((64, 64))
    pixels = np.asarray(image).astype(int)
    return bool((np.ptp(pixels, axis=2) > 16).any())  # above JPEG's errors


def _dark(paths: Sequence[str]) -> str:
    """Return a note if all images of 16 bits use a small part of their range."""
    highest = -1
    for path in paths:
        try:
            with open_header(path) as image:
                if not image.mode.startswith("I;16"):
                    return ""
            highest = max(highest, images.load(path, 1, None).getextrema()[1])
        except OSError:
            continue
    if not 0 <= highest < 16:
        return ""
    return (
        "the 16-bit images hold values below 4,096 and are read nearly black; if they "
        "have 12 bits, multiply the values by 16"
    )

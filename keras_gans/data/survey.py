"""What a folder of pictures is like, and what size and channels follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_gans.layers.sizes import halvings

SIDES = (28, 32, 48, 64)  # what is chosen from; more has to be asked for
GREY = ("1", "L", "LA", "I", "I;16", "F")  # Pillow's modes without colour
LOOKED_AT = 64  # pictures whose colours are looked at
FEW = 500  # pictures, below which a discriminator learns them by heart
CUT = 0.25  # share of a picture that is worth a word when it is cut off


@dataclasses.dataclass(frozen=True)
class Choice:
    """What was chosen for a folder, and why.

    Attributes:
        image_size: Side in pixels.
        channels: 1 or 3.
        notes: Sentences for the user: choices with their reasons, and warnings.
    """

    image_size: int
    channels: int
    notes: tuple[str, ...]


def choose(
    paths: Sequence[str], image_size: int = 0, channels: int = 0, noise: bool = True
) -> Choice:
    """Looks at pictures and chooses what is not given.

    Args:
        paths: Picture files; those that cannot be read are passed over.
        image_size: Side in pixels; 0 to choose: the pictures' own if they are square,
            alike, and of a side up to 128 that networks reach; else the largest of
            `SIDES` that nine of ten pictures have.
        channels: 1 or 3; 0 to choose: 1 if no picture has colours.
        noise: Whether pictures are to be made from noise, which needs more of them.

    Returns:
        The choice.
    """
    sizes = np.array([size for size in map(size_of, paths) if size] or [(0, 0)])
    shorter, longer = sizes.min(axis=1), sizes.max(axis=1)
    notes = []
    if not image_size:
        alike = (sizes == sizes[0, 0]).all()
        if alike and _reached(int(sizes[0, 0])):
            image_size = int(sizes[0, 0])
            why = "that of all pictures"
        else:
            tenth = np.quantile(shorter, 0.1, method="lower")
            image_size = max([side for side in SIDES if side <= tenth] or SIDES[:1])
            why = "the largest up to 64 that nine of ten pictures have"
        notes.append(
            f"image_size {image_size}: {why} (data.image_size=... sets another)"
        )
    if not channels:
        step = max(1, len(paths) // LOOKED_AT)
        channels = 3 if any(map(_has_colours, paths[::step])) else 1
        what = "there are colours" if channels == 3 else "no picture has colours"
        notes.append(f"channels {channels}: {what} (data.channels=... sets another)")
    small = int((shorter < image_size).sum())
    if small:
        notes.append(
            f"{small} of {len(sizes)} pictures are smaller than {image_size} pixels "
            "and are enlarged: they blur what is learned"
        )
    cut = int((longer * (1 - CUT) > shorter).sum())
    if cut:
        notes.append(
            f"{cut} of {len(sizes)} pictures lose more than a quarter: they are not "
            "square and are cut at the centre"
        )
    if noise and len(paths) < FEW:
        notes.append(
            f"{len(paths)} pictures are few, and the discriminator may learn them by "
            "heart; --model=fastgan is made for that, and "
            "hparams.augment=color,translation,cutout, data.horizontal_flip=true and "
            "--init_from help"
        )
    return Choice(image_size, channels, tuple(notes))


def _reached(side: int) -> bool:
    """Whether a side is at most 128 pixels, and networks reach it."""
    small, times = halvings(side)
    return side <= 128 and 4 <= small <= 7 and times > 0


def size_of(path: str) -> tuple[int, int] | None:
    """A picture's (width, height), upright; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            # 5 to 8 turn a picture onto its side when it is read.
            turned = image.getexif().get(0x0112, 1) >= 5
            return image.size[::-1] if turned else image.size
    except Exception:  # Pillow says "corrupt" in many ways; named when it is read
        return None


def _has_colours(path: str) -> bool:
    try:
        with Image.open(path) as image:
            if image.mode in GREY:
                return False
            image.thumbnail((64, 64))
            pixels = np.asarray(image.convert("RGB")).astype(int)
            return bool((np.ptp(pixels, axis=2) > 16).any())  # more than JPEG's errors
    except Exception:
        return False

"""Sizes and widths of a network's feature maps."""

from __future__ import annotations

from keras_gans.errors import UserError, check_range


def map_sizes(image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Returns the side of the smallest map, 4 to 7 pixels, and how often it doubles.

    Args:
        image_shape: (height, width, channels) of the images.

    Raises:
        UserError: for images that are not square, or cannot be reached.
    """
    height, width, _ = image_shape
    size, doublings = halvings(height)
    if height != width or not 4 <= size <= 7 or not doublings:
        raise UserError(
            "[data] image_size: expected 4, 5, 6 or 7 doubled at least once (28, 32, "
            f"48, 64, 96 or 128), got {height}x{width} pixels"
        )
    return size, doublings


def map_widths(
    image_shape: tuple[int, int, int], width: int, max_width: int
) -> tuple[int, list[int]]:
    """Returns the side of the smallest map, and the channels at each size up from it.

    Args:
        image_shape: (height, width, channels) of the images.
        width: Channels at full size; they double with each halving of size.
        max_width: As far as this.

    Raises:
        UserError: as `map_sizes`, or for widths below 1.
    """
    check_range(1, width=width, max_width=max_width)
    size, doublings = map_sizes(image_shape)
    levels = reversed(range(doublings + 1))
    return size, [min(max_width, width * 2**level) for level in levels]


def halvings(side: int) -> tuple[int, int]:
    """Halves a side while it is above 7 and even: (what is left, how often).

    Networks reach a side if 4 to 7 are left after at least one halving.
    """
    times = 0
    while side > 7 and side % 2 == 0:
        side, times = side // 2, times + 1
    return side, times

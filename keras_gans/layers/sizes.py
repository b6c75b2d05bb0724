"""Sizes and widths of a network's feature maps."""

from __future__ import annotations

from keras_gans.errors import UserError, check_range


def map_sizes(image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the side of the smallest map and the number of its doublings.

    Args:
        image_shape: Shape (height, width, channels) of the images.

    Returns:
        (side, doublings): 4 to 7 pixels; 1 or more.

    Raises:
        UserError: If the images are not square, or if their side is not 4 to 7 pixels
            doubled at least once.
    """
    height, width, _ = image_shape
    size, doublings = halvings(height)
    if height != width or not 4 <= size <= 7 or not doublings:
        raise UserError(
            "[data] image_size: expected 4, 5, 6 or 7 doubled at least once (such as "
            f"28, 32, 48, 64, 96 or 128), got {height}x{width} pixels"
        )
    return size, doublings


def map_widths(
    image_shape: tuple[int, int, int], width: int, max_width: int
) -> tuple[int, list[int]]:
    """Return the side of the smallest map, and the number of channels at each size.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        width: Number of channels at full size; it doubles with each halving of the
            size.
        max_width: Upper limit of the number of channels.

    Returns:
        (side, widths): 4 to 7 pixels; the numbers of channels, from the smallest map
        to full size.

    Raises:
        UserError: As `map_sizes`, or if `width` or `max_width` is below 1.
    """
    check_range(1, width=width, max_width=max_width)
    size, doublings = map_sizes(image_shape)
    levels = reversed(range(doublings + 1))
    return size, [min(max_width, width * 2**level) for level in levels]


def halvings(side: int) -> tuple[int, int]:
    """Halve a side while it is even and above 7.

    Networks can produce a side if 4 to 7 pixels remain after at least one halving.

    Args:
        side: Side in pixels.

    Returns:
        (remaining side, number of halvings).
    """
    times = 0
    while side > 7 and side % 2 == 0:
        side, times = side // 2, times + 1
    return side, times

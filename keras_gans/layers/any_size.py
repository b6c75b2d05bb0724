"""Layers of networks that take pictures of any height and width."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import UserError

Tensor = Any


def sides(x: Tensor) -> tuple:
    """Height and width of maps: numbers where they are known, else tensors."""
    known, shape = x.shape[1:3], ops.shape(x)[1:3]
    return tuple(k or s for k, s in zip(known, shape, strict=True))


def check_same_size(image_shape: tuple, condition_shape: tuple) -> None:
    """Check that condition images have the size of the images.

    Raises:
        UserError: if not.
    """
    (height, width), given = image_shape[:2], condition_shape[:2]
    if (height, width) != given:
        raise UserError(
            "[generator]: expected condition images of the images' size, "
            f"{height}x{width}, got {given[0]}x{given[1]}; --model=esrgan makes images "
            "larger"
        )


class PadToMultiple(layers.Layer):
    """Mirrors pictures at their lower and right edges up to a multiple of a number.

    Args:
        multiple: What a network divides the sides by.
    """

    def __init__(self, multiple: int):
        """Keeps the number."""
        super().__init__()
        self._multiple = multiple

    def call(self, pictures: Tensor) -> Tensor:
        """Pads.

        Args:
            pictures: float [batch, height, width, channels].

        Returns:
            float [batch, height or more, width or more, channels].
        """
        for axis, side in zip((1, 2), sides(pictures), strict=True):
            more = -side % self._multiple
            if isinstance(more, int) and more == 0:
                continue
            # ops.pad forgets the channels where amounts are tensors
            places = ops.arange(side + more) % (2 * side)
            mirrored = ops.minimum(places, 2 * side - 1 - places)
            pictures = ops.take(pictures, mirrored, axis=axis)
        return pictures

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Whatever the sides become."""
        return (shape[0], None, None, shape[-1])


class CropLike(layers.Layer):
    """Cuts pictures to the size of others: undoes `PadToMultiple`.

    Args:
        scale: How many times as large they are to be.
    """

    def __init__(self, scale: int = 1):
        """Keeps the scale."""
        super().__init__(dtype="float32")  # what it cuts is made already
        self._scale = scale

    def call(self, pictures: Tensor, like: Tensor) -> Tensor:
        """Cuts.

        Args:
            pictures: float [batch, at least scale * height, ..., channels].
            like: float [batch, height, width, any].

        Returns:
            float [batch, scale * height, scale * width, channels].
        """
        height, width = sides(like)
        return pictures[:, : self._scale * height, : self._scale * width]

    def compute_output_shape(self, pictures_shape: tuple, like_shape: tuple) -> tuple:
        """Whatever the sides become."""
        return (pictures_shape[0], None, None, pictures_shape[-1])


class Double(layers.Layer):
    """Doubles height and width: the first half of a resize-convolution.

    Source: Odena et al. 2016, "Deconvolution and Checkerboard Artifacts" (Distill).

    Args:
        interpolation: "nearest" or "bilinear".
        dtype: As of any Keras layer.
    """

    def __init__(self, interpolation: str = "nearest", dtype: str | None = None):
        """Keeps the interpolation."""
        super().__init__(dtype=dtype)
        self._interpolation = interpolation

    def call(self, x: Tensor) -> Tensor:
        """Doubles float [batch, height, width, channels]."""
        return engine.double(x, self._interpolation)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Twice the sides."""
        return (shape[0], *(s and 2 * s for s in shape[1:3]), shape[-1])


def reflected(x: Tensor, padding: int) -> Tensor:
    """Mirrors maps at all edges, without repeating the edge itself."""
    around = (padding, padding)
    return ops.pad(x, ((0, 0), around, around, (0, 0)), mode="reflect")

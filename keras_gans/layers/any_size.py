"""Layers of networks that take images of any height and width."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import UserError

Tensor = Any


def sides(x: Tensor) -> tuple:
    """Return height and width of maps: integers where known, otherwise tensors."""
    known, shape = x.shape[1:3], ops.shape(x)[1:3]
    return tuple(k or s for k, s in zip(known, shape, strict=True))


def check_same_size(image_shape: tuple, condition_shape: tuple) -> None:
    """Check that condition images have the height and width of the images.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        condition_shape: Shape (height, width, channels) of the condition images.

    Raises:
        UserError: If height or width differ.
    """
    (height, width), given = image_shape[:2], condition_shape[:2]
    if (height, width) != given:
        raise UserError(
            "[generator]: expected condition images of the same size as the images, "
            f"{height}x{width}, got {given[0]}x{given[1]}; use --model=esrgan to "
            "enlarge images"
        )


class PadToMultiple(layers.Layer):
    """Padding of images at the lower and right edges, up to multiples of a number.

    The added pixels mirror the image, including its edge pixels.

    Args:
        multiple: Number of which the padded height and width are multiples.
    """

    def __init__(self, multiple: int):
        super().__init__()
        self._multiple = multiple

    def call(self, pictures: Tensor) -> Tensor:
        """Pad the images.

        Args:
            pictures: Images, float [batch, height, width, channels].

        Returns:
            float [batch, height or more, width or more, channels].
        """
        for axis, side in zip((1, 2), sides(pictures), strict=True):
            more = -side % self._multiple
            if isinstance(more, int) and more == 0:
                continue
            # ops.pad loses the number of channels if the amounts are tensors.
            places = ops.arange(side + more) % (2 * side)
            mirrored = ops.minimum(places, 2 * side - 1 - places)
            pictures = ops.take(pictures, mirrored, axis=axis)
        return pictures

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the shape; height and width are unknown."""
        return (shape[0], None, None, shape[-1])


class CropLike(layers.Layer):
    """Cropping of images to the size of other images, which undoes `PadToMultiple`.

    Args:
        scale: Factor of the result's height and width over those of the other images.
    """

    def __init__(self, scale: int = 1):
        super().__init__(dtype="float32")  # generated images are float32
        self._scale = scale

    def call(self, pictures: Tensor, like: Tensor) -> Tensor:
        """Crop the images.

        Args:
            pictures: Images, float [batch, at least scale * height, at least scale *
                width, channels].
            like: Other images, float [batch, height, width, any].

        Returns:
            float [batch, scale * height, scale * width, channels].
        """
        height, width = sides(like)
        return pictures[:, : self._scale * height, : self._scale * width]

    def compute_output_shape(self, pictures_shape: tuple, like_shape: tuple) -> tuple:
        """Return the shape; height and width are unknown."""
        return (pictures_shape[0], None, None, pictures_shape[-1])


class Double(layers.Layer):
    """Doubling of height and width: the first half of a resize-convolution.

    Source: Odena et al. 2016, "Deconvolution and Checkerboard Artifacts" (Distill).

    Args:
        interpolation: "nearest" or "bilinear".
        dtype: Dtype or dtype policy of the layer, as in `keras.layers.Layer`.
    """

    def __init__(self, interpolation: str = "nearest", dtype: str | None = None):
        super().__init__(dtype=dtype)
        self._interpolation = interpolation

    def call(self, x: Tensor) -> Tensor:
        """Double the height and width of float [batch, height, width, channels]."""
        return engine.double(x, self._interpolation)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the shape with twice the height and width."""
        return (shape[0], *(s and 2 * s for s in shape[1:3]), shape[-1])


def reflected(x: Tensor, padding: int) -> Tensor:
    """Pad maps at all edges by reflection, without repeating the edge pixels."""
    around = (padding, padding)
    return ops.pad(x, ((0, 0), around, around, (0, 0)), mode="reflect")

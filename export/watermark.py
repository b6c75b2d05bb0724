"""Puts an invisible mark into the pictures of an exported graph.

What is marked, and how it is found again, says `keras_gans.watermark`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_gans import watermark
from keras_gans.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_gans.sampling.keras_sampler import KerasSampler


def marked(sampler: KerasSampler, key: str) -> KerasSampler:
    """A sampler of the same generator whose pictures are marked, as its exports are.

    Args:
        sampler: The sampler.
        key: Any word; it is not written anywhere.

    Raises:
        UserError: if its pictures cannot be marked.
    """
    from keras_gans.sampling.keras_sampler import KerasSampler

    name = sampler.info["name"]
    if sampler.model.takes_pictures:
        raise UserError(
            f"--watermark is for generators of pictures of one size; {name} makes "
            "pictures from pictures of any size, leave it away"
        )
    side, _, channels = sampler.info["image_shape"]
    if channels not in (1, 3):
        raise UserError(f"--watermark is for pictures; {name} makes points")
    known = watermark.scheme(side, key)
    info = {**sampler.info, "watermark": watermark.VERSION}
    return KerasSampler(
        sampler.model, info, mark=lambda images: mark(images, known, channels)
    )


def mark(images: tf.Tensor, known: watermark.Scheme, channels: int) -> tf.Tensor:
    """Marks pictures, in the graph.

    Args:
        images: float32 [num, side, side, channels] in [-1, 1].
        known: The key's scheme for this side.
        channels: 1 or 3.

    Returns:
        The marked ones, alike.
    """
    import tensorflow as tf

    half = 127.5  # grey levels in 1
    basis = tf.constant(known.basis, tf.float32)
    signs = tf.constant(known.signs, tf.float32)
    images = images * (1.0 - watermark.MARGIN / half)
    if channels == 3:
        weights = tf.constant(watermark.LUMINANCE, tf.float32)
        grey = tf.reduce_sum(images * weights, axis=-1)
    else:
        grey = images[..., 0]

    def along(maps, matrix):  # first the rows, then the columns
        maps = tf.transpose(tf.matmul(maps, matrix), (0, 2, 1))
        return tf.matmul(maps, matrix)

    mixed = along(grey, tf.transpose(basis))
    mixed = tf.reshape(mixed, (-1, *known.signs.shape)) * signs
    step = known.step / half
    at = tf.reduce_sum(mixed, axis=2) / step
    dither = tf.constant(known.dither, tf.float32)
    error = (tf.round(at - dither) + dither - at) * step
    size = len(known.basis)
    pattern = tf.reshape(error[:, :, None] * signs, (-1, size, size))
    return tf.clip_by_value(images + along(pattern, basis)[..., None], -1.0, 1.0)

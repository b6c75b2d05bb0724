"""Invisible mark in the images of an exported graph, and its detection.

`keras_gans.watermark` describes the method.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_gans.sampling.keras_sampler import KerasSampler


def marked(sampler: KerasSampler, key: str) -> KerasSampler:
    """Return a sampler of the same generator whose images and exports are marked.

    Args:
        sampler: Sampler without a mark.
        key: Key of the mark, any word. It is not stored anywhere.

    Raises:
        UserError: If the key is empty, or the generator's images cannot be marked.
    """
    from keras_gans.sampling.keras_sampler import KerasSampler

    name = sampler.info["name"]
    if sampler.model.is_translation:
        raise UserError(
            f"--watermark is for generators that take latents, and {name} translates "
            "images of any size; leave it out"
        )
    side, _, channels = sampler.info["image_shape"]
    if channels not in (1, 3):
        raise UserError(
            f"--watermark is for images, and {name} generates points; leave it out"
        )
    known = scheme(side, key)
    info = {**sampler.info, "watermark": VERSION}
    return KerasSampler(
        sampler.model, info, mark=lambda images: mark(images, known, channels)
    )


def mark(images: tf.Tensor, known: Scheme, channels: int) -> tf.Tensor:
    """Mark images in the graph.

    Args:
        images: Images, float32 [num, side, side, channels] in [-1, 1].
        known: Scheme of the key for this side.
        channels: Number of channels, 1 or 3.

    Returns:
        Marked images, of the same shape and range.
    """
    import tensorflow as tf

    half = 127.5  # gray levels per unit of the range [-1, 1]
    basis = tf.constant(known.basis, tf.float32)
    signs = tf.constant(known.signs, tf.float32)
    images = images * (1.0 - known.margin / half)
    if channels == 3:
        weights = tf.constant(LUMINANCE, tf.float32)
        grey = tf.reduce_sum(images * weights, axis=-1)
    else:
        grey = images[..., 0]

    def along(maps, matrix):  # applies the matrix to the rows and to the columns
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


VERSION = 2  # version of the schemes; each marked export records it


ALPHA = 1e-6  # images with a lower p count as marked


PROJECTIONS = 64


LEAST = 16  # pixels; smaller images have too few low frequencies


# Mean squared error of the mark on average, in gray levels of 255 squared. Images below
# FULL pixels have a stronger mark, because compression changes each of their few
# frequencies as much as those of larger images. The schemes of version 1 had the lowest
# distortion at every side.
DISTORTION, MOST_DISTORTION, FULL = 5.0, 15.0, 64


LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue, as in JPEG


@dataclasses.dataclass(frozen=True)
class Scheme:
    """Mark of one key for images of one side.

    Attributes:
        basis: Marked frequencies of the rows and of the columns, as m rows of the
            orthonormal DCT-II; float [m, side].
        signs: Vectors of length 1 that mix the m * m coefficients, column by column,
            into projections; float [PROJECTIONS, m * m / PROJECTIONS].
        dither: Dither of each projection, float [PROJECTIONS] in [0, 1).
        step: Distance between two values of a marked projection, in gray levels.
        margin: Gray levels by which images are scaled away from black and white, so
            that less of the mark is clipped.
    """

    basis: np.ndarray
    signs: np.ndarray
    dither: np.ndarray
    step: float
    margin: float


def distortion(side: int, version: int = VERSION) -> float:
    """Return the mean squared error of a mark, in gray levels squared.

    Args:
        side: Height and width of the images in pixels.
        version: Version of the scheme.
    """
    if version == 1:
        return DISTORTION
    return min(MOST_DISTORTION, DISTORTION * max(1.0, (FULL / side) ** 2))


@functools.lru_cache(maxsize=8)
def scheme(side: int, key: str, version: int = VERSION) -> Scheme:
    """Derive the scheme of a key for images of one side.

    Args:
        side: Height and width of the images in pixels.
        key: Key of the mark, any word.
        version: Version of the scheme.

    Raises:
        UserError: If the key is empty, or the side is less than `LEAST`.
    """
    if not key:
        raise UserError(
            "the watermark's key is empty; expected a word, such as my-product"
        )
    if side < LEAST:
        raise UserError(
            f"watermark: expected images of {LEAST} pixels or more, got {side}"
        )
    # 8 of 32 frequencies, from the third on: resizing scales the lowest ones most.
    m = 8 * max(1, round(side / 32))
    k, x = np.arange(m // 4, m // 4 + m)[:, None], np.arange(side)
    basis = math.sqrt(2 / side) * np.cos(np.pi * k * (2 * x + 1) / (2 * side))
    digest = hashlib.sha256(f"keras_gans 1 {key}".encode()).digest()
    random = np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], "u8")))
    dither = random.random(PROJECTIONS)
    signs = random.integers(0, 2, (PROJECTIONS, m * m // PROJECTIONS)) * 2.0 - 1.0
    # Each projection's error is uniform within a step: its variance is step^2 / 12.
    strength = distortion(side, version)
    step = math.sqrt(12 * strength * side**2 / PROJECTIONS)
    signs /= math.sqrt(signs.shape[1])
    margin = 1.5 * math.sqrt(strength / DISTORTION)
    return Scheme(basis, signs, dither, step, margin)


def detect(images: np.ndarray, key: str) -> float:
    """Detect the mark of a key in images.

    Args:
        images: Images at the size at which they were generated, uint8 [num, side, side,
            1 or 3]. Several images are evaluated together.
        key: Key of the mark, the value of `--watermark`.

    Returns:
        Upper bound of the probability that images without the key's mark look as marked
        as these, by the scheme of any version. It is 1 if nothing points to the mark.

    Raises:
        UserError: If the key is empty, or the side is less than `LEAST`.
    """
    side = images.shape[1]
    bound = _bound(images, scheme(side, key))
    if distortion(side) == distortion(side, 1):
        return bound
    # A union bound: nearly all of the probability is that of the present version.
    older = _bound(images, scheme(side, key, 1))
    return min(1.0, bound / 0.9, older / 0.1)


def _bound(images: np.ndarray, known: Scheme) -> float:
    """Return the bound of `detect` for one scheme."""
    mean = np.exp(2j * np.pi * _projections(images, known)).mean(axis=0)
    total = (mean * np.exp(-2j * np.pi * known.dither)).real.sum()
    return math.exp(-(max(total, 0.0) ** 2) / (np.abs(mean) ** 2).sum())


def _projections(images: np.ndarray, known: Scheme) -> np.ndarray:
    """Project images on the scheme's mixtures: float [num, PROJECTIONS], in steps."""
    weights = LUMINANCE if images.shape[-1] == 3 else (1.0,)
    grey = images.astype(float) @ np.array(weights)
    columns = np.swapaxes(grey @ known.basis.T, 1, 2) @ known.basis.T
    mixed = columns.reshape(len(images), PROJECTIONS, -1) * known.signs
    return mixed.sum(axis=2) / known.step

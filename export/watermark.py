"""Puts an invisible mark into the pictures of an exported graph.

What is marked, and how it is found again, says `keras_gans.watermark`.
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
    """A sampler of the same generator whose pictures are marked, as its exports are.

    Args:
        sampler: The sampler.
        key: Any word; it is not written anywhere.

    Raises:
        UserError: if its pictures cannot be marked.
    """
    from keras_gans.sampling.keras_sampler import KerasSampler

    name = sampler.info["name"]
    if sampler.model.is_translation:
        raise UserError(
            f"--watermark is for generators of pictures of one size; {name} makes "
            "pictures from pictures of any size, leave it away"
        )
    side, _, channels = sampler.info["image_shape"]
    if channels not in (1, 3):
        raise UserError(f"--watermark is for pictures; {name} makes points")
    known = scheme(side, key)
    info = {**sampler.info, "watermark": VERSION}
    return KerasSampler(
        sampler.model, info, mark=lambda images: mark(images, known, channels)
    )


def mark(images: tf.Tensor, known: Scheme, channels: int) -> tf.Tensor:
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
    images = images * (1.0 - MARGIN / half)
    if channels == 3:
        weights = tf.constant(LUMINANCE, tf.float32)
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


VERSION = 1  # of what a key makes; exports name theirs


ALPHA = 1e-6  # below it a picture counts as marked


PROJECTIONS = 64


LEAST = 16  # pixels: smaller pictures have not enough low frequencies


# Grey levels of 255. A mark adds DISTORTION to the mean squared error on average; pure
# black and white give way by MARGIN, so that less of the mark is cut off there.
DISTORTION, MARGIN = 5.0, 1.5


LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, as JPEG's


@dataclasses.dataclass(frozen=True)
class Scheme:
    """What a key makes for pictures of one side.

    Attributes:
        basis: float [m, side], rows of the orthonormal DCT-II: the frequencies that are
            marked, both ways.
        signs: float [PROJECTIONS, m * m / PROJECTIONS], the mixtures, of length 1, of
            the m * m coefficients, column by column.
        dither: float [PROJECTIONS] in [0, 1).
        step: Grey levels between two values that a marked projection can have.
    """

    basis: np.ndarray
    signs: np.ndarray
    dither: np.ndarray
    step: float


@functools.lru_cache(maxsize=8)
def scheme(side: int, key: str) -> Scheme:
    """Makes a key's scheme for pictures of a side.

    Args:
        side: Height and width in pixels.
        key: Any word.

    Raises:
        UserError: for an empty key, or a side below `LEAST`.
    """
    if not key:
        raise UserError(
            "the watermark's key is empty; expected any word, as my-product"
        )
    if side < LEAST:
        raise UserError(
            f"watermark: expected pictures of {LEAST} pixels or more, got {side}"
        )
    # 8 of 32 frequencies, from the third on; the lowest are what resizing scales most.
    m = 8 * max(1, round(side / 32))
    k, x = np.arange(m // 4, m // 4 + m)[:, None], np.arange(side)
    basis = math.sqrt(2 / side) * np.cos(np.pi * k * (2 * x + 1) / (2 * side))
    digest = hashlib.sha256(f"keras_gans {VERSION} {key}".encode()).digest()
    random = np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], "u8")))
    dither = random.random(PROJECTIONS)
    signs = random.integers(0, 2, (PROJECTIONS, m * m // PROJECTIONS)) * 2.0 - 1.0
    # An error uniform in a step has a variance of step^2 / 12, in each projection.
    step = math.sqrt(12 * DISTORTION * side**2 / PROJECTIONS)
    return Scheme(basis, signs / math.sqrt(signs.shape[1]), dither, step)


def detect(images: np.ndarray, key: str) -> float:
    """Asks whether pictures are marked.

    Args:
        images: uint8 [num, side, side, 1 or 3], at the size at which they were made;
            several count together.
        key: The word that `--watermark` was given.

    Returns:
        A bound on the probability that pictures which do not know the key look as
        marked as these: 1 for nothing at all.

    Raises:
        UserError: see `scheme`.
    """
    known = scheme(images.shape[1], key)
    mean = np.exp(2j * np.pi * _projections(images, known)).mean(axis=0)
    total = (mean * np.exp(-2j * np.pi * known.dither)).real.sum()
    return math.exp(-(max(total, 0.0) ** 2) / (np.abs(mean) ** 2).sum())


def _projections(images: np.ndarray, known: Scheme) -> np.ndarray:
    """Projections in steps: float [num, PROJECTIONS]."""
    weights = LUMINANCE if images.shape[-1] == 3 else (1.0,)
    grey = images.astype(float) @ np.array(weights)
    columns = np.swapaxes(grey @ known.basis.T, 1, 2) @ known.basis.T
    mixed = columns.reshape(len(images), PROJECTIONS, -1) * known.signs
    return mixed.sum(axis=2) / known.step

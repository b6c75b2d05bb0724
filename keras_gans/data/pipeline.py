"""From examples to a stream of batches that is a function of (seed, step)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_gans.data import sources
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share


def random_access_stream(
    num_examples: int,
    lookup: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    info: DataInfo,
    options: DataOptions,
    seed: int,
    start_step: int,
    share: Share,
) -> tf.data.Dataset:
    """Streams examples that can be looked up by number, in any order at no cost.

    The order is one permutation of all examples after another, the n-th drawn from
    (seed, n); batches run across their borders, so that each example comes up equally
    often and every batch is full.

    Args:
        num_examples: How many there are.
        lookup: From numbers int64 [batch] to (images uint8 [batch, height, width,
            channels], labels int32 [batch]).
        info: What the set says of itself.
        options: Batch size and augmentation.
        seed: The run's seed.
        start_step: The batch to begin with.
        share: Which rows of each batch are looked up.

    Returns:
        (images float32 in [-1, 1], labels int32, or sources float32), endless,
        prefetched.
    """
    epoch, skip = divmod(start_step * options.batch_size, num_examples)

    def permutation(n):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(num_examples), seed=tf.stack([tf.cast(seed, tf.int64), n])
        )
        return tf.data.Dataset.from_tensor_slices(order)

    numbers = tf.data.Dataset.range(epoch, np.iinfo(np.int64).max)
    numbers = numbers.flat_map(permutation).skip(skip)
    numbers = numbers.batch(options.batch_size, drop_remainder=True)
    numbers = numbers.map(lambda n: n[share.rows(options.batch_size)])
    return finish(
        numbers.map(lookup, tf.data.AUTOTUNE, deterministic=True),
        info,
        options,
        seed,
        start_step,
        share,
    )


def finish(
    batches: tf.data.Dataset,
    info: DataInfo,
    options: DataOptions,
    seed: int,
    start_step: int,
    share: Share,
) -> tf.data.Dataset:
    """Turns batches of (uint8 images, labels) into what a model trains on."""
    steps = tf.data.Dataset.counter(start_step)
    size, rows = options.batch_size, share.rows(options.batch_size)

    def convert(step, batch):
        images, labels = batch
        images = tf.cast(images, tf.float32) / 127.5 - 1.0
        if options.horizontal_flip:
            key = tf.stack([tf.cast(seed, tf.int64), step])
            flip = tf.random.stateless_uniform((size,), key)[rows] >= 0.5
            flipped = tf.reverse(images, axis=[2])
            images = tf.where(flip[:, None, None, None], flipped, images)
        if options.random_crop:
            # other draws than the mirroring's: seeds are below 2^32
            key = tf.stack([tf.cast(seed, tf.int64) + 2**32, step])
            less = options.random_crop
            starts = tf.random.stateless_uniform((2, size), key, 0, less + 1, tf.int32)
            images = _crop(images, less, starts[:, rows])
        if info.source_shape:
            return sources.split(images, info, options.source)
        return images, labels

    both = tf.data.Dataset.zip(steps, batches)
    both = both.map(convert, tf.data.AUTOTUNE, deterministic=True)
    return both.prefetch(tf.data.AUTOTUNE)


def _crop(images: tf.Tensor, less: int, starts: tf.Tensor) -> tf.Tensor:
    """Cuts every picture at a place of its own, `less` pixels smaller on both sides."""
    batch, height, width, channels = images.shape
    rows, columns = (
        start[:, None] + tf.range(side - less)
        for start, side in zip(tf.unstack(starts), (height, width), strict=True)
    )
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    images = tf.gather(images, columns, axis=2, batch_dims=1)
    return tf.ensure_shape(images, (batch, height - less, width - less, channels))


class ArraySource:
    """A data set in memory.

    Args:
        images: uint8 [num, height, width, channels].
        labels: int32 [num].
        info: What the set says of itself.
        options: How it is read.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        info: DataInfo,
        options: DataOptions,
    ):
        """Keeps the arrays; nothing is copied."""
        self.images, self.labels, self.info, self.options = (
            images,
            labels,
            info,
            options,
        )

    def take(self, numbers: np.ndarray) -> ArraySource:
        """A source of some of the pictures: those of these numbers."""
        info = dataclasses.replace(self.info, num_examples=len(numbers))
        images, labels = self.images[numbers], self.labels[numbers]
        return ArraySource(images, labels, info, self.options)

    def identity(self) -> str:
        """Tells these pictures from any others."""
        whole = hashlib.sha256(np.ascontiguousarray(self.images))
        whole.update(np.ascontiguousarray(self.labels))
        return whole.hexdigest()

    def stream(
        self, seed: int, start_step: int = 0, share: Share = WHOLE
    ) -> tf.data.Dataset:
        """The batches from a step on, a function of (seed, step); see `load_data`."""
        images = tf.constant(self.images)
        labels = tf.constant(self.labels.astype(np.int32))

        def lookup(numbers):
            return tf.gather(images, numbers), tf.gather(labels, numbers)

        return random_access_stream(
            len(self.images), lookup, self.info, self.options, seed, start_step, share
        )

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields each example once, in order: uint8 pictures and int32 labels."""
        for start in range(0, len(self.images), size):
            part = slice(start, start + size)
            images = sources.centre(self.images[part], self.info, self.options)
            yield images, self.labels[part].astype(np.int32)

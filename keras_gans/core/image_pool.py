"""Pool of images that a generator made in earlier steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import UserError

Tensor = Any


class ImagePool(layers.Layer):
    """Pool that shows a discriminator current and earlier images, half and half.

    Source: Shrivastava et al. 2017 (arXiv 1612.07828), as used by Zhu et al. 2017
    (arXiv 1703.10593). Until the pool is full, each image is added to the pool and
    shown. From then on, with probability 1/2, an image replaces a random image of the
    pool, which is shown instead.

    The pool is part of the checkpoint. The images of one batch are paired with
    different images of the pool.

    Args:
        size: Number of images in the pool; 0 shows current images only.
        shape: Shape of an image, (height, width, channels).
        seeds: Seed generator of the draws.
        name: Name of the layer.
    """

    def __init__(
        self,
        size: int,
        shape: tuple[int, int, int],
        seeds: keras.random.SeedGenerator,
        name: str,
    ):
        super().__init__(dtype="float32", name=name)
        self._size, self._seeds = size, seeds
        if size:
            one = {"trainable": False, "aggregation": "only_first_replica"}
            self.pictures = self.add_weight((size, *shape), "zeros", **one)
            self.count = self.add_weight((), "zeros", dtype="int", **one)
        self.built = True

    def call(self, made: Tensor) -> Tensor:
        """Replace some images with earlier ones.

        Args:
            made: Generated images, float [batch, height, width, channels].

        Returns:
            Images to show, float [batch, height, width, channels], without a gradient.

        Raises:
            UserError: If the pool is smaller than a batch, and its size is not 0.
        """
        made = ops.stop_gradient(made)
        if not self._size:
            return made
        # Every device keeps the same pool, with the images of all devices.
        return engine.map_globally(
            lambda whole: self._swap(ops.cast(whole, "float32")), made
        )

    def _swap(self, made: Tensor) -> Tensor:
        num, count = ops.shape(made)[0], ops.cast(self.count.value, "int32")
        known = made.shape[0]  # None if batches differ in size
        if known and known > self._size:
            raise UserError(
                f"[hparams] pool_size: expected 0, or at least the {known} images of a "
                f"batch, got {self._size}"
            )
        order = keras.random.shuffle(ops.arange(self._size), seed=self._seeds)
        swap = keras.random.uniform((num,), seed=self._seeds) < 0.5
        # The first images fill the pool; the others are paired with earlier images.
        new = count + ops.arange(num)
        filling = new < self._size
        order = ops.take(order, ops.argsort(ops.cast(order >= count, "int32")))
        others = ops.maximum(ops.arange(num) - (self._size - count), 0)
        places = ops.where(filling, new, ops.take(order, others))
        earlier = ops.take(self.pictures.value, places, axis=0)
        shows_earlier = ops.logical_and(swap, ops.logical_not(filling))
        stays_out = ops.logical_not(ops.logical_or(swap, filling))
        put = ops.where(stays_out[:, None, None, None], earlier, made)
        self.pictures.assign(
            ops.scatter_update(self.pictures.value, places[:, None], put)
        )
        self.count.assign(ops.minimum(count + num, self._size))
        return ops.where(shows_earlier[:, None, None, None], earlier, made)

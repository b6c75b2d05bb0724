"""A pool of pictures that a generator made in earlier steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import UserError

Tensor = Any


class ImagePool(layers.Layer):
    """Shows a discriminator pictures of now and of earlier, half and half.

    Source: Shrivastava et al. 2017 (arXiv 1612.07828), as used by Zhu et al. 2017
    (arXiv 1703.10593): until the pool is full each picture goes in and is shown; then,
    with probability 1/2, it takes the place of a random one, which is shown instead.

    It is part of the checkpoint. The pictures of a batch meet different places.

    Args:
        size: Pictures that it holds; 0 shows those of now.
        shape: (height, width, channels) of one.
        seeds: Where the draws come from.
        name: The layer's name.
    """

    def __init__(
        self,
        size: int,
        shape: tuple[int, int, int],
        seeds: keras.random.SeedGenerator,
        name: str,
    ):
        """Makes an empty pool."""
        super().__init__(dtype="float32", name=name)
        self._size, self._seeds = size, seeds
        if size:
            one = {"trainable": False, "aggregation": "only_first_replica"}
            self.pictures = self.add_weight((size, *shape), "zeros", **one)
            self.count = self.add_weight((), "zeros", dtype="int", **one)
        self.built = True

    def call(self, made: Tensor) -> Tensor:
        """Swaps some pictures for earlier ones.

        Args:
            made: float [batch, height, width, channels].

        Returns:
            float [batch, height, width, channels], without a gradient.
        """
        made = ops.stop_gradient(made)
        if not self._size:
            return made
        # every device keeps the same pool, of the pictures of all of them
        return engine.map_globally(
            lambda whole: self._swap(ops.cast(whole, "float32")), made
        )

    def _swap(self, made: Tensor) -> Tensor:
        num, count = made.shape[0], ops.cast(self.count.value, "int32")
        if num > self._size:
            raise UserError(
                f"[hparams] pool_size: expected 0, or at least the {num} pictures of a "
                f"batch, got {self._size}"
            )
        order = keras.random.shuffle(ops.arange(self._size), seed=self._seeds)
        swap = keras.random.uniform((num,), seed=self._seeds) < 0.5
        # The first ones fill the pool up; the others meet what was in it before.
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

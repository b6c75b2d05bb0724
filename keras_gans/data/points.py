"""Synthetic data sets: points drawn from a mixture of 2-D Gaussians.

`ring` has 8 modes on a circle of radius 0.8; `grid25` has 5x5 modes, 0.4 apart. Their
standard deviations are in the usual proportion for these data sets: 1/100 of the radius
and 1/40 of the distance between neighbors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_gans.data import pipeline
from keras_gans.data.mixtures import MIXTURES
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.pipeline import Batch
from keras_gans.data.source import Source
from keras_gans.errors import UserError


class PointsSource(Source):
    """Endless data set of new points, as images of one pixel with channels (x, y).

    Args:
        options: Options of the data set; `dataset` is a key of `MIXTURES`.

    Attributes:
        mixture: Mixture from which the points are drawn.

    Raises:
        UserError: If an option applies to images only.
    """

    def __init__(self, options: DataOptions):
        for name in ("image_size", "channels", "horizontal_flip", "random_crop"):
            if getattr(options, name):
                raise UserError(
                    f"[data] {name}: '{options.dataset}' holds points, not images; "
                    "leave it out"
                )
        self.options, self.mixture = options, MIXTURES[options.dataset]()
        self.info = DataInfo((1, 1, 2))

    def batches(self, seed: int, share: Share = WHOLE) -> Callable[[int], Batch]:
        """Return a function from a step to its batch; it depends on (seed, step)."""
        num, modes = self.options.batch_size, self.mixture.modes

        def batch(step: int) -> Batch:
            rng = pipeline.draws(pipeline.ORDER, seed, step)
            which = rng.integers(0, len(modes), num)
            noise = rng.standard_normal((num, 2), np.float32)
            points = modes[which] + np.float32(self.mixture.stddev) * noise
            return {"images": points.reshape(num, 1, 1, 2)[share.rows(num)]}

        return batch

"""Toys that everyone can see through: points drawn from a mixture of 2-D Gaussians.

`ring`: 8 modes on a circle of radius 0.8; `grid25`: 5 times 5 modes, 0.4 apart. The
standard deviations are as small against the whole as they usually are for these toys:
1/100 of the radius, 1/40 of the distance between neighbours.
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
    """A mixture as a data set of fresh points: pictures of one pixel, (x, y).

    Args:
        options: `dataset`, one of `MIXTURES`, and `batch_size`.

    Attributes:
        mixture: What is drawn from.

    Raises:
        UserError: for an option that points do not have.
    """

    def __init__(self, options: DataOptions):
        """Draws nothing yet."""
        for name in ("image_size", "channels", "horizontal_flip", "random_crop"):
            if getattr(options, name):
                raise UserError(
                    f"[data] {name}: '{options.dataset}' holds points, not pictures; "
                    "leave it away"
                )
        self.options, self.mixture = options, MIXTURES[options.dataset]()
        self.info = DataInfo((1, 1, 2))

    def batches(self, seed: int, share: Share = WHOLE) -> Callable[[int], Batch]:
        """From a step to its batch, a function of (seed, step)."""
        num, modes = self.options.batch_size, self.mixture.modes

        def batch(step: int) -> Batch:
            rng = pipeline.draws(pipeline.ORDER, seed, step)
            which = rng.integers(0, len(modes), num)
            noise = rng.standard_normal((num, 2), np.float32)
            points = modes[which] + np.float32(self.mixture.stddev) * noise
            return {"images": points.reshape(num, 1, 1, 2)[share.rows(num)]}

        return batch

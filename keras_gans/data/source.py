"""Common interface of all data sets for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_gans.data import pipeline
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.pipeline import Batch
from keras_gans.errors import UserError

if TYPE_CHECKING:
    from keras_gans.data.mixtures import Mixture


class Source:
    """Opened and checked data set.

    Attributes:
        info: Description of the data set.
        options: Options of the data set; `batch_size` counts the images of a training
            step.
        notes: Notes for the user.
        held_out: Source of the held-out images; None if there are none. Its
            `batch_size` counts the images of one update.
        mixture: Mixture from which points are drawn; None for images.
    """

    info: DataInfo
    options: DataOptions
    notes: tuple[str, ...] = ()
    held_out: Source | None = None
    mixture: Mixture | None = None

    def batches(self, seed: int, share: Share = WHOLE) -> Callable[[int], Batch] | None:
        """Return a function from a step to its batch; None if the data only stream.

        Args:
            seed: Seed of the order and of the augmentation.
            share: Rows of each batch to read.
        """
        return None

    def stream(self, seed: int, start_step: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches from a step on, a function of (seed, step).

        Args:
            seed: Seed of the order and of the augmentation.
            start_step: Step of the first batch.
            share: Rows of each batch to read.
        """
        return pipeline.stream(self.batches(seed, share), start_step)

    def take(self, numbers: np.ndarray) -> Source:
        """Return a source of the examples with these indices.

        Args:
            numbers: Indices of the examples, integers [num].

        Raises:
            UserError: If examples of the data set cannot be read by index.
        """
        raise UserError(
            f"[data] held_out: '{self.options.dataset}' is not read by index, so that "
            "no images can be held out; raise data.cache_mib for a TFDS data set"
        )

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each example once, in order: uint8 images and int32 labels.

        Args:
            size: Largest number of examples in a chunk.
        """
        raise NotImplementedError

    def identity(self) -> str:
        """Return a text that identifies the data set's images and labels."""
        raise NotImplementedError

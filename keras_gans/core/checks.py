"""Checks of data before a model trains on them."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_gans.errors import UserError

SCALING = (
    "scale values from 0 to 255 with x / 127.5 - 1, values from 0 to 1 with 2 * x - 1"
)


def check_pictures(pictures: np.ndarray, dataset: str = "") -> None:
    """Check that a model can learn from these images.

    Args:
        pictures: Images, float [num, height, width, channels] in [-1, 1], or a batch
            with the key "images".
        dataset: Name of the data set if this package has read and scaled the images.
            "" for other images; some of their values must be below 0.

    Raises:
        UserError: If the images have the wrong shape, are not finite, are not in
            [-1, 1], or are all identical.
    """
    if isinstance(pictures, dict):  # a batch
        pictures = pictures.get("images", np.zeros(0))
    try:
        pictures = np.asarray(pictures, np.float32)
    except (ValueError, TypeError):  # arrays of several shapes, as in (images, labels)
        pictures = np.zeros(0)
    if pictures.ndim != 4 or not pictures.size:
        raise UserError(
            "expected images, float [num, height, width, channels], got "
            + (f"shape {list(pictures.shape)}" if pictures.size else "none")
        )
    where = f"{len(pictures)} images" + (f" of '{dataset}'" if dataset else "")
    low, high = check_values(pictures, where)
    if low >= 0 and not dataset:
        raise UserError(_out_of_range(where, low, high))


def check_values(pictures: np.ndarray, where: str) -> tuple[float, float]:
    """Check the values of images: finite, in [-1, 1], and not all identical.

    Args:
        pictures: Images, [num, height, width, channels].
        where: Description of the images, for messages.

    Returns:
        The least and the greatest value.

    Raises:
        UserError: If a check fails.
    """
    low, high = float(np.min(pictures)), float(np.max(pictures))
    got = f"{low:.4g} to {high:.4g}"
    if not np.isfinite([low, high]).all():
        raise UserError(f"{where}: expected finite values, got {got}")
    if low < -1.001 or high > 1.001:
        raise UserError(_out_of_range(where, low, high))
    if len(pictures) > 1 and not np.ptp(pictures, axis=0).any():
        raise UserError(
            f"{where}: expected different images, got identical ones (values {got}); "
            "check the contents of the files"
        )
    return low, high


def _out_of_range(where: str, low: float, high: float) -> str:
    got = f"{low:.4g} to {high:.4g}"
    return f"{where}: expected values in [-1, 1], got {got}; {SCALING}"


def first_batch(x: Any) -> tuple[Any, Any]:
    """Return the first batch of any data that `fit` accepts, or arrays as they are.

    Args:
        x: Arrays, a `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator, or
            another iterable of batches, such as a PyTorch `DataLoader`.

    Returns:
        (batch, data): the batch; the data to train on in place of `x`. The batch is
        None if there is none.
    """
    if isinstance(x, keras.utils.PyDataset):
        return (x[0] if x.num_batches != 0 else None), x
    is_array = hasattr(x, "shape") or isinstance(x, dict | list | tuple)
    if is_array or not hasattr(x, "__iter__"):
        return x, x
    if not hasattr(x, "__next__"):  # starts again at each pass
        return next(iter(x), None), x
    batch = next(x, None)
    if batch is None:
        return None, x

    def again() -> Iterator[Any]:
        yield from itertools.chain([batch], x)

    return batch, again()


def check_batch(
    batch: dict[str, Any], shapes: dict[str, tuple[int | None, ...]], num_classes: int
) -> None:
    """Check values that a training step cannot check.

    Args:
        batch: Arrays by name: "images", "condition", "labels".
        shapes: {name: shape [height, width, channels] that the networks take, where
            None is any}.
        num_classes: Number of classes; 0 if it is not known.

    Raises:
        UserError: If images have another shape, or values that no generator makes, or
            if labels are out of range.
    """
    for name, shape in shapes.items():
        images = np.asarray(keras.ops.convert_to_numpy(batch[name]))
        if (
            len(images.shape) != 4
            or not images.size
            or any(
                side not in (None, given)
                for side, given in zip(shape, images.shape[1:], strict=True)
            )
        ):
            raise UserError(
                f"{name}: expected float [batch, {_words(shape)}], got "
                f"[{_words(images.shape)}]"
            )
        low, high = check_values(images, f"{name}")
        if low >= 0 and len(images) > 1:
            warnings.warn(_out_of_range(f"{name}", low, high), stacklevel=3)
    if "labels" not in batch:
        return
    labels = np.asarray(keras.ops.convert_to_numpy(batch["labels"]))
    low, high = labels.min(), labels.max()
    if low < 0 or (num_classes and high >= num_classes):
        most = f"{num_classes - 1}" if num_classes else "the number of classes - 1"
        one = "; use labels - 1" if low == 1 and high == num_classes else ""
        raise UserError(f"labels: expected 0 to {most}, got {low} to {high}{one}")


def _words(shape: tuple[int | None, ...]) -> str:
    return ", ".join("any" if side is None else str(side) for side in shape)

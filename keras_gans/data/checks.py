"""Checks of images before a model trains on them."""

from __future__ import annotations

import numpy as np

from keras_gans.errors import UserError


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
    low, high = float(np.min(pictures)), float(np.max(pictures))
    of, got = (f" of '{dataset}'" if dataset else ""), f"{low:.4g} to {high:.4g}"
    where = f"{len(pictures)} images{of}"
    if not np.isfinite([low, high]).all():
        raise UserError(f"{where}: expected finite values, got {got}")
    if low < -1.001 or high > 1.001 or (low >= 0 and not dataset):
        raise UserError(
            f"{where}: expected values in [-1, 1], got {got}; scale values from 0 to "
            "255 with x / 127.5 - 1, values from 0 to 1 with 2 * x - 1"
        )
    if len(pictures) > 1 and not np.ptp(pictures, axis=0).any():
        raise UserError(
            f"{where}: expected different images, got identical ones (values {got}); "
            "check the contents of the files"
        )

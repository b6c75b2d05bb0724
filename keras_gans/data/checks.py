"""Checks of images before a model trains on them."""

from __future__ import annotations

import numpy as np

from keras_gans.errors import UserError


def check_pictures(pictures: np.ndarray, dataset: str = "") -> None:
    """Checks that a model can learn from pictures, before it begins.

    Args:
        pictures: float [num, height, width, channels]; a batch will do.
        dataset: The data set that this package read them from, whose range is known;
            "" for pictures of your own, of which some should be darker than grey.

    Raises:
        UserError: if they are not in [-1, 1], not finite, or all the same.
    """
    if isinstance(pictures, dict):  # a batch
        pictures = pictures.get("images", np.zeros(0))
    try:
        pictures = np.asarray(pictures, np.float32)
    except (ValueError, TypeError):  # of several shapes, as (images, labels)
        pictures = np.zeros(0)
    if pictures.ndim != 4 or not pictures.size:
        raise UserError(
            "expected pictures, float [num, height, width, channels], got "
            + (f"shape {list(pictures.shape)}" if pictures.size else "none")
        )
    low, high = float(np.min(pictures)), float(np.max(pictures))
    of, got = (f" of '{dataset}'" if dataset else ""), f"{low:.4g} to {high:.4g}"
    where = f"{len(pictures)} pictures{of}"
    if not np.isfinite([low, high]).all():
        raise UserError(f"{where}: expected finite values, got {got}")
    if low < -1.001 or high > 1.001 or (low >= 0 and not dataset):
        raise UserError(
            f"{where}: expected values in [-1, 1], got {got}; scale them, as x / 127.5 "
            "- 1 of 0 to 255, or 2 * x - 1 of 0 to 1"
        )
    if len(pictures) > 1 and not np.ptp(pictures, axis=0).any():
        raise UserError(
            f"{where}: expected pictures that differ, got the same one (values {got}): "
            "there is nothing to learn; look at what the files hold"
        )

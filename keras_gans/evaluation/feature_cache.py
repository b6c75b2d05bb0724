"""Keeps what real pictures left, so that the next evaluation need not look again."""

from __future__ import annotations

import os
import zipfile

import numpy as np

from keras_gans.data.folder import fingerprint
from keras_gans.evaluation import collect
from keras_gans.evaluation.collect import Seen
from keras_gans.evaluation.features.network import RESIZER, FeatureNetwork
from keras_gans.evaluation.streams import DataPictures
from keras_gans.storage import caches

FORMAT = 1  # raise it when `measuring.look` finds other things in the same pictures
MOST = 4 * 2**30  # bytes that are kept; what was used longest ago goes first


def look(pictures: DataPictures, network: FeatureNetwork, by_class: bool) -> Seen:
    """Looks at real pictures, or remembers what an earlier look has left.

    A set counts as the same while its files have the same names, sizes and times.

    Args:
        pictures: The pictures.
        network: What looks at them.
        by_class: See `measuring.look`.

    Returns:
        What `measuring.look` returns.
    """
    words = FORMAT, pictures.identity(), pictures.image_shape, pictures.num
    words += pictures.class_names, network.identity(), RESIZER, by_class
    path = os.path.join(
        caches.folder("features"), f"{fingerprint(map(str, words))}.npz"
    )
    seen = _read(path)
    if seen is not None:
        print(f"{pictures.title}: {len(seen.features)} looked at before", flush=True)
        return seen
    seen = collect.look(pictures, network, by_class)
    try:
        _write(path, seen)
    except OSError:
        pass  # no room, or not ours to write to: the next one looks again
    return seen


def _read(path: str) -> Seen | None:
    try:
        with np.load(path) as arrays:
            mean, deviation, accuracy, ms_ssim = map(float, arrays["numbers"])
            found = arrays["features"]
        os.utime(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    accuracy, ms_ssim = (None if np.isnan(v) else v for v in (accuracy, ms_ssim))
    return Seen(found, (mean, deviation), accuracy, ms_ssim)


def _write(path: str, seen: Seen) -> None:
    os.makedirs(caches.folder("features"), exist_ok=True)
    optional = (np.nan if v is None else v for v in (seen.accuracy, seen.ms_ssim))
    # Of this process alone: two may look at the same pictures.
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        np.savez(file, features=seen.features, numbers=[*seen.score, *optional])
    os.replace(temporary, path)
    kept = sorted(
        os.scandir(caches.folder("features")),
        key=lambda e: e.stat().st_mtime,
        reverse=True,
    )
    total = 0
    for entry in kept:
        total += entry.stat().st_size
        if total > MOST and entry.path != path:
            os.remove(entry.path)

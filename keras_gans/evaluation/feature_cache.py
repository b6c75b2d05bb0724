"""Disk cache of the statistics of real images."""

from __future__ import annotations

import os
import zipfile

import numpy as np

from keras_gans.data.folder import fingerprint
from keras_gans.evaluation import collect as collect_lib
from keras_gans.evaluation.collect import StreamStats
from keras_gans.evaluation.features.network import RESIZER, FeatureNetwork
from keras_gans.evaluation.streams import DataPictures
from keras_gans.storage import caches, files

FORMAT = 3  # to be raised when `collect.collect` changes its values of the same images
MOST = 4 * 2**30  # bytes of the cache; the least recently used files are deleted first


def collect(
    pictures: DataPictures,
    network: FeatureNetwork,
    by_class: bool,
    with_changes: bool,
) -> StreamStats:
    """Collect the statistics of real images, or read them from the cache.

    A folder counts as unchanged while its files have the same names, sizes and times.

    Args:
        pictures: Stream of real images.
        network: Feature network.
        by_class: Whether to form the pairs of MS-SSIM within each class, instead of
            from any two images.
        with_changes: Whether to collect `StreamStats.changed`.

    Returns:
        The result of `evaluation.collect.collect` for the same arguments.
    """
    words = FORMAT, pictures.identity(), pictures.image_shape, pictures.num
    words += pictures.class_names, network.identity(), RESIZER, by_class
    words += (with_changes,)
    path = os.path.join(
        caches.folder("features"), f"{fingerprint(map(str, words))}.npz"
    )
    stats = _read(path)
    if stats is not None:
        print(
            f"{pictures.title}: cached features of {len(stats.features)} images",
            flush=True,
        )
        return stats
    stats = collect_lib.collect(pictures, network, by_class, with_changes)
    try:
        _write(path, stats)
    except OSError:
        pass  # a full or read-only disk: the next evaluation collects again
    return stats


def _read(path: str) -> StreamStats | None:
    try:
        with np.load(path) as arrays:
            mean, deviation, accuracy, ms_ssim = map(float, arrays["numbers"])
            found, counts = arrays["features"], arrays["class_counts"]
            changed = arrays["changed"], arrays["changed_rows"]
        os.utime(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    accuracy, ms_ssim = (None if np.isnan(v) else v for v in (accuracy, ms_ssim))
    counts = counts if len(counts) else None
    return StreamStats(found, (mean, deviation), accuracy, ms_ssim, counts, *changed)


def _write(path: str, stats: StreamStats) -> None:
    os.makedirs(caches.folder("features"), exist_ok=True)
    files.sweep(caches.folder("features"))
    optional = (np.nan if v is None else v for v in (stats.accuracy, stats.ms_ssim))
    counts = () if stats.class_counts is None else stats.class_counts
    numbers = [*stats.score, *optional]
    # Two processes may collect statistics of the same images at the same time.
    with files.replacing_shared(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            features=stats.features,
            numbers=numbers,
            class_counts=np.array(counts, int),
            changed=stats.changed,
            changed_rows=stats.changed_rows,
        )
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

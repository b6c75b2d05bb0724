"""Folders of PNG, JPEG and WebP images of any size."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_gans.data import conditions, images, pipeline, survey
from keras_gans.data.arrays import ArraySource
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.pipeline import Batch
from keras_gans.data.source import Source
from keras_gans.device.sampler import ENDINGS
from keras_gans.errors import UserError

_LOG = logging.getLogger(__name__)
THREADS = 2 * (os.cpu_count() or 1)  # Pillow decodes outside Python's global lock


def open_folder(root: str, options: DataOptions) -> Source:
    """Open a folder of images, flat (no labels) or with one sub-folder for each class.

    Data sets of up to `options.cache_mib` are decoded here and kept in memory; larger
    ones are read on demand. Unreadable files are named in a warning and left out.

    Args:
        root: Path of the folder, which is searched at every depth.
        options: Options of the data set. `survey.choose` chooses an image_size or
            channels of 0.

    Returns:
        The opened source; its `notes` record the choices.

    Raises:
        UserError: If the folder does not exist, has no readable image, or has images
            beside its sub-folders.
    """
    root = os.path.expanduser(root)
    if not os.path.isdir(root):
        raise UserError(f"[data] dataset: no folder '{root}'")
    paths, labels, class_names = _list(root)
    if not paths:
        raise UserError(
            f"[data] dataset: no images in '{root}'; expected files that end in "
            f"{', '.join(ENDINGS)}, flat or in one sub-folder for each class"
        )
    choice = survey.choose(paths, options.image_size, options.channels)
    size, channels = choice.image_size, choice.channels
    info = DataInfo(
        (size, size, channels),
        len(class_names),
        class_names,
        num_examples=len(paths),
        fingerprint=fingerprint(os.path.relpath(path, root) for path in paths),
    )
    read = functools.partial(
        images.read, image_size=options.stored_size(size), channels=channels
    )
    return open_files(paths, labels, info, options, read, choice.notes)


def open_files(
    paths: list[str],
    labels: np.ndarray,
    info: DataInfo,
    options: DataOptions,
    read: Callable[[str], np.ndarray],
    notes: tuple[str, ...],
) -> Source:
    """Open a list of image files.

    Args:
        paths: Paths of the image files, at least one.
        labels: Class labels, int32 [num].
        info: Description of the data set if all files are readable.
        options: Options of the data set.
        read: Function from a path to a uint8 array of `stored_shape`. It raises OSError
            for a corrupt file.
        notes: Notes for the user.

    Returns:
        The opened source.

    Raises:
        UserError: If no file can be read.
    """
    none = UserError(
        f"[data] dataset: none of the {len(paths)} images of {options.dataset} can "
        "be read; expected PNG, JPEG or WebP files"
    )
    shape = conditions.stored_shape(info, options)
    if len(paths) * int(np.prod(shape)) > options.cache_mib * 2**20:
        if all(
            _try(read, path) is None for path in paths
        ):  # stops at the first readable file
            raise none
        source = FolderSource(paths, labels, info, options, read)
        source.notes = notes
        return source
    with ThreadPoolExecutor(THREADS) as pool:
        decoded = list(pool.map(functools.partial(_try, read), paths))
    bad = [
        path for path, picture in zip(paths, decoded, strict=True) if picture is None
    ]
    _report(bad, len(paths))
    kept = [i for i, picture in enumerate(decoded) if picture is not None]
    if not kept:
        raise none
    info = dataclasses.replace(info, num_examples=len(kept))
    pictures = np.stack([decoded[i] for i in kept])
    source = ArraySource(pictures, labels[kept], info, options)
    source.notes = notes
    return source


def common_side(root: str) -> int:
    """Return the side in pixels of a folder's images, all square and of one size.

    Args:
        root: Path of the folder.

    Raises:
        UserError: If no image can be read, or the images are not all square and of one
            size.
    """
    paths, _, _ = _list(os.path.expanduser(root))
    sizes = {size for size in map(survey.size_of, paths) if size}
    if not sizes:
        raise UserError(
            f"{root}: no images that can be read; expected files that end in "
            f"{', '.join(ENDINGS)}"
        )
    (width, height), *others = sorted(sizes)
    if others or width != height:
        found = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3])
        raise UserError(
            f"{root}: expected square images of one size, as a generator makes them, "
            f"got {found}{', ...' if len(sizes) > 3 else ''}; resize them to one size"
        )
    return width


class FolderSource(Source):
    """Image files that are read on demand, in constant memory.

    Args:
        paths: Paths of the image files.
        labels: Class labels, int32 [num].
        info: Description of the data set.
        options: Options of the data set.
        read: Function from a path to uint8 [height, width, channels]. It raises OSError
            for a corrupt file.
    """

    def __init__(self, paths, labels, info, options, read):
        self.paths, self.labels, self.info = paths, labels, info
        self.options, self._read = options, read
        self.bad: set[str] = set()

    def take(self, numbers: np.ndarray) -> FolderSource:
        """Return a source of the files with these indices."""
        info = dataclasses.replace(self.info, num_examples=len(numbers))
        paths, labels = [self.paths[n] for n in numbers], self.labels[numbers]
        return FolderSource(paths, labels, info, self.options, self._read)

    def identity(self) -> str:
        """Return a hash of the paths, sizes and modification times of the files."""
        return fingerprint_of_files(self.paths)

    def batches(self, seed: int, share: Share = WHOLE) -> Callable[[int], Batch]:
        """Return a function from a step to its batch; it depends on (seed, step)."""
        pool = ThreadPoolExecutor(THREADS)
        return pipeline.random_access(
            len(self.paths),
            lambda numbers: self._batch(pool, numbers),
            self.info,
            self.options,
            seed,
            share,
        )

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each readable example once, in order: uint8 images and int32 labels."""
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(self.paths), size):
                paths = self.paths[start : start + size]
                read = list(pool.map(functools.partial(_try, self._read), paths))
                good = [i for i, picture in enumerate(read) if picture is not None]
                _report([p for i, p in enumerate(paths) if read[i] is None], len(paths))
                if good:
                    labels = self.labels[start + np.array(good)]
                    pictures = np.stack([read[i] for i in good])
                    yield conditions.centre(pictures, self.info, self.options), labels

    def _batch(self, pool, numbers):
        found = list(pool.map(self._one, numbers))
        chosen = [number for number, _ in found]
        return np.stack([picture for _, picture in found]), self.labels[chosen]

    def _one(self, number: int) -> tuple[int, np.ndarray]:
        # The next readable file replaces a corrupt one, so that the order stays a
        # function of (seed, step).
        for _ in self.paths:
            path = self.paths[number]
            picture = _try(self._read, path)
            if picture is not None:
                return number, picture
            if path not in self.bad:
                self.bad.add(path)
                _LOG.warning(
                    "left out %s, which cannot be read (so far %d of %d files)",
                    path,
                    len(self.bad),
                    len(self.paths),
                )
            number = (number + 1) % len(self.paths)
        raise OSError(f"none of {len(self.paths)} images can be read, including {path}")


def fingerprint(words: Iterable[str]) -> str:
    """Return a hash of words, such as the names of a folder's files."""
    text = "\n".join(words)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def fingerprint_of_files(paths: Iterable[str]) -> str:
    """Return a hash of the paths, sizes and modification times of files."""
    found = ((os.path.abspath(path), os.stat(path)) for path in paths)
    return fingerprint(f"{p} {s.st_size} {s.st_mtime_ns}" for p, s in found)


def list_files(root: str) -> list[str]:
    """List the image files in a folder at every depth, by folder, then by name.

    Hidden files and hidden folders are left out.
    """
    files = []
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                files.append(os.path.join(folder, name))
    return files


def _list(root: str) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """List image files: (paths, labels, class names).

    The classes are the first-level sub-folders that contain images, if at least two do.
    """
    paths = list_files(root)
    files = [
        (os.path.relpath(os.path.dirname(path), root).split(os.sep)[0], path)
        for path in paths
    ]
    tops = sorted({top for top, _ in files})
    if len(tops) < 2:
        tops = ()  # flat, or a single sub-folder: no classes
    elif "." in tops:
        raise UserError(
            f"[data] dataset: '{root}' has images beside its sub-folders; expected "
            "either no sub-folders, or every image in the sub-folder of its class"
        )
    number = {top: i for i, top in enumerate(tops)}
    labels = np.array([number.get(top, 0) for top, _ in files], np.int32)
    return [path for _, path in files], labels, tuple(tops)


def _try(read, path: str) -> np.ndarray | None:
    try:
        return read(path)
    except OSError:
        return None


def _report(bad: list[str], total: int) -> None:
    if bad:
        shown = ", ".join(bad)
        _LOG.warning(
            "left out %d of %d files that cannot be read: %s", len(bad), total, shown
        )

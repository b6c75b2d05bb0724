"""Folders of images of any size, in the formats that Pillow reads."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import os
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
# Folders and files that systems and archives leave beside images.
SYSTEM = {
    *("@eadir", "__macosx", "#recycle", "@recycle", "$recycle.bin", "lost+found"),
    *("system volume information", "thumbs.db", "desktop.ini"),
}
# Names of folders that hold a split: train, validation or test.
SPLIT = re.compile(
    r"(?:(train(?:ing)?|trn)|(val(?:id(?:ation)?)?|dev)|(test(?:ing)?|tst|eval))"
    r"[ _-]?(?:set|data|images?|imgs?|split|[abxy]|\d{4})?",
    re.IGNORECASE,
)
NAMED = 5  # names that a message lists before it counts the others


@dataclasses.dataclass(frozen=True)
class Listing:
    """Image files of a folder, and what else is in it.

    Attributes:
        root: Path of the folder.
        paths: Paths of the image files, by folder, then by name.
        left: Numbers of other things by their kind in words, such as {".txt": 3}.
    """

    root: str
    paths: list[str]
    left: Counter[str]

    def names(self, depth: int) -> list[str]:
        """Return the name of each image's folder at a depth from 1; "" if above."""
        folders = [path[len(self.root) :].split(os.sep)[:-1] for path in self.paths]
        folders = [[part for part in parts if part] for parts in folders]
        return [parts[depth - 1] if len(parts) >= depth else "" for parts in folders]


def open_folder(root: str, options: DataOptions) -> Source:
    """Open a folder of images, flat (no labels) or with one sub-folder for each class.

    Data sets of up to `options.cache_mib` are decoded here and kept in memory; larger
    ones are read on demand. Unreadable files are left out, with a warning.

    Args:
        root: Path of the folder, which is searched at every depth.
        options: Options of the data set. `survey.choose` chooses an image_size or
            channels of 0.

    Returns:
        The opened source; its `notes` record the choices.

    Raises:
        UserError: If the folder does not exist or has images beside its sub-folders, if
            a class has no readable image, or if the sub-folders are splits.
    """
    listing = list_images(root)
    check_splits(listing, "folder")
    tops, labels, class_names = _classes(listing)
    if not listing.paths:
        raise UserError(
            f"[data] dataset: no images in '{listing.root}'; expected files that end "
            f"in {', '.join(ENDINGS)}, flat or in one sub-folder for each class"
            + left_out(listing.left)
        )
    paths, sizes = listing.paths, survey.measure(listing.paths)
    good = [i for i, size in enumerate(sizes) if not isinstance(size, str)]
    choice = survey.choose(
        [paths[i] for i in good],
        options.image_size,
        options.channels,
        [sizes[i] for i in good],
    )
    size, channels = choice.image_size, choice.channels
    info = DataInfo(
        (size, size, channels),
        len(class_names),
        class_names,
        num_examples=len(paths),
        fingerprint=fingerprint(os.path.relpath(p, listing.root) for p in paths),
        contents=contents(paths),
    )
    read = functools.partial(
        images.read, image_size=options.stored_size(size), channels=channels
    )
    notes = (*_nesting(listing, tops), *choice.notes)
    return open_files(paths, labels, info, options, read, notes, sizes, listing.left)


def open_files(
    paths: list[str],
    labels: np.ndarray,
    info: DataInfo,
    options: DataOptions,
    read: Callable[[str], np.ndarray],
    notes: tuple[str, ...],
    sizes: Sequence[tuple[int, int] | str],
    left: Mapping[str, int],
    kind: str = "images",
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
        sizes: Size (width, height) of each file, or the reason why it is unreadable.
        left: Numbers of other things in the folder by their kind.
        kind: Word for the examples.

    Returns:
        The opened source. Its first note counts the examples and the classes.

    Raises:
        UserError: If no file can be read, or no file of a class.
    """
    bad = {p: s for p, s in zip(paths, sizes, strict=True) if isinstance(s, str)}
    good = [i for i, path in enumerate(paths) if path not in bad]
    cached = len(good) * int(np.prod(conditions.stored_shape(info, options)))
    cached = cached <= options.cache_mib * 2**20
    decoded: dict[int, np.ndarray] = {}
    if cached:
        with ThreadPoolExecutor(survey.THREADS) as pool:
            results = pool.map(lambda i: _try(read, paths[i]), good)
            for i, result in zip(good, results, strict=True):
                if isinstance(result, str):
                    bad[paths[i]] = result
                else:
                    decoded[i] = result
        good = list(decoded)
    _report(bad, len(paths))
    # Of files that are read on demand, the first readable one of a class is enough.
    missing = set(range(max(1, info.num_classes)))
    for i in good:
        if labels[i] in missing and (cached or _readable(read, paths[i])):
            missing.remove(labels[i])
        if not missing:
            break
    if missing:
        raise _none(paths, labels, min(missing), info, options, bad)
    notes = (_summary(kind, len(good), info, sizes, left, len(bad)), *notes)
    info = dataclasses.replace(info, num_examples=len(good))
    source: Source
    if cached:
        pictures = np.stack([decoded[i] for i in good])
        source = ArraySource(pictures, labels[good], info, options)
    else:
        readable = [paths[i] for i in good]
        source = FolderSource(readable, labels[good], info, options, read)
    source.notes = notes
    return source


def _none(paths, labels, label, info, options, bad) -> UserError:
    """Return the error for a data set, or a class, without a readable file."""
    files = [
        path for path, number in zip(paths, labels, strict=True) if number == label
    ]
    why = f"{shown(os.path.basename(files[0]))}: {bad.get(files[0], 'damaged')}"
    if info.class_names and len(bad) < len(paths):
        return UserError(
            f"[data] dataset: class '{info.class_names[label]}' of {options.dataset} "
            f"has no image: none of its {len(files)} files can be read ({why}); "
            "replace the files, or remove the sub-folder"
        )
    return UserError(
        f"[data] dataset: none of the {len(paths)} images of {options.dataset} can be "
        f"read ({why}); expected PNG, JPEG, WebP or other image files"
    )


def _summary(kind, number, info, sizes, left, unreadable) -> str:
    """Return the first note: examples, classes, sizes and what was left out."""
    text = f"{number:,} {kind}"
    if info.class_names:
        text += f", {info.num_classes} classes: {listed(info.class_names)}"
    known = sorted({s for s in sizes if not isinstance(s, str)}, key=np.prod)
    ends = dict.fromkeys((known[0], known[-1])) if known else ()
    text += "; sizes " + " to ".join(f"{w}x{h}" for w, h in ends) + " pixels"
    unread = {"unreadable files": unreadable} if unreadable else {}
    return text + left_out({**unread, **left})


def left_out(left: Mapping[str, int]) -> str:
    """Return words such as "; left out: .txt (3)" for numbers by kind; "" for none."""
    words = [f"{shown(kind)[:40]} ({number:,})" for kind, number in left.items()]
    words[8:] = [f"{len(words) - 8} other kinds of files"] * (len(words) > 8)
    return f"; left out: {', '.join(words)}" if words else ""


def listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    first = [shown(name)[:40] for name in names[: 2 * NAMED]]
    others = len(names) - len(first)
    return ", ".join(first) + (f" and {others:,} more" if others else "")


def shown(name: str) -> str:
    """Return a file's name as printable text in Unicode."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def common_side(root: str) -> int:
    """Return the side in pixels of a folder's images, all square and of one size.

    Args:
        root: Path of the folder.

    Raises:
        UserError: If no image can be read, or the images are not all square and of one
            size.
    """
    measured = survey.measure(list_images(root).paths)
    sizes = {size for size in measured if not isinstance(size, str)}
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
        pool = ThreadPoolExecutor(survey.THREADS)
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
        with ThreadPoolExecutor(survey.THREADS) as pool:
            for start in range(0, len(self.paths), size):
                paths = self.paths[start : start + size]
                read = list(pool.map(functools.partial(_try, self._read), paths))
                bad = {
                    p: r for p, r in zip(paths, read, strict=True) if isinstance(r, str)
                }
                good = [i for i, path in enumerate(paths) if path not in bad]
                _report(bad, len(paths))
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
            if not isinstance(picture, str):
                return number, picture
            if path not in self.bad and len(self.bad) < 2 * NAMED:
                self.bad.add(path)
                _LOG.warning(
                    "left out %s, which cannot be read: %s (so far %d of %d files)",
                    shown(path),
                    picture,
                    len(self.bad),
                    len(self.paths),
                )
            number = (number + 1) % len(self.paths)
        raise OSError(f"none of {len(self.paths)} images can be read, including {path}")


def fingerprint(words: Iterable[str]) -> str:
    """Return a hash of words, such as the names of a folder's files."""
    text = "\n".join(words)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def contents(paths: Iterable[str]) -> str:
    """Return a hash of the sizes and the last bytes of files, whatever their paths."""
    with ThreadPoolExecutor(survey.THREADS) as pool:
        return fingerprint(pool.map(_size_and_end, paths))


def _size_and_end(path: str) -> str:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4096))
            return f"{size} {zlib.crc32(file.read())}"
    except OSError:
        return ""  # such files are left out


def fingerprint_of_files(paths: Iterable[str]) -> str:
    """Return a hash of the paths, sizes and modification times of files."""
    found = ((os.path.abspath(path), os.stat(path)) for path in paths)
    return fingerprint(f"{p} {s.st_size} {s.st_mtime_ns}" for p, s in found)


def list_images(root: str) -> Listing:
    """List the image files in a folder at every depth, by folder, then by name.

    Hidden files, and hidden folders, are left out. Each folder is read once: a link to
    a folder that is read already is left out.

    Args:
        root: Path of the folder.

    Raises:
        UserError: If the folder does not exist.
    """
    root = os.path.expanduser(root)
    if not os.path.isdir(root):
        raise UserError(f"[data] dataset: no folder '{root}'")
    top = os.path.realpath(root)
    paths, left, seen = [], Counter(), {top}

    def closed(error: OSError) -> None:
        left["folders that cannot be opened"] += 1

    for folder, subfolders, names in os.walk(root, onerror=closed, followlinks=True):
        kept = []
        for name in sorted(subfolders):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if _hidden(name):
                left["hidden folders"] += 1
            elif real in seen or (os.path.islink(path) and _related(real, top)):
                left["links to folders that are read already"] += 1
            else:
                seen.add(real)
                kept.append(name)
        subfolders[:] = kept
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not name.lower().endswith(ENDINGS):
                if not _hidden(name):
                    ending = os.path.splitext(name)[1].lower()
                    left[ending or "files without an ending"] += 1
            elif _hidden(name):
                left["hidden files"] += 1
            elif not os.path.isfile(path):
                left["broken links or pipes"] += 1
            else:
                paths.append(path)
    return Listing(root, paths, left)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in SYSTEM


def _related(path: str, top: str) -> bool:
    """Return whether one of two real paths is inside the other."""
    try:
        return os.path.commonpath([path, top]) in (path, top)
    except ValueError:  # other drives of Windows
        return False


def check_splits(listing: Listing, kind: str) -> None:
    """Check that a folder does not hold a training set and a test set.

    Args:
        listing: Image files of the folder.
        kind: Kind of the data set, for the message: "folder", "pairs", or "one of" for
            one of its two folders.

    Raises:
        UserError: If sub-folders have the names of two or more splits.
    """
    tops, root = listing.names(1), listing.root
    inside: dict[str, set[str]] = {}
    for top, below in zip(tops, listing.names(2), strict=True):
        inside.setdefault(top, set()).add(below)
    splits = _splits(inside)
    if splits:
        train, *_, test = splits
        use = f"{kind}:{root}/{train}, and --reference={kind}:{root}/{test} to evaluate"
        if kind == "one of":
            use = f"one of them, such as {root}/{train}"
        if (
            train[-1] in "AB"
            and f"{train[:-1]}A" in inside
            and f"{train[:-1]}B" in inside
        ):
            use = f"unpaired:{root}/{train[:-1]}A,{root}/{train[:-1]}B"
        raise UserError(
            f"[data] dataset: '{root}' holds splits ({listed(splits)}), not classes; "
            f"use {use}"
        )
    prefix = "" if kind == "one of" else f"{kind}:"
    for top, below in inside.items():
        splits = _splits(below)
        if splits:
            raise UserError(
                f"[data] dataset: '{root}/{shown(top)}' holds splits "
                f"({listed(splits)}); expected one folder for each split, with the "
                f"sub-folders of the classes inside, as in {prefix}{root}/{splits[0]}"
            )


def _splits(names: Iterable[str]) -> list[str]:
    """Return the names of splits, training first; [] if fewer than two kinds."""
    found = {n: m.lastindex for n in sorted(names) if (m := SPLIT.fullmatch(n))}
    return sorted(found, key=found.get) if len(set(found.values())) > 1 else []


def _classes(listing: Listing) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
    """Return the classes of a folder: (sub-folders, labels, class names).

    The classes are the first-level sub-folders that contain images, if at least two do.
    Sub-folders whose names are numbers are in the order of the numbers.
    """
    of = listing.names(1)
    tops = sorted(set(of))
    if len(tops) < 2:
        tops = []  # flat, or a single sub-folder: no classes
    elif "" in tops:
        raise UserError(
            f"[data] dataset: '{listing.root}' has images beside its sub-folders; "
            "expected either no sub-folders, or every image in the sub-folder of its "
            "class"
        )
    elif all(top.isascii() and top.isdecimal() for top in tops):
        tops.sort(key=lambda top: (int(top), top))
    # A name that is not UTF-8 gets a replacement character, so that it can be written.
    names = [os.fsencode(top).decode("utf-8", "replace") for top in tops]
    same = Counter(unicodedata.normalize("NFC", name) for name in names)
    for name, number in same.items():
        if number > 1:
            raise UserError(
                f"[data] dataset: {number} sub-folders of '{listing.root}' have the "
                f"same name '{shown(name)}' in different encodings; rename one of them"
            )
    label = {top: i for i, top in enumerate(tops)}
    labels = np.array([label.get(top, 0) for top in of], np.int32)
    return tops, labels, tuple(names)


def _nesting(listing: Listing, tops: Sequence[str]) -> tuple[str, ...]:
    """Return a note on sub-folders that are no classes."""
    pairs = zip(listing.names(1), listing.names(2), strict=True)
    inner = {pair for pair in pairs if pair[1]}
    if tops and inner:
        return (
            "the classes are the sub-folders of the first level; the "
            f"{len(inner):,} folders inside them are not classes",
        )
    if len(inner) > 1:  # a single sub-folder
        top = next(iter(inner))[0]
        return (
            f"no classes: all images are in the sub-folder '{shown(top)}'; use "
            f"folder:{listing.root}/{shown(top)} for its {len(inner):,} sub-folders",
        )
    return ()


def _try(read, path: str) -> np.ndarray | str:
    """Read a file; return the reason if it cannot be read."""
    try:
        return read(path)
    except OSError as error:
        return str(error)


def _readable(read, path: str) -> bool:
    return not isinstance(_try(read, path), str)


def _report(bad: Mapping[str, str], total: int) -> None:
    """Warn of unreadable files: the first names with their reasons, and the number."""
    if bad:
        first = [f"{shown(path)} ({bad[path]})" for path in list(bad)[:NAMED]]
        more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        names = ", ".join(first) + more
        _LOG.warning(
            "left out %d of %d files that cannot be read: %s", len(bad), total, names
        )

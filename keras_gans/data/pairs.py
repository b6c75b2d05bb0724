"""Data sets with two kinds of images, A and B, with or without pairs."""

from __future__ import annotations

import dataclasses
import functools
import os
import unicodedata
from collections import Counter
from typing import Any

import numpy as np

from keras_gans.data import folder, images, pipeline, survey
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.source import Source
from keras_gans.errors import UserError


def open_pairs(rest: str, options: DataOptions) -> Source:
    """Open a data set of image pairs.

    Args:
        rest: Name of the data set after "pairs:". "A,B" is two folders with files of
            equal names. A single folder has images with A in the left half and B in the
            right half.
        options: Options of the data set; `direction` selects the condition images.

    Returns:
        The opened source.

    Raises:
        UserError: If the folders do not exist or have no pairs.
    """
    parts = rest.split(",")
    if len(parts) > 2:
        raise UserError(
            f"[data] dataset: pairs:{rest}: expected two folders, or one of images "
            "with A and B side by side"
        )
    if len(parts) == 2 and len({*map(_real_path, parts)}) == 1:
        raise UserError(f"[data] dataset: pairs:{rest}: expected two different folders")
    kind = "pairs" if len(parts) == 1 else "one of"
    listings = [_list(part, kind) for part in parts]
    files = [_by_name(listing) for listing in listings]
    others = Counter(listings[0].left)
    alone: list[str] = []
    if len(parts) == 2:
        others += listings[1].left
        matches = _match(*files)
        a, b = ([one[i] for one in matches] for i in range(2))
        alone = sorted({*files[0].values(), *files[1].values()} - {*a, *b})
        if not matches:
            first, second = (next(iter(names)) for names in files)
            raise UserError(
                "[data] dataset: expected files of equal names (endings may differ) in "
                f"'{parts[0]}' and '{parts[1]}', got none; the first are "
                f"'{folder.shown(first)[:80]}' and '{folder.shown(second)[:80]}'"
            )
    else:
        a = b = list(files[0].values())
    root = listings[0].root
    names = [_stem(path, root) for path in a]
    if options.direction == "b_to_a":
        a, b = b, a
    size, channels, condition_channels, notes = _choose(a, b, options)
    sizes = survey.measure(b)
    if len(parts) == 1:
        _check_halves(listings[0], sizes)
    else:
        for i, given in enumerate(survey.measure(a)):
            if isinstance(given, str):
                sizes[i] = f"{os.path.basename(a[i])}: {given}"
    nearest = options.label_maps
    if alone:
        notes = (
            *notes,
            f"{len(alone):,} files have no partner of the same name and are left out: "
            + folder.listed(alone),
        )
    stored = options.stored_size(size)
    made = functools.partial(images.read, image_size=stored, channels=channels)
    given = functools.partial(
        images.read, image_size=stored, channels=condition_channels, nearest=nearest
    )
    if len(parts) == 1:
        left, right = (0, 0, 0.5, 1), (0.5, 0, 1, 1)
        if options.direction == "b_to_a":
            left, right = right, left
        made, given = (
            functools.partial(made, part=right),
            functools.partial(given, part=left),
        )

    partner = dict(zip(b, a, strict=True))

    def read(path: str) -> np.ndarray:
        return np.concatenate([made(path), given(partner[path])], axis=-1)

    info = DataInfo(
        (size, size, channels),
        num_examples=len(names),
        fingerprint=folder.fingerprint(names),
        contents=folder.contents(dict.fromkeys([*a, *b])),
        condition_shape=(size, size, condition_channels),
    )
    none = np.zeros(len(b), np.int32)
    return folder.open_files(
        b, none, info, options, read, notes, sizes, others, kind="pairs"
    )


def open_unpaired(rest: str, options: DataOptions) -> Source:
    """Open two folders of images without pairs.

    Args:
        rest: Name of the data set after "unpaired:", which is two folders, "A,B".
        options: Options of the data set; `direction` selects the condition images.

    Returns:
        The opened source.

    Raises:
        UserError: If there are not two folders, or one of them has no images.
    """
    parts = rest.split(",")
    if len(parts) != 2:
        raise UserError(f"[data] dataset: unpaired:{rest}: expected two folders: A,B")
    if options.direction == "b_to_a":
        parts = parts[::-1]
    listings = [_list(part, "one of") for part in parts]
    found = [_by_name(listing) for listing in listings]
    paths = [list(files.values()) for files in found]
    size, channels, condition_channels, notes = _choose(*paths, options)
    sources = []
    depths = condition_channels, channels
    for listing, files, depth in zip(listings, found, depths, strict=True):
        stored = options.stored_size(size)
        read = functools.partial(images.read, image_size=stored, channels=depth)
        info = DataInfo(
            (size, size, depth),
            num_examples=len(files),
            fingerprint=folder.fingerprint(
                _stem(path, listing.root) for path in files.values()
            ),
            contents=folder.contents(files.values()),
        )
        none, listed = np.zeros(len(files), np.int32), list(files.values())
        sizes, left = survey.measure(listed), listing.left
        kind = f"images in {listing.root}"
        sources.append(
            folder.open_files(listed, none, info, options, read, (), sizes, left, kind)
        )
    given, made = sources
    source = UnpairedSource(made, given)
    source.notes = (*made.notes, *given.notes, *notes)
    return source


def open_cycle_gan(name: str, options: DataOptions, data_dir: str | None) -> Source:
    """Open a data set of TFDS's cycle_gan.

    Its splits are trainA, trainB, testA and testB.

    Args:
        name: Name of the data set, such as "cycle_gan/horse2zebra".
        options: Options of the data set. `split` is "train" or "test"; `direction`
            selects the condition images.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        The opened source.

    Raises:
        UserError: If `split` is neither "train" nor "test", or as in `open_tfds`.
    """
    from keras_gans.data.tfds import open_tfds

    if options.split not in ("train", "test"):
        raise UserError(
            f"[data] split: expected train or test of cycle_gan, got '{options.split}'"
        )
    letters = "AB" if options.direction == "a_to_b" else "BA"
    given, made = (
        open_tfds(
            name,
            dataclasses.replace(options, split=f"{options.split}{letter}"),
            data_dir,
        )
        for letter in letters
    )
    return UnpairedSource(made, given)


class UnpairedSource(Source):
    """Images and condition images of two sources, each in its own order.

    Args:
        made: Source of the images.
        given: Source of the condition images. These are its own condition images if it
            has any, else its images. It may be the same source as `made`.
    """

    def __init__(self, made: Source, given: Source):
        self.made, self.given = made, given
        info = given.info
        prints = (made.info.fingerprint, info.fingerprint)
        contents = (made.info.contents, info.contents)
        self.info = dataclasses.replace(
            made.info,
            num_classes=0,
            class_names=(),
            condition_shape=info.condition_shape or info.image_shape,
            unpaired=True,
            fingerprint=folder.fingerprint(prints) if any(prints) else "",
            contents=folder.fingerprint(contents) if any(contents) else "",
        )
        both = (made,) if made is given else (made, given)
        self.notes = tuple(note for source in both for note in source.notes)

    @property
    def options(self) -> DataOptions:
        """Options of the source of the images."""
        return self.made.options

    @options.setter
    def options(self, options: DataOptions) -> None:
        for source in (self.made, self.given):  # they differ in data set and split
            source.options = dataclasses.replace(
                source.options, batch_size=options.batch_size
            )

    def stream(self, seed: int, start_step: int = 0, share: Share = WHOLE) -> Any:
        """Return the batches from a step on, a function of (seed, step)."""
        derived = bool(self.given.info.condition_shape)
        # Another order: seeds of runs are below 2^31.
        both = (self.made, seed), (self.given, seed + 2**31)

        def choose(made: dict, given: dict) -> dict:
            condition = given["condition" if derived else "images"]
            return {"images": made["images"], "condition": condition}

        made, given = (source.batches(number, share) for source, number in both)
        if made and given:
            return pipeline.stream(
                lambda step: choose(made(step), given(step)), start_step
            )
        import tensorflow as tf  # only for data that TFDS streams

        streams = (source.stream(number, start_step, share) for source, number in both)
        datasets = (
            s.dataset() if isinstance(s, pipeline.Stream) else s for s in streams
        )
        return tf.data.Dataset.zip(*datasets).map(choose)


def _real_path(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


def _stem(path: str, root: str) -> str:
    """Return the path of a file relative to a folder, without its ending."""
    return os.path.splitext(os.path.relpath(path, root))[0]


def _list(root: str, kind: str) -> folder.Listing:
    """List the image files of a folder; raise UserError if there are none."""
    listing = folder.list_images(root)
    if not listing.paths:
        left = folder.left_out(listing.left)
        raise UserError(f"[data] dataset: no images in '{listing.root}'{left}")
    folder.check_splits(listing, kind)
    return listing


def _by_name(listing: folder.Listing) -> dict[str, str]:
    """Return {relative path in one Unicode form, no ending: path}, sorted by path."""
    found: dict[str, str] = {}
    for path in listing.paths:
        name = unicodedata.normalize("NFC", _stem(path, listing.root))
        if name in found:
            raise UserError(
                f"[data] dataset: {folder.shown(found[name])} and {folder.shown(path)} "
                "have the same name; rename one of them"
            )
        found[name] = path
    return found


def _match(a: dict[str, str], b: dict[str, str]) -> list[tuple[str, str]]:
    """Pair files of equal names, in the order of the first folder.

    Names that differ only in upper and lower case are equal, unless that is ambiguous.
    """
    partners = {name: name for name in a if name in b}
    lower: list[dict[str, list[str]]] = [{}, {}]
    for names, by_lower in zip((a, b), lower, strict=True):
        for name in names:
            if name not in partners:
                by_lower.setdefault(name.casefold(), []).append(name)
    for key, names in lower[0].items():
        others = lower[1].get(key, ())
        if len(names) == len(others) == 1:
            partners[names[0]] = others[0]
    return [(a[name], b[partners[name]]) for name in a if name in partners]


def _check_halves(listing: folder.Listing, sizes: list) -> None:
    """Check that images can hold two images side by side.

    Args:
        listing: Image files of the folder.
        sizes: Size (width, height) of each file, or a reason.

    Raises:
        UserError: If most images are not wider than high.
    """
    known = [size for size in sizes if not isinstance(size, str)]
    square = [size for size in known if size[0] < 1.2 * size[1]]
    if 2 * len(square) <= len(known):
        return
    root, tops = listing.root, sorted(set(listing.names(1)))
    use = "for two folders, use pairs:A,B"
    if len(tops) == 2 and all(tops):
        use = f"use pairs:{root}/{tops[0]},{root}/{tops[1]}"
    width, height = square[0]
    raise UserError(
        f"[data] dataset: pairs:{root}: expected images with A and B side by side, got "
        f"single images, such as {width}x{height} pixels; {use}"
    )


def _choose(a: list[str], b: list[str], options: DataOptions) -> tuple:
    """Choose open options: (image size, channels, condition channels, notes).

    Args:
        a: Paths of the condition images.
        b: Paths of the images.
        options: Options of the data set.
    """
    if a == b:  # halves of the same files, whose size is not that of a half
        if not options.image_size:
            raise UserError(
                "[data] image_size: expected the side of one half in pixels, got 0; "
                "pass it, as in --set=data.image_size=128"
            )
        channels = options.channels or 3
        return options.image_size, channels, channels, ()
    made = survey.choose(b, options.image_size, options.channels)
    given = survey.choose(a, made.image_size, 0)
    notes = [note for note in given.notes if note.startswith("the 16-bit")]
    return made.image_size, made.channels, given.channels, (*made.notes, *notes)

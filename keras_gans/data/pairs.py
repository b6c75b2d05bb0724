"""Data sets with two kinds of images, A and B, with or without pairs."""

from __future__ import annotations

import dataclasses
import functools
import os
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
    found = [_files(part) for part in parts]
    if len(parts) == 2:
        names = [name for name in found[0] if name in found[1]]
        alone = len(found[0]) + len(found[1]) - 2 * len(names)
        if not names:
            raise UserError(
                "[data] dataset: expected files of equal names (endings may differ) in "
                f"'{parts[0]}' and '{parts[1]}', got none"
            )
        a, b = ([files[name] for name in names] for files in found)
    else:
        names, alone = list(found[0]), 0
        a = b = list(found[0].values())
    if options.direction == "b_to_a":
        a, b = b, a
    size, channels, condition_channels, notes = _choose(a, b, options)
    nearest = options.label_maps
    if alone:
        notes = (
            *notes,
            f"{alone} files have no partner of the same name and are left out",
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
        condition_shape=(size, size, condition_channels),
    )
    return folder.open_files(b, np.zeros(len(b), np.int32), info, options, read, notes)


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
    found = [_files(part) for part in parts]
    paths = [list(files.values()) for files in found]
    size, channels, condition_channels, notes = _choose(*paths, options)
    sources = []
    for files, depth in zip(found, (condition_channels, channels), strict=True):
        stored = options.stored_size(size)
        read = functools.partial(images.read, image_size=stored, channels=depth)
        info = DataInfo(
            (size, size, depth),
            num_examples=len(files),
            fingerprint=folder.fingerprint(files),
        )
        none, listed = np.zeros(len(files), np.int32), list(files.values())
        sources.append(folder.open_files(listed, none, info, options, read, ()))
    given, made = sources
    source = UnpairedSource(made, given)
    source.notes = notes
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
        self.info = dataclasses.replace(
            made.info,
            num_classes=0,
            class_names=(),
            condition_shape=info.condition_shape or info.image_shape,
            unpaired=True,
            fingerprint=folder.fingerprint(prints) if any(prints) else "",
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


def _files(root: str) -> dict[str, str]:
    """List the image files of a folder, sorted: {relative path, no ending: path}."""
    root = os.path.expanduser(root)
    if not os.path.isdir(root):
        raise UserError(f"[data] dataset: no folder '{root}'")
    paths = folder.list_files(root)
    if not paths:
        raise UserError(f"[data] dataset: no images in '{root}'")
    found = {}
    for path in paths:
        name = os.path.splitext(os.path.relpath(path, root))[0]
        if name in found:
            raise UserError(
                f"[data] dataset: {found[name]} and {path} have the same name; rename "
                "one of them"
            )
        found[name] = path
    return found


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
    made = survey.choose(b, options.image_size, options.channels, noise=False)
    given = survey.choose(a, made.image_size, 0, noise=False)
    return made.image_size, made.channels, given.channels, made.notes

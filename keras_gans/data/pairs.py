"""Sets with two kinds of pictures, A and B: pairs of them, or without pairs."""

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


def open_pairs(rest: str, options: DataOptions):
    """Opens pairs of pictures.

    Args:
        rest: "A,B", two folders with files of equal names, or one folder of pictures
            with A in the left half and B in the right.
        options: `direction` says which of the two is made from the other.

    Returns:
        The source, see `open_source`.

    Raises:
        UserError: if there are none.
    """
    parts = rest.split(",")
    if len(parts) > 2:
        raise UserError(
            f"[data] dataset: pairs:{rest}: expected two folders, or one of pictures "
            "with both halves side by side"
        )
    if len(parts) == 2 and len({*map(os.path.realpath, parts)}) == 1:
        raise UserError(f"[data] dataset: pairs:{rest}: expected two different folders")
    found = [_files(part) for part in parts]
    if len(parts) == 2:
        names = [name for name in found[0] if name in found[1]]
        alone = len(found[0]) + len(found[1]) - 2 * len(names)
        if not names:
            raise UserError(
                f"[data] dataset: no file in '{parts[0]}' has the name of one in "
                f"'{parts[1]}' (endings do not matter)"
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
            f"{alone} files have no partner of their name and are left out",
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


def open_unpaired(rest: str, options: DataOptions):
    """Opens two folders, "A,B", whose pictures do not belong together.

    Args:
        rest: The folders.
        options: `direction` says which of the two is made from the other.

    Returns:
        The source, see `open_source`.

    Raises:
        UserError: if one has no pictures.
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


def open_cycle_gan(name: str, options: DataOptions, data_dir: str | None):
    """Opens a set of TFDS's cycle_gan, whose splits are trainA, trainB, testA, testB.

    Args:
        name: The set, as "cycle_gan/horse2zebra".
        options: `split` is "train" or "test"; `direction` says what is made from what.
        data_dir: Where TensorFlow Datasets keeps its sets.

    Returns:
        The source, see `open_source`.

    Raises:
        UserError: as `open_tfds`.
    """
    from keras_gans.data.tfds import open_tfds

    if options.split not in ("train", "test"):
        raise UserError(
            f"[data] split: of cycle_gan expected train or test, got '{options.split}'"
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
    """Pictures of two sources, each in an order of its own.

    Args:
        made: The pictures that are to be made.
        given: What they are made from: the pictures of another source, or what is
            derived from those of the same one.
    """

    def __init__(self, made, given):
        """Keeps both."""
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
        """How both are read."""
        return self.made.options

    @options.setter
    def options(self, options: DataOptions) -> None:
        for source in (self.made, self.given):  # each has its own dataset and split
            source.options = dataclasses.replace(
                source.options, batch_size=options.batch_size
            )

    def stream(self, seed: int, start_step: int = 0, share: Share = WHOLE) -> Any:
        """The batches from a step on, a function of (seed, step); see `load_data`."""
        derived = bool(self.given.info.condition_shape)
        # another order: seeds of runs are below 2^31
        both = (self.made, seed), (self.given, seed + 2**31)

        def choose(made: dict, given: dict) -> dict:
            condition = given["condition" if derived else "images"]
            return {"images": made["images"], "condition": condition}

        made, given = (source.batches(number, share) for source, number in both)
        if made and given:
            return pipeline.stream(
                lambda step: choose(made(step), given(step)), start_step
            )
        import tensorflow as tf  # of a set that TensorFlow Datasets reads as it goes

        streams = (source.stream(number, start_step, share) for source, number in both)
        datasets = (
            s.dataset() if isinstance(s, pipeline.Stream) else s for s in streams
        )
        return tf.data.Dataset.zip(*datasets).map(choose)


def _files(root: str) -> dict[str, str]:
    """The picture files of a folder: {name below it, without ending: path}, sorted."""
    root = os.path.expanduser(root)
    if not os.path.isdir(root):
        raise UserError(f"[data] dataset: no folder '{root}'")
    paths = folder.list_files(root)
    if not paths:
        raise UserError(f"[data] dataset: no pictures in '{root}'")
    found = {}
    for path in paths:
        name = os.path.splitext(os.path.relpath(path, root))[0]
        if name in found:
            raise UserError(
                f"[data] dataset: {found[name]} and {path} have the same name; rename "
                "one"
            )
        found[name] = path
    return found


def _choose(a: list[str], b: list[str], options: DataOptions) -> tuple:
    """(image size, channels of B, channels of A, notes): chosen where not given."""
    if a == b:  # both halves of the same files: their own size says nothing
        if not options.image_size:
            raise UserError(
                "[data] image_size: say the side of one half in pixels, as "
                "--set=data.image_size=128"
            )
        channels = options.channels or 3
        return options.image_size, channels, channels, ()
    made = survey.choose(b, options.image_size, options.channels, noise=False)
    given = survey.choose(a, made.image_size, 0, noise=False)
    return made.image_size, made.channels, given.channels, made.notes

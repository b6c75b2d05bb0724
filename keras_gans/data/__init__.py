"""Data sets of all kinds, opened as one stream of batches.

The kinds are embedded data sets, points of Gaussian mixtures, data sets of TensorFlow
Datasets, and folders of images.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.backend import find_tensorflow
from keras_gans.data.options import DERIVED, DataInfo, DataOptions
from keras_gans.errors import UserError, did_you_mean

if TYPE_CHECKING:  # the pipeline imports Keras
    from keras_gans.data.pipeline import Batch
    from keras_gans.data.source import Source

__all__ = ["DataInfo", "DataOptions", "load_data", "open_source"]


def open_source(
    options: DataOptions, data_dir: str | None = None, batches_per_step: int = 1
) -> Source:
    """Open and check a data set.

    Args:
        options: Options of the data set. A `batch_size` of 0 is replaced by
            `choose_batch_size`.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        batches_per_step: Number of batches of `batch_size` images in a training step.

    Returns:
        The opened source. Its `options.batch_size` counts the images of a training
        step.

    Raises:
        UserError: If the data set does not exist, has no images, or does not suit the
            options.
    """
    inner = dataclasses.replace(options, dataset=options.pictures, unpaired=False)
    source, held_out = _open(inner, data_dir), None
    if options.derivation:
        from keras_gans.data import conditions

        shape = conditions.derived_shape(options, source.info.image_shape)
        source.info = dataclasses.replace(
            source.info, num_classes=0, class_names=(), condition_shape=shape
        )
        source.options = dataclasses.replace(source.options, dataset=options.dataset)
    notes = list(source.notes)
    if options.held_out:
        source, held_out = _hold_out(source, options.held_out)
    if options.unpaired:
        from keras_gans.data.pairs import UnpairedSource

        if not isinstance(source, UnpairedSource):
            source = UnpairedSource(source, source)
    if not options.batch_size:
        size = choose_batch_size(source.info)
        side, number = source.info.image_shape[0], source.info.num_examples
        notes.append(
            f"batch_size {size}: chosen for {number or 'many'} images of {side} pixels "
            "(data.batch_size=... sets another)"
        )
        options = dataclasses.replace(options, batch_size=size)
    if held_out:
        held_out.options = options
    size = options.batch_size * batches_per_step
    source.options = dataclasses.replace(options, batch_size=size)
    source.notes, source.held_out = tuple(notes), held_out
    return source


def keep_class_order(source: Source, names: tuple[str, ...]) -> None:
    """Keep the numbers that the classes of a folder have in an earlier run.

    Versions up to 0.2 ordered names that are numbers as text: 1, 10, 2.

    Args:
        source: Opened source; its labels and class names are changed.
        names: Class names of the earlier run; other names change nothing.
    """
    now = source.info.class_names
    if names == now or sorted(names) != sorted(now):
        return
    from keras_gans.data.arrays import ArraySource
    from keras_gans.data.folder import FolderSource

    order = np.array([names.index(name) for name in now], np.int32)
    for part in (source, source.held_out):
        if isinstance(part, (ArraySource, FolderSource)):
            part.labels = order[part.labels]
            part.info = dataclasses.replace(part.info, class_names=names)


def first_examples(source: Source, num: int) -> Batch:
    """Return the first examples of the stream with seed 0 as one batch.

    Args:
        source: Source of the examples.
        num: Number of examples.
    """
    batches, size = [], 0
    for batch in source.stream(0):
        batches.append({name: np.asarray(value) for name, value in batch.items()})
        size += len(batches[-1]["images"])
        if size >= num:
            break
    return {
        name: np.concatenate([batch[name] for batch in batches])[:num]
        for name in batches[0]
    }


def choose_batch_size(info: DataInfo) -> int:
    """Choose the number of images in an update of the discriminator.

    Args:
        info: Description of the data set.

    Returns:
        A power of two from 8 to 64. Above 8, it is at most a 16th of the number of
        images, so that batches differ. To save memory, a batch above 8 images has at
        most 2^18 pixels, which are 64 images of 64x64 pixels.
    """
    height, width, _ = info.image_shape
    most = min(64, 2**18 // (height * width), (info.num_examples or 1024) // 16)
    return max(8, 1 << max(most, 1).bit_length() - 1)


def _hold_out(source: Source, number: int) -> tuple[Source, Source]:
    """Split a source that reads examples by index: (training, held-out) source."""
    total, dataset = source.info.num_examples, source.options.dataset
    if source.info.unpaired:
        raise UserError(
            f"[data] held_out: '{dataset}' has no pairs; move the images to hold out "
            "to other folders"
        )
    if 0 < total <= number:
        raise UserError(
            f"[data] held_out: expected fewer than the {total} images, got {number}"
        )
    order = np.random.default_rng(0).permutation(total)
    return source.take(np.sort(order[number:])), source.take(np.sort(order[:number]))


def _open(options: DataOptions, data_dir: str | None) -> Source:
    kind, colon, rest = options.dataset.partition(":")
    if kind in ("pairs", "unpaired") and colon:
        from keras_gans.data import pairs

        opened = pairs.open_pairs if kind == "pairs" else pairs.open_unpaired
        return opened(rest, options)
    if kind == "tfds" and colon:
        find_tensorflow(f"[data] dataset: tfds:{rest}", "tensorflow_datasets")
    if kind == "tfds" and rest.startswith("cycle_gan/"):
        from keras_gans.data.pairs import open_cycle_gan

        return open_cycle_gan(rest, options, data_dir)
    if kind == "tfds" and colon:
        from keras_gans.data.tfds import open_tfds

        return open_tfds(rest, options, data_dir)
    if kind == "folder" and colon:
        from keras_gans.data.folder import open_folder

        return open_folder(rest, options)
    from keras_gans.data import embedded, mixtures, names, points

    if options.dataset in mixtures.MIXTURES:
        return points.PointsSource(options)
    if options.dataset not in embedded.EMBEDDED:
        kinds = ["tfds:NAME", "folder:PATH", "pairs:A,B", "unpaired:A,B"]
        kinds += [f"{kind}:..." for kind in DERIVED]
        known = (*embedded.EMBEDDED, *mixtures.MIXTURES, *kinds)
        name = options.dataset
        if near := names.meant(name):
            hint = f"; did you mean {' or '.join(map(repr, near))}?"
        elif set(name) & set("/\\~"):
            hint = ", and no folder of that path; expected folder:PATH"
        else:
            hint = did_you_mean(name, known)
        raise UserError(f"[data] dataset: no data set '{name}'{hint}")
    return embedded.open_embedded(options)


def load_data(
    dataset: str,
    batch_size: int,
    *,
    seed: int = 0,
    start_step: int = 0,
    data_dir: str | None = None,
    **options: object,
):
    """Open a data set as an endless, shuffled stream of batches.

    Args:
        dataset: Name of the data set: "digits", "fashion", "ring", "grid25",
            "tfds:NAME", "folder:PATH", "pairs:A,B" or "unpaired:A,B". A prefix such as
            "outline:" derives condition images; see `DataOptions`.
        batch_size: Number of images in a batch.
        seed: Seed of the order and of the augmentation. The stream is a function of
            (seed, step) alone.
        start_step: Index of the first batch, to continue where another stream ended.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        **options: Other attributes of `DataOptions`, such as `image_size=64`.

    Returns:
        Tuple `(dataset, info)` of the batches and the `DataInfo` of the data set.

        Each batch is a dictionary. "images" is float32 [batch_size, height, width,
        channels] in [-1, 1]. A data set with classes adds "labels", int32
        [batch_size]; a data set for translation adds "condition", float32 in [-1, 1].

        `dataset` is a `tf.data.Dataset` under TensorFlow, and a
        `keras.utils.PyDataset` under other Keras backends. Data that TensorFlow
        Datasets streams from disk are always a `tf.data.Dataset`. Both types can be
        passed to `fit` and iterated over.

    Raises:
        UserError: If the data set does not exist or has no images, or if an option or
            the seed is invalid.
    """
    if not 0 <= seed < 2**31:
        raise UserError(f"load_data: seed: expected 0 to 2**31 - 1, got {seed}")
    try:
        chosen = DataOptions(dataset=dataset, batch_size=batch_size, **options)
    except TypeError as error:
        raise UserError(f"load_data: {error}") from None
    source = open_source(chosen, data_dir)
    return source.stream(seed, start_step), source.info

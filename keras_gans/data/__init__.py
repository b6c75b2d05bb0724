"""Data: embedded sets, toys, TensorFlow Datasets and folders, as one stream."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.backend import find_tensorflow
from keras_gans.data.options import DERIVED, DataInfo, DataOptions
from keras_gans.errors import UserError, did_you_mean

if TYPE_CHECKING:  # the pipeline loads Keras
    from keras_gans.data.pipeline import Batch
    from keras_gans.data.source import Source

__all__ = ["DataInfo", "DataOptions", "load_data", "open_source"]


def open_source(
    options: DataOptions, data_dir: str | None = None, batches_per_step: int = 1
) -> Source:
    """Finds and checks a data set.

    Args:
        options: What to read.
        data_dir: Where TensorFlow Datasets keeps its sets.
        batches_per_step: Number of batches of `batch_size` images in a training step.

    Returns:
        The source.

    Raises:
        UserError: if there is no such set, or it has no pictures.
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
            f"batch_size {size}: for {number or 'many'} pictures of {side} pixels "
            "(data.batch_size=... sets another)"
        )
        options = dataclasses.replace(options, batch_size=size)
    if held_out:
        held_out.options = options
    size = options.batch_size * batches_per_step
    source.options = dataclasses.replace(options, batch_size=size)
    source.notes, source.held_out = tuple(notes), held_out
    return source


def first_examples(source: Source, num: int) -> Batch:
    """Return the first examples of a stream of seed 0 as one batch.

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
    """Chooses how many pictures an update of the discriminator sees.

    Args:
        info: The set.

    Returns:
        A power of two from 8 to 64: at most a 16th of the pictures, so that batches
        differ, and at most 2^18 pixels (64 pictures of 64 pixels), for the memory.
    """
    height, width, _ = info.image_shape
    most = min(64, 2**18 // (height * width), (info.num_examples or 1024) // 16)
    return max(8, 1 << max(most, 1).bit_length() - 1)


def _hold_out(source: Source, number: int) -> tuple[Source, Source]:
    """Splits a source that can be looked up by number: (the rest, the held-out)."""
    total, dataset = source.info.num_examples, source.options.dataset
    if source.info.unpaired:
        raise UserError(
            f"[data] held_out: '{dataset}' has no pairs; keep some files in other "
            "folders"
        )
    if 0 < total <= number:
        raise UserError(
            f"[data] held_out: expected less than the {total} pictures, got {number}"
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
    from keras_gans.data import embedded, mixtures, points

    if options.dataset in mixtures.MIXTURES:
        return points.PointsSource(options)
    if options.dataset not in embedded.EMBEDDED:
        kinds = ["tfds:NAME", "folder:PATH", "pairs:A,B", "unpaired:A,B"]
        kinds += [f"{kind}:..." for kind in DERIVED]
        known = (*embedded.EMBEDDED, *mixtures.MIXTURES, *kinds)
        hint = did_you_mean(options.dataset, known)
        raise UserError(f"[data] dataset: no set '{options.dataset}'{hint}")
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
    """Opens a data set as an endless, shuffled stream of batches.

    Args:
        dataset: "digits", "fashion", "ring", "grid25", "tfds:NAME", "folder:PATH",
            "pairs:A,B" or "unpaired:A,B"; or "outline:..." etc., see `DataOptions`.
        batch_size: Pictures in a batch.
        seed: Seeds the order. The stream is a function of (seed, step) alone.
        start_step: Batch to begin with, to go on where another stream ended.
        data_dir: Where TensorFlow Datasets keeps its sets.
        **options: The other keywords of `DataOptions`, as `image_size=64`.

    Returns:
        (dataset, info): batches {"images": float32 [batch_size, height, width,
        channels] in [-1, 1]}, with "labels" int32 [batch_size] if there are classes,
        or "condition" for translation; and the set's `DataInfo`. The dataset is a
        `tf.data.Dataset`, or under another Keras backend a `keras.utils.PyDataset`
        (of what TensorFlow Datasets streams, always the former); `fit` takes both, and
        both can be iterated over.

    Raises:
        UserError: if there is no such set, or it has no pictures; for a seed out of
            range.
    """
    if not 0 <= seed < 2**31:
        raise UserError(f"load_data: seed: expected 0 to 2**31 - 1, got {seed}")
    try:
        chosen = DataOptions(dataset=dataset, batch_size=batch_size, **options)
    except TypeError as error:
        raise UserError(f"load_data: {error}") from None
    source = open_source(chosen, data_dir)
    return source.stream(seed, start_step), source.info

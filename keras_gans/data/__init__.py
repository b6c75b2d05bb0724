"""Data: embedded sets, toys, TensorFlow Datasets and folders, as one stream."""

from __future__ import annotations

from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.errors import UserError, did_you_mean

__all__ = ["DataInfo", "DataOptions", "load_data", "open_source"]


def open_source(options: DataOptions, data_dir: str | None = None):
    """Finds and checks a data set.

    Args:
        options: What to read.
        data_dir: Where TensorFlow Datasets keeps its sets.

    Returns:
        The source: `info`, and `stream(seed, start_step)`.

    Raises:
        UserError: if there is no such set, or it has no pictures.
    """
    kind, colon, rest = options.dataset.partition(":")
    if kind == "tfds" and colon:
        from keras_gans.data.tfds import open_tfds

        return open_tfds(rest, options, data_dir)
    if kind == "folder" and colon:
        from keras_gans.data.folder import open_folder

        return open_folder(rest, options)
    from keras_gans.data import embedded, points

    if options.dataset in points.MIXTURES:
        return points.PointsSource(options)
    if options.dataset not in embedded.EMBEDDED:
        known = (*embedded.EMBEDDED, *points.MIXTURES, "tfds:NAME", "folder:PATH")
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
        dataset: "digits", "fashion", "ring", "grid25", "tfds:NAME" or "folder:PATH".
        batch_size: Pictures in a batch.
        seed: Seeds the order. The stream is a function of (seed, step) alone.
        start_step: Batch to begin with, to go on where another stream ended.
        data_dir: Where TensorFlow Datasets keeps its sets.
        **options: The other keywords of `DataOptions`, as `image_size=64`.

    Returns:
        (dataset, info): a `tf.data.Dataset` of (images float32 [batch_size, height,
        width, channels] in [-1, 1], labels int32 [batch_size]), and its `DataInfo`.

    Raises:
        UserError: if there is no such set, or it has no pictures.
    """
    try:
        chosen = DataOptions(dataset=dataset, batch_size=batch_size, **options)
    except TypeError as error:
        raise UserError(f"load_data: {error}") from None
    source = open_source(chosen, data_dir)
    return source.stream(seed, start_step), source.info

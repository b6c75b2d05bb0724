"""Image data sets of TensorFlow Datasets, `tfds:NAME`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_gans.data import conditions, images, pipeline
from keras_gans.data.arrays import ArraySource
from keras_gans.data.folder import fingerprint_of_files
from keras_gans.data.options import WHOLE, DataInfo, DataOptions, Share
from keras_gans.data.source import Source
from keras_gans.errors import UserError, did_you_mean, first_line

SHUFFLE_BUFFER = 10_000  # encoded examples that are shuffled together


def open_tfds(name: str, options: DataOptions, data_dir: str | None) -> Source:
    """Open a data set of TensorFlow Datasets, downloading it first if necessary.

    Args:
        name: Name of the data set ("celeb_a"), with its config if it has several.
        options: Options of the data set; image_size is required unless the images are
            all square and of one size.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        The opened source.

    Raises:
        UserError: If the data set or the split does not exist, the data set has no
            images, or it is neither in `data_dir` nor can be downloaded.
    """
    where = f"[data] dataset=tfds:{name}"
    data_dir = data_dir and os.path.expanduser(data_dir)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        hint = did_you_mean(name, tfds.list_builders())
        near = hint.split(" Known:")[0]
        raise UserError(
            f"{where}: no such data set in TensorFlow Datasets{near}"
        ) from None
    except (ValueError, OSError, AssertionError) as error:
        raise UserError(f"{where}: {first_line(error)}") from None
    features = builder.info.features
    names = features.keys() if isinstance(features, tfds.features.FeaturesDict) else ()
    images_of = [k for k in names if isinstance(features[k], tfds.features.Image)]
    if not images_of:
        raise UserError(f"{where}: the data set has no image feature")
    key = images_of[0]
    label = features["label"] if "label" in names else None
    if not isinstance(label, tfds.features.ClassLabel):
        label = None
    height, width, channels = features[key].shape
    if not options.image_size and (height is None or height != width):
        raise UserError(
            "[data] image_size: the images are not all square and of one size; pass "
            "the side in pixels, as in --set=data.image_size=64"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # a builder's own code may raise any
        raise UserError(
            f"{where}: not in {builder.data_dir} and the download failed "
            f"({first_line(error)}); prepare it on a machine with network access and "
            "pass --data_dir"
        ) from None
    size, channels = options.image_size or height, options.channels or channels or 3
    info = DataInfo(
        (size, size, channels),
        label.num_classes if label else 0,
        tuple(label.names) if label else (),
        f"{builder.info.name} of TensorFlow Datasets; see its homepage "
        f"{builder.info.homepage} for credit and license",
        _num_examples(builder, options.split),
    )
    try:
        source = TFDSSource(builder, key, label is not None, info, options)
        return source.cached()
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise UserError(f"{where}: {first_line(error)}") from None


class TFDSSource(Source):
    """Data set of TensorFlow Datasets that streams from disk.

    Args:
        builder: Prepared builder of the data set.
        key: Name of the image feature.
        labelled: Whether the data set has a class label, named "label".
        info: Description of the data set.
        options: Options of the data set.
    """

    def __init__(self, builder, key, labelled, info: DataInfo, options: DataOptions):
        self._builder, self._key, self._labelled = builder, key, labelled
        self.info, self.options = info, options

    def cached(self) -> Source:
        """Return the data set in memory if it fits, else this source."""
        shape = conditions.stored_shape(self.info, self.options)
        room = self.options.cache_mib * 2**20 // int(np.prod(shape))
        if self.info.num_examples > room:
            return self
        chunks, num = [], 0
        for chunk in self._decoded(256):
            chunks.append(chunk)
            num += len(chunk[0])
            if num > room:
                return self
        if not chunks:
            raise ValueError(f"the split '{self.options.split}' is empty")
        pictures, labels = map(np.concatenate, zip(*chunks, strict=True))
        return ArraySource(pictures, labels.astype(np.int32), self.info, self.options)

    def identity(self) -> str:
        """Return the split and a hash of the prepared files."""
        root = self._builder.data_path
        files = fingerprint_of_files(
            os.path.join(root, name) for name in sorted(os.listdir(root))
        )
        return f"{self.options.split} {files}"

    def stream(
        self, seed: int, start_step: int = 0, share: Share = WHOLE
    ) -> tf.data.Dataset:
        """Return the batches from a step on, a function of (seed, step).

        TFDS shuffles the records once, when it prepares the data set. In each epoch,
        each stretch of SHUFFLE_BUFFER records is shuffled anew. A resumed run reads the
        earlier records of its epoch again, without decoding them.
        """
        examples = self._examples().batch(SHUFFLE_BUFFER).enumerate()

        def epoch(n):
            def shuffle(i, stretch):
                # Dataset.shuffle would mix in TensorFlow's global seed.
                order = tf.random.experimental.stateless_shuffle(
                    tf.range(tf.shape(stretch[1])[0]),
                    seed=tf.stack([tf.cast(seed, tf.int64) * 2**31 + n, i]),
                )
                return tf.nest.map_structure(lambda x: tf.gather(x, order), stretch)

            return examples.map(shuffle)

        first, skip = 0, start_step * self.options.batch_size
        if self.info.num_examples:
            first, skip = divmod(skip, self.info.num_examples)
        epochs = tf.data.Dataset.range(first, np.iinfo(np.int64).max)
        shuffled = epochs.flat_map(epoch).prefetch(1).unbatch().skip(skip)
        whole, own = self.options.batch_size, share.rows(self.options.batch_size)
        if share.count > 1:  # rows of other workers are not decoded
            shuffled = shuffled.batch(whole, drop_remainder=True)
            shuffled = shuffled.map(lambda *batch: tuple(x[own] for x in batch))
            shuffled = shuffled.unbatch()
        decoded = shuffled.map(self._decode, tf.data.AUTOTUNE, deterministic=True)
        batches = decoded.batch(own.stop - own.start, drop_remainder=True)
        return self._prepared(batches, seed, start_step, share)

    def _prepared(self, batches, seed, start_step, share) -> tf.data.Dataset:
        """Augment and scale batches of (uint8 images, labels)."""
        info, options = self.info, self.options

        def prepare(step, images, labels):
            return pipeline.prepare(
                images, labels, int(step), info, options, seed, share
            )

        parts = {"images": (info.image_shape, tf.float32)}
        if info.condition_shape:
            parts["condition"] = info.condition_shape, tf.float32
        elif info.num_classes:
            parts["labels"] = (), tf.int32
        own = share.rows(options.batch_size)
        like = {
            name: tf.TensorSpec((own.stop - own.start, *shape), dtype)
            for name, (shape, dtype) in parts.items()
        }
        steps = tf.data.Dataset.counter(start_step)
        return pipeline.prepared(tf.data.Dataset.zip(steps, batches), prepare, like)

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each example once, in order: uint8 images and int32 labels."""
        for pictures, labels in self._decoded(size):
            pictures = conditions.centre(pictures, self.info, self.options)
            yield pictures, labels.astype(np.int32)

    def _decoded(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over decoded examples in order, in batches of a size."""
        decoded = self._examples().map(self._decode, tf.data.AUTOTUNE)
        return decoded.batch(size).prefetch(1).as_numpy_iterator()

    def _examples(self) -> tf.data.Dataset:
        """Return examples (encoded image, label) in one fixed order."""
        dataset = self._builder.as_dataset(
            split=self.options.split,
            shuffle_files=False,
            decoders={self._key: tfds.decode.SkipDecoding()},
            # One file after another: the order must not depend on threads.
            read_config=tfds.ReadConfig(
                interleave_cycle_length=1, add_tfds_id=False, try_autocache=False
            ),
        )
        return dataset.map(
            lambda e: (
                (e[self._key], tf.cast(e["label"], tf.int32))
                if self._labelled
                else (e[self._key], 0)
            )
        )

    def _decode(self, encoded: tf.Tensor, label: tf.Tensor):
        feature = self._builder.info.features[self._key]
        picture = encoded
        if encoded.dtype == tf.string:
            picture = feature.decode_example(encoded)
        shape = conditions.stored_shape(self.info, self.options)
        if shape != feature.shape:
            [picture] = pipeline.numpy_function(
                lambda p: (images.fit(p, shape[0], shape[2]),),
                [picture],
                [tf.TensorSpec(shape, tf.uint8)],
            )
        return tf.ensure_shape(picture, shape), label


def is_prepared(name: str, data_dir: str | None) -> bool:
    """Return whether a data set is on this machine, without use of the network.

    Args:
        name: Name of the data set, with its config and version if it has them.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
    """
    root = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    parts = name.replace(":", "/").split("/")
    if not all(re.fullmatch(r"\w[\w.+-]*", part) for part in parts):
        return False
    return os.path.isdir(os.path.join(os.path.expanduser(root), *parts))


def split_names(name: str, data_dir: str | None) -> tuple[str, ...]:
    """Return the splits of a data set; () if they are unknown."""
    try:
        builder = tfds.builder(name, data_dir=data_dir and os.path.expanduser(data_dir))
        return tuple(builder.info.splits)
    except Exception:  # `open_tfds` reports the error
        return ()


def _num_examples(builder, split: str) -> int:
    try:
        return builder.info.splits[split].num_examples
    except (KeyError, ValueError):
        return 0  # reading reports an unknown split; mocks have no splits

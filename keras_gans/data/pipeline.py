"""Streams of batches that are a function of (seed, step).

NumPy makes the batches, which are the same under every Keras backend. tf.data, or
threads of this module, prepare them ahead of time.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np

from keras_gans.data import conditions
from keras_gans.data.options import DataInfo, DataOptions, Share

Batch = dict[str, np.ndarray]
EPOCHS = 4  # permutations kept in memory; batches made ahead cross epochs
# Purposes of random numbers; each has its own generator.
ORDER, FLIP, CROP = range(3)


def draws(what: int, *key: int) -> np.random.Generator:
    """Return a random number generator, a function of its purpose and a key.

    Args:
        what: Purpose of the numbers: `ORDER`, `FLIP` or `CROP`.
        *key: Integers that seed the generator, such as a seed and a step.
    """
    return np.random.default_rng((what, *key))


def random_access(
    num_examples: int,
    lookup: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    info: DataInfo,
    options: DataOptions,
    seed: int,
    share: Share,
) -> Callable[[int], Batch]:
    """Return a function from a step to a batch of examples that are read by index.

    The order is one permutation of all examples after another, the n-th drawn from
    (seed, n). Batches cross the borders of permutations. Thus each example is used
    equally often, and every batch is full.

    Args:
        num_examples: Number of examples.
        lookup: Function from indices, int64 [batch], to (images uint8 [batch, height,
            width, channels], labels int32 [batch]).
        info: Description of the data set.
        options: Options of the data set, with batch size and augmentation.
        seed: Seed of the order and of the augmentation.
        share: Rows of each batch to read.

    Returns:
        Function from a step to its batch; see `prepare`.
    """
    size = options.batch_size

    @functools.lru_cache(maxsize=EPOCHS)
    def permutation(epoch: int) -> np.ndarray:
        return draws(ORDER, seed, epoch).permutation(num_examples)

    def batch(step: int) -> Batch:
        places = np.arange(step * size, (step + 1) * size)[share.rows(size)]
        epochs, places = np.divmod(places, num_examples)
        numbers = np.empty_like(places)
        for epoch in np.unique(epochs):
            inside = epochs == epoch
            numbers[inside] = permutation(int(epoch))[places[inside]]
        return prepare(*lookup(numbers), step, info, options, seed, share)

    return batch


def prepare(
    images: np.ndarray,
    labels: np.ndarray,
    step: int,
    info: DataInfo,
    options: DataOptions,
    seed: int,
    share: Share,
) -> Batch:
    """Augment and scale the examples of a step's batch.

    Args:
        images: Stored examples, uint8 [batch, height, width, channels].
        labels: Class labels, integers [batch].
        step: Step of the batch.
        info: Description of the data set.
        options: Options of the data set, with batch size and augmentation.
        seed: Seed of the augmentation.
        share: Rows of the whole batch that the examples are.

    Returns:
        Dictionary with "images", float32 in [-1, 1]. A data set for translation adds
        "condition", float32 in [-1, 1]; another data set with classes adds "labels",
        int32.
    """
    size = options.batch_size
    if options.horizontal_flip:
        flip = (draws(FLIP, seed, step).random(size) < 0.5)[share.rows(size)]
        images = np.where(flip[:, None, None, None], images[:, :, ::-1], images)
    if options.random_crop:
        less = options.random_crop
        starts = draws(CROP, seed, step).integers(0, less + 1, (2, size))
        images = _crop(images, less, starts[:, share.rows(size)])
    images = images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    if info.condition_shape:
        return conditions.split(images, info, options.derivation)
    if info.num_classes:
        return {"images": images, "labels": labels.astype(np.int32)}
    return {"images": images}


def _crop(images: np.ndarray, less: int, starts: np.ndarray) -> np.ndarray:
    """Crop each image at its own position; both sides lose `less` pixels."""
    height, width = (side - less for side in images.shape[1:3])
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, top, left in zip(images, *starts, strict=True)
        ]
    )


def stream(make: Callable[[int], Batch], start_step: int) -> Any:
    """Return an endless stream of batches that are prepared ahead of time.

    Args:
        make: Function from a step to its batch.
        start_step: Step of the first batch.

    Returns:
        A `tf.data.Dataset` under TensorFlow, a `Stream` under other Keras backends.
    """
    made = Stream(make, start_step)
    return made.dataset() if keras.backend.backend() == "tensorflow" else made


class Stream(keras.utils.PyDataset):
    """Endless stream of batches without tf.data; threads prepare the next batches.

    Args:
        make: Function from a step to its batch.
        start_step: Step of the first batch.
    """

    num_batches = None  # endless
    AHEAD, THREADS = 4, 2

    def __init__(self, make: Callable[[int], Batch], start_step: int):
        super().__init__()
        self._make, self._start = make, start_step
        self._pool = ThreadPoolExecutor(self.THREADS)
        self._coming: dict[int, Future] = {}

    def __getitem__(self, number: int) -> Batch:
        """Return a batch and start to prepare the following ones.

        Args:
            number: Index of the batch, counted from `start_step`.
        """
        wanted = range(number, number + self.AHEAD)
        self._coming = {
            n: self._coming.get(n) or self._pool.submit(self._make, self._start + n)
            for n in wanted
        }
        return self._coming[number].result()

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over all batches, endlessly."""
        return map(self.__getitem__, itertools.count())

    def dataset(self) -> Any:
        """Return the same batches as a `tf.data.Dataset`, which has its own threads."""
        import tensorflow as tf

        make, start = self._make, self._start
        like = {k: tf.TensorSpec(v.shape, v.dtype) for k, v in make(start).items()}

        steps = tf.data.Dataset.counter(start)
        return prepared(steps, lambda step: make(int(step)), like)


def prepared(dataset: Any, make: Callable[..., Batch], like: dict[str, Any]) -> Any:
    """Make a batch from each element with NumPy, ahead of time and in order.

    Args:
        dataset: Elements, a `tf.data.Dataset`.
        make: Function from the parts of an element, as arrays, to a batch.
        like: Shapes and dtypes of a batch, as {name: `tf.TensorSpec`}.

    Returns:
        A `tf.data.Dataset` of the batches, prefetched.
    """
    import tensorflow as tf

    def values(*parts):
        batch = make(*parts)
        return [batch[name] for name in like]

    def convert(*parts):
        specs = list(like.values())
        made = numpy_function(values, tf.nest.flatten(parts), specs)
        return dict(zip(like, made, strict=True))

    made = dataset.map(convert, tf.data.AUTOTUNE, deterministic=True)
    # The thread of tf.data's autotuning delays the end of a data set, by seconds on a
    # busy machine. Without it, AUTOTUNE makes a parallel call for each core, up to 16.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(Stream.AHEAD).with_options(options)


def numpy_function(make: Callable[..., Sequence], parts: list, like: Sequence) -> tuple:
    """Call a NumPy function in data sets whose iterators may outlive the program.

    It extends `tf.numpy_function`: calls during the interpreter's exit return zeros.

    Args:
        make: Function from arrays to arrays, called by threads of tf.data.
        parts: Tensors that are passed to `make`.
        like: Shape and dtype of each result, as `tf.TensorSpec`.

    Returns:
        Results of `make` as tensors.
    """
    import tensorflow as tf

    calls = _calls()

    def call(*arrays):
        with calls as over:
            if over:
                return [np.zeros(s.shape, s.dtype.as_numpy_dtype) for s in like]
            return make(*arrays)

    found = tf.numpy_function(call, parts, [s.dtype for s in like])
    return tuple(
        tf.ensure_shape(part, s.shape) for part, s in zip(found, like, strict=True)
    )


class _Calls:
    """Guard that delays the interpreter's exit until calls of other threads have ended.

    The interpreter ends a thread that needs it during the exit. The destructor of an
    iterator that is still alive would wait forever for the call of such a thread.
    """

    QUIET = 0.05  # seconds without a call after which no pending call is expected

    def __init__(self):
        self._lock = threading.Lock()
        self._running, self._last, self._over = 0, 0.0, False
        atexit.register(self._end)

    def __enter__(self) -> bool:
        """Count a running call; return whether the interpreter is exiting."""
        with self._lock:
            self._running += 1
        return self._over

    def __exit__(self, *error: Any) -> None:
        """Count the call as finished."""
        with self._lock:
            self._running -= 1
            self._last = time.monotonic()

    def _end(self) -> None:
        self._over, self._last = True, time.monotonic()
        while self._running or time.monotonic() < self._last + self.QUIET:
            time.sleep(self.QUIET / 5)


@functools.cache
def _calls() -> _Calls:
    """Return the guard of the process."""
    return _Calls()

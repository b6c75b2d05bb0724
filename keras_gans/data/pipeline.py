"""From examples to a stream of batches that is a function of (seed, step).

NumPy makes the batches, the same for every Keras backend; tf.data, or threads of our
own, have them made ahead of time.
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
EPOCHS = 4  # orders that are kept: batches are made ahead, and across borders
# What is drawn; each has numbers of its own.
ORDER, FLIP, CROP = range(3)


def draws(what: int, *key: int) -> np.random.Generator:
    """Random numbers that are a function of what they are for, and of a key."""
    return np.random.default_rng((what, *key))


def random_access(
    num_examples: int,
    lookup: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    info: DataInfo,
    options: DataOptions,
    seed: int,
    share: Share,
) -> Callable[[int], Batch]:
    """Makes batches of examples that can be looked up by number, in any order.

    The order is one permutation of all examples after another, the n-th drawn from
    (seed, n); batches run across their borders, so that each example comes up equally
    often and every batch is full.

    Args:
        num_examples: How many there are.
        lookup: From numbers int64 [batch] to (images uint8 [batch, height, width,
            channels], labels int32 [batch]).
        info: What the set says of itself.
        options: Batch size and augmentation.
        seed: The run's seed.
        share: Which rows of each batch are looked up.

    Returns:
        From a step to its batch; see `prepare`.
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
    """Turn a step's uint8 images and their labels into what a model trains on.

    Returns:
        {"images": float32 in [-1, 1]}, and "labels" int32 if there are classes, or
        "condition" float32 of a set for translation.
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
        images, condition = conditions.split(images, info, options.derivation)
        return {"images": images, "condition": condition}
    if info.num_classes:
        return {"images": images, "labels": labels.astype(np.int32)}
    return {"images": images}


def _crop(images: np.ndarray, less: int, starts: np.ndarray) -> np.ndarray:
    """Cuts every picture at a place of its own, `less` pixels smaller on both sides."""
    height, width = (side - less for side in images.shape[1:3])
    return np.stack(
        [
            image[top : top + height, left : left + width]
            for image, top, left in zip(images, *starts, strict=True)
        ]
    )


def stream(make: Callable[[int], Batch], start_step: int) -> Any:
    """Makes batches ahead of time, endlessly.

    Args:
        make: From a step to its batch.
        start_step: The batch to begin with.

    Returns:
        A `tf.data.Dataset`; a `Stream` where Keras has another backend.
    """
    made = Stream(make, start_step)
    return made.dataset() if keras.backend.backend() == "tensorflow" else made


class Stream(keras.utils.PyDataset):
    """Endless batches without tf.data; the next ones are made ahead by threads.

    Args:
        make: From a step to its batch.
        start_step: The batch to begin with.
    """

    num_batches = None  # endless
    AHEAD, THREADS = 4, 2

    def __init__(self, make: Callable[[int], Batch], start_step: int):
        """Makes nothing yet."""
        super().__init__()
        self._make, self._start = make, start_step
        self._pool = ThreadPoolExecutor(self.THREADS)
        self._coming: dict[int, Future] = {}

    def __getitem__(self, number: int) -> Batch:
        """The batch of a number, counted from the first step; best in order."""
        wanted = range(number, number + self.AHEAD)
        self._coming = {
            n: self._coming.get(n) or self._pool.submit(self._make, self._start + n)
            for n in wanted
        }
        return self._coming[number].result()

    def __iter__(self) -> Iterator[Batch]:
        """All of them."""
        return map(self.__getitem__, itertools.count())

    def dataset(self) -> Any:
        """The same as a `tf.data.Dataset`, which has threads of its own."""
        import tensorflow as tf

        make, start = self._make, self._start
        # What every batch looks like.
        like = {k: tf.TensorSpec(v.shape, v.dtype) for k, v in make(start).items()}

        steps = tf.data.Dataset.counter(start)
        return prepared(steps, lambda step: make(int(step)), like)


def prepared(dataset: Any, make: Callable[..., Batch], like: dict[str, Any]) -> Any:
    """Makes a batch of each element with NumPy, ahead of time and in order.

    Args:
        dataset: A `tf.data.Dataset`.
        make: From an element's parts, as arrays, to a batch.
        like: A `tf.TensorSpec` of each part of a batch, by name.

    Returns:
        The `tf.data.Dataset` of the batches, prefetched.
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
    # The thread that tunes a data set holds up its end, for seconds on a busy machine.
    # Without it AUTOTUNE is a call for each core, up to 16.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(Stream.AHEAD).with_options(options)


def numpy_function(make: Callable[..., Sequence], parts: list, like: Sequence) -> tuple:
    """As `tf.numpy_function`, for data sets whose iterators may outlive the program.

    Args:
        make: From arrays to arrays; called by threads of tf.data.
        parts: Tensors, what it takes.
        like: A `tf.TensorSpec` of each array that it returns.

    Returns:
        What it returns, as tensors.
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
    """Has the calls of other threads end before Python does.

    A thread that needs the interpreter while it shuts down is ended there. The
    destructor of an iterator that still lives would wait for its call, for ever.
    """

    QUIET = 0.05  # seconds without a call, within which one that is due begins

    def __init__(self):
        """Waits at the interpreter's exit."""
        self._lock = threading.Lock()
        self._running, self._last, self._over = 0, 0.0, False
        atexit.register(self._end)

    def __enter__(self) -> bool:
        """Counts a call; whether it has come too late to be of use."""
        with self._lock:
            self._running += 1
        return self._over

    def __exit__(self, *error: Any) -> None:
        """Counts it as done."""
        with self._lock:
            self._running -= 1
            self._last = time.monotonic()

    def _end(self) -> None:
        self._over, self._last = True, time.monotonic()
        while self._running or time.monotonic() < self._last + self.QUIET:
            time.sleep(self.QUIET / 5)


@functools.cache
def _calls() -> _Calls:
    """The one of the process."""
    return _Calls()

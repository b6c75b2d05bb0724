"""The devices and hosts of a run: the words of --strategy, and what workers agree on.

Hosts are told of each other by TF_CONFIG, as TensorFlow's own are (docs/scale.md). One
of them, the chief, reads and writes the workdir; the others hold the same weights, read
their own rows of each batch, and stop when it does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gans import checkpoint
from keras_gans.config import TrainOptions
from keras_gans.data.options import Share
from keras_gans.errors import UserError, WorkerLost
from keras_gans.gan import BaseGAN

LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
LONGEST = 0.5  # seconds of a call


class Team:
    """A strategy, and what its workers have to agree on; mostly there is one worker.

    Args:
        strategy: What the model is built and trained under.

    Attributes:
        size: Number of worker processes.
        chief: Whether this one reads and writes the workdir.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        """Finds this worker's place."""
        self.strategy, self.size, self.chief = strategy, 1, True
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            jobs = strategy.cluster_resolver.cluster_spec().as_dict()
            self.size = sum(len(tasks) for tasks in jobs.values())
            task = strategy.cluster_resolver.task_type
            first = strategy.cluster_resolver.task_id == 0
            self.chief = first and task == ("chief" if "chief" in jobs else "worker")

    def stream(self, source: Any, seed: int, step: int) -> Any:
        """What `fit` reads: each worker its own rows of every batch.

        Args:
            source: See `data.open_source`.
            seed: The run's seed.
            step: The batch to begin with.
        """
        if self.size == 1:
            return source.stream(seed, step)

        def own_rows(context):
            share = Share(context.input_pipeline_id, context.num_input_pipelines)
            replicas = context.num_replicas_in_sync
            rows = source.options.batch_size // replicas
            stream = source.stream(seed, step, share).rebatch(rows, drop_remainder=True)
            # Endless, else TensorFlow makes room for smaller batches, of unknown size.
            endless = tf.data.experimental.INFINITE_CARDINALITY
            return stream.apply(tf.data.experimental.assert_cardinality(endless))

        return self.strategy.distribute_datasets_from_function(own_rows)

    def agree(self, *flags: bool) -> list[bool]:
        """Asks all workers; each of them has to ask at the same time.

        Args:
            *flags: What is so on this worker.

        Returns:
            What is so on any.
        """
        if self.size == 1:
            return list(flags)
        total = self._total(np.array(flags, np.float32))
        return [bool(count) for count in total]

    def as_chief(self, work: Callable[[], Any]) -> Any:
        """Does some work on the chief; the others wait for it.

        Args:
            work: May raise a UserError.

        Returns:
            What it returns; None on the others.

        Raises:
            UserError: the chief's, and on the others one that says where it is told.
        """
        return self.together(work if self.chief else lambda: None)

    def together(self, work: Callable[[], Any]) -> Any:
        """Does some work on every worker, and goes on if none has a UserError.

        Args:
            work: May raise a UserError.

        Returns:
            What it returns.

        Raises:
            UserError: its own, or another worker's, of which one line tells.
        """
        result = error = None
        try:
            result = work()
        except UserError as raised:
            error = raised
        [failed] = self.agree(error is not None)
        if error:
            raise error
        if failed:
            raise UserError("another worker has ended; its own line says why")
        return result

    def check_same(self, words: str) -> None:
        """Checks that all workers say the same.

        Args:
            words: The recipe, and what the data are.

        Raises:
            UserError: on all, if one differs from the chief.
        """
        if self.size == 1:
            return
        digest = int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)  # < 2^60
        [chiefs] = self._total(np.array([digest if self.chief else 0]))
        if any(self.agree(digest != chiefs)):
            raise UserError(
                "the workers differ: expected the same command, package and data on "
                f"all; this one has {words.splitlines()[-1]}"
            )

    def share_state(self, model: BaseGAN) -> None:
        """Gives every worker the chief's weights, optimizers and step."""
        if self.size == 1:
            return
        for variable in checkpoint.named_variables(model).values():
            value = variable.numpy()
            total = self._total(value if self.chief else np.zeros_like(value))
            variable.assign(total.astype(value.dtype))

    @contextlib.contextmanager
    def minded(self, workdir: str) -> Iterator[None]:
        """Ends with a clear line if another worker is lost.

        Args:
            workdir: Where the newest checkpoint is.

        Raises:
            WorkerLost: with that line.
        """
        try:
            yield
        except tf.errors.OpError as error:
            gone = isinstance(error, LOST) or "aborted by" in str(error)
            if self.size == 1 or not gone:
                raise
            told = str(error.message).strip()
            _, _, cause = told.partition("aborted by: ")
            cause = (cause or told).splitlines()[0].strip()
            raise WorkerLost(
                f"a worker was lost ({cause}). Start all workers again with the same "
                f"command: they go on from the newest checkpoint in {workdir}"
            ) from None

    def _total(self, values: np.ndarray) -> np.ndarray:
        """The sum over workers."""
        local = self.strategy.num_replicas_in_sync // self.size
        whole = values.astype(np.int64 if values.dtype.kind in "iub" else np.float32)
        parts = [whole] + [np.zeros_like(whole)] * (local - 1)  # one device counts

        def part(context):
            return tf.constant(parts[context.replica_id_in_sync_group % local])

        each = self.strategy.experimental_distribute_values_from_function(part)
        return np.asarray(self.strategy.reduce("SUM", each, axis=None))


def make_team(name: str) -> Team:
    """Makes the strategy that a word of `train.STRATEGIES` stands for.

    With several workers: before anything else is computed, and all of them together.

    Args:
        name: "auto" takes the workers of TF_CONFIG, or else all GPUs, if there are
            several.

    Raises:
        UserError: if TF_CONFIG does not say what it has to.
    """
    told = os.environ.get("TF_CONFIG", "").strip()
    if name == "multi_worker" or (name == "auto" and told):
        addresses = check_tf_config(told)
        if len(addresses) > 1:
            names = ", ".join(addresses)
            print(f"waiting for {len(addresses)} workers: {names}", flush=True)
            return Team(_multi_worker())
    gpus = len(tf.config.list_logical_devices("GPU"))
    if name == "mirrored" and not gpus:
        cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
        # TensorFlow's collective sums between CPUs clash as soon as a process makes a
        # second strategy.
        sums = tf.distribute.ReductionToOneDevice()
        return Team(tf.distribute.MirroredStrategy(cpus, cross_device_ops=sums))
    if name == "mirrored" or (name != "one_device" and gpus > 1):
        return Team(tf.distribute.MirroredStrategy())
    return Team(tf.distribute.get_strategy())


def _multi_worker() -> tf.distribute.Strategy:
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError:
        raise UserError(
            "--strategy=multi_worker: TensorFlow has begun already; expected a process "
            "of its own, as `python -m keras_gans.train`"
        ) from None
    except tf.errors.OpError as error:
        first = str(error.message).strip().splitlines()[0]
        raise UserError(
            f"--strategy=multi_worker: the workers did not meet ({first}); expected a "
            "free port here, and all of them started within a few minutes"
        ) from None


def check_tf_config(text: str) -> list[str]:
    """Checks TF_CONFIG.

    Args:
        text: Its text.

    Returns:
        The workers' addresses, the chief's first.

    Raises:
        UserError: if it is missing, no JSON, or does not say who is who.
    """
    form = (
        '{"cluster": {"worker": ["host1:port", "host2:port"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    if not text:
        raise UserError(
            f"--strategy=multi_worker: TF_CONFIG is not set; expected {form}"
        )
    try:
        told = json.loads(text)
        jobs, task = told["cluster"], told["task"]
        kind, index = task["type"], int(task["index"])
        addresses = [str(a) for job in ("chief", "worker") for a in jobs.get(job, [])]
        others = sorted(jobs.keys() - {"chief", "worker"})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"TF_CONFIG: expected {form}, got {text}") from None
    if others or kind not in jobs:
        raise UserError(
            f"TF_CONFIG: expected jobs and a task of type worker or chief, got "
            f"{', '.join(sorted(jobs))} and {kind}"
        )
    if not 0 <= index < len(jobs[kind]):
        raise UserError(
            f"TF_CONFIG: expected an index below {len(jobs[kind])}, the number of "
            f"{kind}s, got {index}"
        )
    if len(jobs.get("chief", [])) > 1:
        raise UserError("TF_CONFIG: expected one chief")
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit() and 0 < int(port) < 2**16):
            raise UserError(f"TF_CONFIG: expected host:port, got {address}")
        if addresses.count(address) > 1:
            raise UserError(f"TF_CONFIG: expected {address} once")
    return addresses


def sizes(
    start: int, steps: int, options: TrainOptions, paced: bool = True
) -> Iterator[int]:
    """Cuts a run into calls of some steps, none across one at which something is due.

    Args:
        start: The step to go on from.
        steps: The last step.
        options: `steps_per_execution`, and how often the callbacks do their work.
        paced: Whether calls stay below LONGEST seconds, so that a slow model shows its
            progress and heeds Ctrl-C; not where workers have to be in step.

    Yields:
        The number of steps in the next call.
    """
    every = options.log_every, options.grid_every, options.checkpoint_every
    every += (options.evaluate_every or steps,)
    most = 1 if paced else options.steps_per_execution
    step = start
    while step < steps:
        size = min(most, steps - step, *(each - step % each for each in every))
        began = time.monotonic()
        yield size
        due = any((step + size) % each == 0 for each in every)
        if paced and step > start and not due:  # the first call traces
            rate = size / (time.monotonic() - began)
            most = max(1, min(options.steps_per_execution, int(LONGEST * rate)))
        step += size

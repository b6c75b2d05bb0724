"""Devices and hosts under TensorFlow.

The environment variable TF_CONFIG lists the workers, as for TensorFlow's own strategies
(docs/guides/scaling.md). One worker, the chief, reads and writes the workdir. All
others hold the same weights, read their own rows of each batch and stop with the
chief.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from keras_gans.core.trainer import Trainer
from keras_gans.data.options import Share
from keras_gans.errors import UserError, WorkerLost, first_line
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.strategies import Team, check_tf_config

if TYPE_CHECKING:
    from keras_gans.data.source import Source

LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


class TensorFlowTeam(Team):
    """Devices and workers of a TensorFlow strategy; in most runs, one worker.

    Args:
        strategy: Strategy under which the model is built and trained.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy, self.devices = strategy, strategy.num_replicas_in_sync
        self.mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            jobs = strategy.cluster_resolver.cluster_spec().as_dict()
            self.size = sum(len(tasks) for tasks in jobs.values())
            task = strategy.cluster_resolver.task_type
            first = strategy.cluster_resolver.task_id == 0
            self.chief = first and task == ("chief" if "chief" in jobs else "worker")

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the scope of the strategy."""
        return self.strategy.scope()

    def check(self, options: TrainOptions) -> None:
        """Check that the options of a run suit the devices."""
        if self.devices > 1 and options.jit_compile == "yes":
            raise UserError(
                f"[train] jit_compile: expected auto or no with {self.devices} "
                "devices, which XLA cannot join; got yes"
            )

    def stream(self, source: Source, seed: int, step: int) -> Any:
        """Return the batches for `fit`, of which each worker reads its own rows."""
        if self.size == 1:
            stream = source.stream(seed, step)
            if self.devices == 1 or tf.config.list_logical_devices("GPU"):
                return stream
            # CPUs share their memory, and copying ahead for each takes long to end.
            here = tf.distribute.InputOptions(experimental_fetch_to_device=False)
            return self.strategy.experimental_distribute_dataset(stream, here)

        def own_rows(context):
            share = Share(context.input_pipeline_id, context.num_input_pipelines)
            replicas = context.num_replicas_in_sync
            rows = source.options.batch_size // replicas
            stream = source.stream(seed, step, share).rebatch(rows, drop_remainder=True)
            # Without it, TensorFlow allows for smaller batches, of unknown size.
            endless = tf.data.experimental.INFINITE_CARDINALITY
            return stream.apply(tf.data.experimental.assert_cardinality(endless))

        return self.strategy.distribute_datasets_from_function(own_rows)

    def agree(self, *flags: bool) -> list[bool]:
        """Return which flags are true on any worker; all workers must call it."""
        if self.size == 1:
            return list(flags)
        total = self._total(np.array(flags, np.float32))
        return [bool(count) for count in total]

    def check_same(self, words: str) -> None:
        """Check that all workers have the same recipe and data."""
        if self.size == 1:
            return
        digest = int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)  # < 2^60
        [chiefs] = self._total(np.array([digest if self.chief else 0]))
        if any(self.agree(digest != chiefs)):
            raise UserError(
                "the workers differ: expected the same command, package and data on "
                f"all; this worker has {words.splitlines()[-1]}"
            )

    def share_state(self, model: Trainer) -> None:
        """Copy the chief's weights, optimizer states and step to every worker."""
        if self.size == 1:
            return
        for variable in checkpoint.named_variables(model).values():
            value = variable.numpy()
            total = self._total(value if self.chief else np.zeros_like(value))
            variable.assign(total.astype(value.dtype))

    @contextlib.contextmanager
    def active(self, workdir: str) -> Iterator[None]:
        """Return a context that raises WorkerLost if another worker is lost."""
        try:
            yield
        except tf.errors.OpError as error:
            gone = isinstance(error, LOST) or "aborted by" in str(error)
            if self.size == 1 or not gone:
                raise
            _, _, cause = str(error).partition("aborted by: ")
            cause = cause.partition("\n")[0].strip() or first_line(error)
            raise WorkerLost(
                f"a worker was lost ({cause}). Start all workers again with the same "
                f"command: they continue from the newest checkpoint in {workdir}"
            ) from None

    def _total(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of values over all workers."""
        local = self.strategy.num_replicas_in_sync // self.size
        whole = values.astype(np.int64 if values.dtype.kind in "iub" else np.float32)
        parts = [whole] + [np.zeros_like(whole)] * (local - 1)  # one device per worker

        def part(context):
            return tf.constant(parts[context.replica_id_in_sync_group % local])

        each = self.strategy.experimental_distribute_values_from_function(part)
        return np.asarray(self.strategy.reduce("SUM", each, axis=None))


def make_team(name: str) -> Team:
    """Make the team of a --strategy; see `strategies.make_team`."""
    told = os.environ.get("TF_CONFIG", "").strip()
    if name == "multi_worker" or (name == "auto" and told):
        addresses = check_tf_config(told)
        if len(addresses) > 1:
            names = ", ".join(addresses)
            print(f"waiting for {len(addresses)} workers: {names}", flush=True)
            return TensorFlowTeam(_multi_worker())
    gpus = len(tf.config.list_logical_devices("GPU"))
    if name == "mirrored" and not gpus:
        cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
        # TensorFlow's collective sums between CPUs clash as soon as a process makes a
        # second strategy.
        sums = tf.distribute.ReductionToOneDevice()
        return TensorFlowTeam(
            tf.distribute.MirroredStrategy(cpus, cross_device_ops=sums)
        )
    if name == "mirrored" or (name != "one_device" and gpus > 1):
        return TensorFlowTeam(tf.distribute.MirroredStrategy())
    return TensorFlowTeam(tf.distribute.get_strategy())


def _multi_worker() -> tf.distribute.Strategy:
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError:
        raise UserError(
            "--strategy=multi_worker: TensorFlow is initialized already; start a new "
            "process, as with `python -m keras_gans.train`"
        ) from None
    except tf.errors.OpError as error:
        raise UserError(
            f"--strategy=multi_worker: the workers did not connect "
            f"({first_line(error)}); use a free port on this host, and start all "
            "workers within a few minutes"
        ) from None

"""Devices and hosts under TensorFlow.

Hosts are told of each other by TF_CONFIG, as TensorFlow's own are (docs/scaling.md).
One of them, the chief, reads and writes the workdir; the others hold the same weights,
read their own rows of each batch, and stop when it does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gans.core.trainer import Trainer
from keras_gans.data.options import Share
from keras_gans.errors import UserError, WorkerLost, first_line
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.strategies import Team, check_tf_config

LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


class TensorFlowTeam(Team):
    """A strategy, and its workers; mostly there is one.

    Args:
        strategy: What the model is built and trained under.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        """Finds this worker's place."""
        self.strategy, self.devices = strategy, strategy.num_replicas_in_sync
        self.mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            jobs = strategy.cluster_resolver.cluster_spec().as_dict()
            self.size = sum(len(tasks) for tasks in jobs.values())
            task = strategy.cluster_resolver.task_type
            first = strategy.cluster_resolver.task_id == 0
            self.chief = first and task == ("chief" if "chief" in jobs else "worker")

    def scope(self) -> contextlib.AbstractContextManager:
        """The strategy's."""
        return self.strategy.scope()

    def check(self, options: TrainOptions) -> None:
        """Checks that a recipe suits the devices."""
        if self.devices > 1 and options.jit_compile == "yes":
            raise UserError(
                f"[train] jit_compile: expected auto or no with {self.devices} "
                "devices, which XLA cannot join; got yes"
            )

    def stream(self, source: Any, seed: int, step: int) -> Any:
        """What `fit` reads: each worker its own rows of every batch."""
        if self.size == 1:
            stream = source.stream(seed, step)
            if self.devices == 1 or tf.config.list_logical_devices("GPU"):
                return stream
            # CPUs share the memory; what would copy ahead for each takes long to end.
            here = tf.distribute.InputOptions(experimental_fetch_to_device=False)
            return self.strategy.experimental_distribute_dataset(stream, here)

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
        """Asks all workers; each of them has to ask at the same time."""
        if self.size == 1:
            return list(flags)
        total = self._total(np.array(flags, np.float32))
        return [bool(count) for count in total]

    def check_same(self, words: str) -> None:
        """Checks that all workers say the same."""
        if self.size == 1:
            return
        digest = int(hashlib.sha256(words.encode()).hexdigest()[:15], 16)  # < 2^60
        [chiefs] = self._total(np.array([digest if self.chief else 0]))
        if any(self.agree(digest != chiefs)):
            raise UserError(
                "the workers differ: expected the same command, package and data on "
                f"all; this one has {words.splitlines()[-1]}"
            )

    def share_state(self, model: Trainer) -> None:
        """Gives every worker the chief's weights, optimizers and step."""
        if self.size == 1:
            return
        for variable in checkpoint.named_variables(model).values():
            value = variable.numpy()
            total = self._total(value if self.chief else np.zeros_like(value))
            variable.assign(total.astype(value.dtype))

    @contextlib.contextmanager
    def active(self, workdir: str) -> Iterator[None]:
        """Ends with a clear line if another worker is lost."""
        try:
            yield
        except tf.errors.OpError as error:
            gone = isinstance(error, LOST) or "aborted by" in str(error)
            if self.size == 1 or not gone:
                raise
            line = first_line(error)
            cause = line.partition("aborted by: ")[2] or line
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
    """Makes what a word stands for, see `strategies.make_team`."""
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
            "--strategy=multi_worker: TensorFlow has begun already; expected a process "
            "of its own, as `python -m keras_gans.train`"
        ) from None
    except tf.errors.OpError as error:
        raise UserError(
            f"--strategy=multi_worker: the workers did not meet ({first_line(error)}); "
            "expected a free port here, and all of them started within a few minutes"
        ) from None

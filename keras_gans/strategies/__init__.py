"""Devices and hosts of a run, chosen by --strategy, and agreement between workers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras

from keras_gans.errors import UserError
from keras_gans.recipes.train_options import TrainOptions

if TYPE_CHECKING:
    from keras_gans.data.source import Source


class Team:
    """Devices and workers of a run; this base class has one device and one worker.

    Attributes:
        devices: Number of devices among which a batch is divided.
        size: Number of workers, which are processes.
        chief: Whether this worker reads and writes the workdir.
        mirrored: Whether `tf.distribute.MirroredStrategy` is in effect.
    """

    devices, size, chief, mirrored = 1, 1, True, False

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which the model is built."""
        return contextlib.nullcontext()

    def check(self, options: TrainOptions) -> None:
        """Check that the options of a run suit the devices.

        Args:
            options: Options of the run.

        Raises:
            UserError: If they do not.
        """

    def stream(self, source: Source, seed: int, step: int) -> Any:
        """Return the batches for `fit`, of which each worker reads its own rows.

        Args:
            source: Source of the batches.
            seed: Seed of the run.
            step: Step of the first batch.
        """
        return source.stream(seed, step)

    def agree(self, *flags: bool) -> list[bool]:
        """Return which flags are true on any worker.

        All workers must call it at the same time, with the same number of flags.

        Args:
            *flags: Flags of this worker.

        Returns:
            One value for each flag: True if the flag is true on at least one worker.
        """
        return list(flags)

    @contextlib.contextmanager
    def agreement(self) -> Iterator[None]:
        """Continue after the block only if no worker raises a UserError in it.

        Raises:
            UserError: If this worker raises one in the block (the same error), or
                another worker does.
        """
        error = None
        try:
            yield
        except UserError as raised:
            error = raised
        [failed] = self.agree(error is not None)
        if error:
            raise error
        if failed:
            raise UserError(
                "another worker has failed; see that worker's error message"
            )

    def check_same(self, words: str) -> None:
        """Check that all workers have the same recipe and data.

        Args:
            words: Text that identifies the recipe and the data.

        Raises:
            UserError: If any worker differs from the chief; all workers raise it.
        """

    def share_state(self, model: Any) -> None:
        """Copy the chief's weights, optimizer states and step to every worker."""

    def active(self, workdir: str) -> contextlib.AbstractContextManager:
        """Return the context in which the model is trained.

        Args:
            workdir: Folder of the run, for the error message.

        Raises:
            WorkerLost: If another worker is lost.
        """
        return contextlib.nullcontext()


def make_team(name: str) -> Team:
    """Make the team of a --strategy.

    Several workers must all call it at the same time, before any other computation.

    Args:
        name: Strategy, one of `train.STRATEGIES`. "auto" takes the workers of
            TF_CONFIG, else all GPUs if there are several.

    Raises:
        UserError: If TF_CONFIG is missing or invalid, or the workers or the backend
            cannot provide the strategy.
    """
    if keras.backend.backend() == "jax":
        from keras_gans.strategies import jax as backend
    else:
        from keras_gans.strategies import tensorflow as backend
    return backend.make_team(name)


def check_tf_config(text: str) -> list[str]:
    """Check the environment variable TF_CONFIG.

    Args:
        text: Value of the variable, JSON.

    Returns:
        Addresses of the workers, the chief's first.

    Raises:
        UserError: If the text is empty, is not JSON, or does not name the workers and
            the place of this worker among them.
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
        raise UserError("TF_CONFIG: expected one chief, got several")
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit() and 0 < int(port) < 2**16):
            raise UserError(f"TF_CONFIG: expected host:port, got {address}")
        if addresses.count(address) > 1:
            raise UserError(f"TF_CONFIG: expected {address} once, got it twice or more")
    return addresses

"""Devices and hosts of a run: the words of --strategy; what workers agree on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import keras

from keras_gans.errors import UserError
from keras_gans.recipes.train_options import TrainOptions


class Team:
    """What a run is trained on, and what its workers have to agree on; here, one.

    Attributes:
        devices: Among how many a batch is divided.
        size: Number of worker processes.
        chief: Whether this one reads and writes the workdir.
        mirrored: Whether a distribution strategy is in effect.
    """

    devices, size, chief, mirrored = 1, 1, True, False

    def scope(self) -> contextlib.AbstractContextManager:
        """What a model is built in."""
        return contextlib.nullcontext()

    def check(self, options: TrainOptions) -> None:
        """Checks that a recipe suits the devices.

        Raises:
            UserError: if not.
        """

    def stream(self, source: Any, seed: int, step: int) -> Any:
        """What `fit` reads: each worker its own rows of every batch.

        Args:
            source: See `data.open_source`.
            seed: The run's seed.
            step: The batch to begin with.
        """
        return source.stream(seed, step)

    def agree(self, *flags: bool) -> list[bool]:
        """Asks all workers; each of them has to ask at the same time.

        Args:
            *flags: What is so on this worker.

        Returns:
            What is so on any.
        """
        return list(flags)

    @contextlib.contextmanager
    def agreement(self) -> Iterator[None]:
        """Go on after the block only if no worker has a UserError in it.

        Raises:
            UserError: Its own, or one that says that another worker has one.
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
            raise UserError("another worker has ended; its own line says why")

    def check_same(self, words: str) -> None:
        """Checks that all workers say the same.

        Args:
            words: The recipe, and what the data are.

        Raises:
            UserError: on all, if one differs from the chief.
        """

    def share_state(self, model: Any) -> None:
        """Gives every worker the chief's weights, optimizers and step."""

    def active(self, workdir: str) -> contextlib.AbstractContextManager:
        """Context of a run; it ends with a clear line if a worker is lost.

        Args:
            workdir: Where the newest checkpoint is.

        Raises:
            WorkerLost: with that line.
        """
        return contextlib.nullcontext()


def make_team(name: str) -> Team:
    """Makes what a word of `train.STRATEGIES` stands for.

    With several workers: before anything else is computed, and all of them together.

    Args:
        name: "auto" takes the workers of TF_CONFIG, or else all GPUs, if there are
            several.

    Raises:
        UserError: if TF_CONFIG does not say what it has to, or there is no such thing.
    """
    if keras.backend.backend() == "jax":
        from keras_gans.strategies import jax as backend
    else:
        from keras_gans.strategies import tensorflow as backend
    return backend.make_team(name)


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

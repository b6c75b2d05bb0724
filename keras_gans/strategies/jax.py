"""Devices under JAX: `keras.distribution.DataParallel`, in one process."""

from __future__ import annotations

import contextlib
import os

import jax
import keras

from keras_gans.errors import UserError
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.strategies import Team, check_tf_config


class JaxTeam(Team):
    """Devices of this machine, in one process.

    Args:
        devices: Number of devices; more than one form a distribution.
    """

    def __init__(self, devices: int):
        self.devices, self._distribution = devices, None
        if devices > 1:
            names = keras.distribution.list_devices()[:devices]
            self._distribution = keras.distribution.DataParallel(devices=names)

    def active(self, workdir: str) -> contextlib.AbstractContextManager:
        """Return the scope of the distribution, in which batches are divided."""
        if self._distribution is None:
            return contextlib.nullcontext()
        return self._distribution.scope()

    def check(self, options: TrainOptions) -> None:
        """Check that the options of a run suit the backend."""
        if options.jit_compile == "no":
            raise UserError(
                "[train] jit_compile: expected auto or yes under JAX, which always "
                "compiles a step; got no"
            )


def make_team(name: str) -> JaxTeam:
    """Make the team of a --strategy; see `strategies.make_team`."""
    told = os.environ.get("TF_CONFIG", "").strip()
    several = told and len(check_tf_config(told)) > 1
    if name == "multi_worker" or (name == "auto" and several):
        raise UserError(
            "several hosts (--strategy=multi_worker, TF_CONFIG) need TensorFlow; use "
            "KERAS_BACKEND=tensorflow, or --strategy=mirrored for the devices of this "
            "machine"
        )
    every = name == "mirrored" or (
        name == "auto" and jax.default_backend() in ("gpu", "tpu")
    )
    return JaxTeam(jax.local_device_count() if every else 1)

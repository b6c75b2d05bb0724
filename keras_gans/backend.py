"""Keras's backend: choosing it, importing it, TensorFlow beside it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator

from keras_gans.errors import UserError

BACKENDS = ("tensorflow", "jax")


def import_backend() -> None:
    """Imports Keras on its backend: KERAS_BACKEND, or TensorFlow if it is installed.

    Without the lines that they write to stderr on the way, whatever
    TF_CPP_MIN_LOG_LEVEL says; they would bury a command's own words. Set
    TF_CPP_MIN_LOG_LEVEL=0 to see them.

    Raises:
        UserError: if Keras is told to use a backend that is not known here, or none is
            installed.
    """
    if "keras" in sys.modules:
        import keras

        _check_known(keras.backend.backend())
        return
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not installed:
        raise UserError("no backend of Keras is installed here: pip install tensorflow")
    # Wins over ~/.keras/keras.json.
    chosen = os.environ.setdefault("KERAS_BACKEND", installed[0])
    _check_known(chosen)
    if chosen not in installed:
        raise UserError(f"KERAS_BACKEND is '{chosen}', which is not installed here")
    if chosen == "tensorflow":
        choose_kernels()
    with _quietly():
        import keras  # noqa: F401

        # The last of them come with the devices, before which workers have to meet.
        if chosen == "tensorflow" and not os.environ.get("TF_CONFIG"):
            import tensorflow as tf

            tf.config.list_logical_devices()


def choose_kernels() -> None:
    """Lets TensorFlow, once it is imported, use oneDNN's kernels on every x86 CPU.

    Its own default only where a CPU has instructions for networks (VNNI, AMX); training
    steps are 1.2 to 1.7 times as quick elsewhere, too. TF_ENABLE_ONEDNN_OPTS wins.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _check_known(backend: str) -> None:
    if backend not in BACKENDS:
        raise UserError(
            f"KERAS_BACKEND is '{backend}': expected one of {', '.join(BACKENDS)}"
        )


def import_tensorflow(what: str) -> None:
    """Imports Keras with TensorFlow, for what no other backend does.

    Args:
        what: That, for messages.

    Raises:
        UserError: if Keras runs on another backend already, or there is no TensorFlow.
    """
    if "keras" in sys.modules:
        import keras

        if keras.backend.backend() == "tensorflow":
            return
        raise UserError(
            f"{what} needs TensorFlow, and Keras runs on {keras.backend.backend()} "
            "here: call the command by itself, with KERAS_BACKEND=tensorflow"
        )
    _check_installed(what)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import_backend()


def find_tensorflow(what: str, *others: str) -> None:
    """Imports TensorFlow beside whatever backend Keras has, without its lines.

    Args:
        what: What needs it, for messages.
        *others: Packages that are needed as well.

    Raises:
        UserError: if one is not installed.
    """
    _check_installed(what, *others)
    with _quietly():
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":  # the device is the backend's
            with contextlib.suppress(RuntimeError):  # it has begun: leave it as it is
                tf.config.set_visible_devices([], "GPU")


def _check_installed(what: str, *others: str) -> None:
    for name in ("tensorflow", *others):
        if not importlib.util.find_spec(name):
            package = name.replace("_", "-")
            raise UserError(
                f"{what} needs {package}, which is not installed here: pip install "
                f"{package}, or go where it is"
            )


def _quietly() -> contextlib.AbstractContextManager:
    loud = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return contextlib.nullcontext() if loud else no_stderr()


@contextlib.contextmanager
def no_stderr() -> Iterator[None]:
    """Drops what is written to stderr, also by C++."""
    # The lines come from C++: the file descriptor is where to stop them.
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

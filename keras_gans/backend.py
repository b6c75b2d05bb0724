"""Keras's backend: choice and import, with TensorFlow as backend or beside it."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

from keras_gans.errors import UserError

BACKENDS = ("tensorflow", "jax")

# Names in the files of `keras.Model.save`, and the modules of their classes.
SAVED_CLASSES = {
    "LinearAfter": "keras_gans.engine.optimizers",
    "Network": "keras_gans.networks.saving",
    "ScheduledAdam": "keras_gans.engine.optimizers",
    "Trainer": "keras_gans.core.trainer",
}


def import_backend() -> None:
    """Import Keras on a backend: `KERAS_BACKEND`, or else TensorFlow, or else JAX.

    Lines that the libraries write to stderr during the import are dropped, so that the
    command's own lines stay visible. Set `TF_CPP_MIN_LOG_LEVEL=0` to see all lines.

    Raises:
        UserError: If the backend is unknown or not installed, or if no backend is
            installed.
    """
    if "keras" in sys.modules:
        import keras

        _check_known(keras.backend.backend())
        return
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not installed:
        raise UserError("no Keras backend is installed; run pip install tensorflow")
    # Takes precedence over ~/.keras/keras.json.
    chosen = os.environ.setdefault("KERAS_BACKEND", installed[0])
    _check_known(chosen)
    if chosen not in installed:
        raise UserError(
            f"KERAS_BACKEND is '{chosen}', which is not installed; install it, or "
            "unset KERAS_BACKEND"
        )
    if chosen == "tensorflow":
        choose_kernels()
    with _quietly():
        import keras  # noqa: F401

        # TensorFlow writes its last lines when it lists the devices. With several
        # workers, the devices must not be listed before the workers are connected.
        if chosen == "tensorflow" and not os.environ.get("TF_CONFIG"):
            import tensorflow as tf

            tf.config.list_logical_devices()


def choose_kernels() -> None:
    """Make TensorFlow use oneDNN's kernels on every x86 CPU.

    By default, TensorFlow uses these kernels only on CPUs with VNNI or AMX, but they
    speed up training on other CPUs, too. A given `TF_ENABLE_ONEDNN_OPTS` takes
    precedence. Call the function before TensorFlow is imported.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _check_known(backend: str) -> None:
    if backend not in BACKENDS:
        raise UserError(
            f"KERAS_BACKEND is '{backend}'; use one of {', '.join(BACKENDS)}"
        )


def import_tensorflow(what: str) -> None:
    """Import Keras on TensorFlow, for a feature that needs this backend.

    Args:
        what: Name of the feature, for the error message.

    Raises:
        UserError: If Keras runs on another backend already, or if TensorFlow is not
            installed.
    """
    if "keras" in sys.modules:
        import keras

        if keras.backend.backend() == "tensorflow":
            return
        raise UserError(
            f"{what} needs TensorFlow, but Keras runs on {keras.backend.backend()}; "
            "run the command in a new process with KERAS_BACKEND=tensorflow"
        )
    _check_installed(what)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import_backend()


def find_tensorflow(what: str, *others: str) -> None:
    """Import TensorFlow beside any backend of Keras, without its lines on stderr.

    If Keras runs on another backend, TensorFlow does not use the GPU.

    Args:
        what: Name of the feature that needs TensorFlow, for the error message.
        *others: Names of other modules that the feature needs.

    Raises:
        UserError: If TensorFlow or another module is not installed.
    """
    _check_installed(what, *others)
    with _quietly():
        import keras
        import tensorflow as tf

        if keras.backend.backend() != "tensorflow":  # leave the GPU to it
            with contextlib.suppress(RuntimeError):  # initialized already
                tf.config.set_visible_devices([], "GPU")


def _check_installed(what: str, *others: str) -> None:
    for name in ("tensorflow", *others):
        if not importlib.util.find_spec(name):
            package = name.replace("_", "-")
            raise UserError(
                f"{what} needs {package}, which is not installed; run pip install "
                f"{package}"
            )


def _quietly() -> contextlib.AbstractContextManager:
    loud = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return contextlib.nullcontext() if loud else no_stderr()


@contextlib.contextmanager
def no_stderr() -> Iterator[None]:
    """Drop all output to stderr, including that of C++ libraries."""
    # C++ writes to the file descriptor, not to sys.stderr.
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _SavedClass:
    """Stand-in for a class of a saved model until Keras needs the class.

    Args:
        name: Name of the class, a key of `SAVED_CLASSES`.
    """

    def __init__(self, name: str):
        self._name = name

    def from_config(self, config: dict[str, Any]) -> Any:
        """Import the class and make an object from its configuration."""
        module = importlib.import_module(SAVED_CLASSES[self._name])
        return getattr(module, self._name).from_config(config)


class _KerasFinder(importlib.abc.MetaPathFinder):
    """Finder that calls `register_classes` once Keras is imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find Keras with the other finders; leave all other modules to them."""
        if name != "keras":
            return None
        others = [f for f in sys.meta_path if f is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec and spec.loader:
            run = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                run(module)
                register_classes()

            spec.loader.exec_module = exec_module
        return spec


def register_classes() -> None:
    """Make Keras find the classes of saved models, as soon as it is imported.

    `import keras_gans` does not import Keras, but `keras.models.load_model` must know
    the classes after it. Neither their modules nor Keras are imported before use.
    """
    if "keras" not in sys.modules:
        sys.meta_path.insert(0, _KerasFinder())
        return
    import keras

    known = keras.saving.get_custom_objects()
    for name in SAVED_CLASSES:
        known.setdefault(f"keras_gans>{name}", _SavedClass(name))

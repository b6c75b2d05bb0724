"""What every `python -m keras_gans.<command>` shares: flags, help, errors."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator

from absl import flags

from keras_gans.device.sampler import SamplerError
from keras_gans.errors import UserError, WorkerLost, did_you_mean


def run_command(
    name: str,
    doc: str,
    define_flags: Callable[[flags.FlagValues], None],
    body: Callable[[flags.FlagValues], int | None],
    argv: list[str] | None = None,
) -> int:
    """Runs one `python -m keras_gans.<name>` and returns its exit status.

    Args:
        name: The command's module, for messages.
        doc: Its help, shown above the flags.
        define_flags: Defines the command's flags in the given `FlagValues`.
        body: The command; gets the parsed flags.
        argv: The words after the command; `sys.argv[1:]` if not given.

    Returns:
        0 (or what `body` returned), 2 for a user's mistake, which is printed in one
        line on stderr, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else argv
    values = flags.FlagValues()
    define_flags(values)
    if "--help" in argv or "-h" in argv:
        print(_help(doc, values))
        return 0
    try:
        try:
            extra = values([name, *argv])[1:]
        except flags.UnrecognizedFlagError as error:
            known = values.flag_values_dict()
            hint = did_you_mean(error.flagname, known)
            raise UserError(f"no flag --{error.flagname}{hint}") from None
        except flags.Error as error:
            raise UserError(str(error).replace("\n", " ")) from None
        if extra:
            raise UserError(
                f"expected only --flag=value words, got {extra[0]!r} (see --help)"
            )
        return body(values) or 0
    except (UserError, SamplerError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except WorkerLost as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 75  # EX_TEMPFAIL of sysexits.h: the same command may work again
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130


def _help(doc: str, values: flags.FlagValues) -> str:
    lines = [doc.strip(), "", "Flags:"]
    for key in sorted(values):
        flag = values[key]
        default = "" if flag.default in (None, [], "") else f" (default: {flag.value})"
        lines += [f"  --{key}", f"      {flag.help}{default}"]
    return "\n".join(lines)


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

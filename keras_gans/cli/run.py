"""Flags, help, errors and exit status of all commands."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from keras_gans.device.sampler import SamplerError
from keras_gans.errors import UserError, WorkerLost, one_line, os_line
from keras_gans.terminal.output import silence, stop_signals
from keras_gans.terminal.shown import ShownStream

HELP = {"--help", "-h", "-help", "-?"}


def run_command(
    name: str,
    doc: str,
    define_flags: Callable[[flags.FlagValues], None],
    body: Callable[..., int | None],
    argv: list[str] | None = None,
    takes_words: bool = False,
) -> int:
    """Run one command and return its exit status.

    Flags are `--flag=value` or `--flag value`, with "-" or "_" between the words of a
    flag's name.

    Args:
        name: Name of the command, for messages.
        doc: Help text, shown above the flags.
        define_flags: Function that defines the command's flags in a `FlagValues`.
        body: Function that runs the command and returns its exit status, None for 0.
            Its arguments are the parsed flags and, if `takes_words`, the list of words
            that are not flags.
        argv: Words after the command; `sys.argv[1:]` if not given.
        takes_words: Whether to accept words that are not flags.

    Returns:
        The exit status: that of `body`; 1 if the reader of stdout has closed the pipe,
        or if a file cannot be written or read; 2 for a mistake of the user; 75 if
        another worker was lost; 130 after Ctrl-C, SIGTERM or SIGHUP. A line on stderr
        names the reason, if there is a reader.
    """
    argv = sys.argv[1:] if argv is None else argv
    for name_of_stream in ("stdout", "stderr"):
        if getattr(sys, name_of_stream) is None:  # closed by the shell, as `>&-` does
            setattr(sys, name_of_stream, open(os.devnull, "w"))
    with (
        contextlib.redirect_stdout(ShownStream(sys.stdout)),
        contextlib.redirect_stderr(ShownStream(sys.stderr)),
        _interruptible(),
    ):
        return _run(name, doc, define_flags, body, argv, takes_words)


def _run(
    name: str,
    doc: str,
    define_flags: Callable[[flags.FlagValues], None],
    body: Callable[..., int | None],
    argv: list[str],
    takes_words: bool,
) -> int:
    """Run one command as `run_command` does, without its handlers."""
    try:
        values = flags.FlagValues()
        values.set_gnu_getopt(takes_words)  # flags may follow such words
        define_flags(values)
        if HELP & set(argv) or argv == ["help"] and not takes_words:
            print(_help(doc, values), flush=True)
            return 0
        try:
            words = values([name, *_with_underscores(argv, values)])[1:]
        except flags.UnrecognizedFlagError as error:
            from keras_gans.cli import hints  # the recipes, too, are not always needed

            flag = error.flagname
            hint = hints.unknown_flag(flag, argv, values, takes_words)
            raise UserError(f"no flag --{flag}{hint}") from None
        except flags.IllegalFlagValueError as error:
            from keras_gans.cli import hints

            raise UserError(hints.wrong_value(error, values)) from None
        except (flags.Error, ValueError) as error:
            raise UserError(str(error).replace("\n", " ")) from None
        if words and not takes_words:
            from keras_gans.cli import hints

            raise UserError(hints.other_word(words[0], argv, values))
        status = (body(values, words) if takes_words else body(values)) or 0
        sys.stdout.flush()
        return status
    except (UserError, SamplerError) as error:
        return _end(f"{name}: {one_line(error)}", 2)
    except WorkerLost as error:
        return _end(f"{name}: {error}", 75)  # EX_TEMPFAIL: a retry may succeed
    except (KeyboardInterrupt, RuntimeError) as error:
        # Native code that Ctrl-C interrupts may turn the exception into another one.
        if "KeyboardInterrupt" not in repr(error):
            raise
        return _end(f"{name}: interrupted", 130)
    except BrokenPipeError:  # the reader has left, as in `zoo | head -3`
        return _end("", 1)
    except OSError as error:
        return _end(f"{name}: {os_line(error)}", 1)


def _end(line: str, status: int) -> int:
    """Print the last line of a command that fails, and return its exit status."""
    try:
        sys.stdout.flush()
    except OSError:  # the reader has left
        silence(sys.stdout)
    try:
        print(line, end="\n" if line else "", file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)
    return status


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, with its cleanup.

    A signal during an import ends the process at once: there is nothing to clean up,
    and libraries turn exceptions at that time into other errors.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {s: signal.signal(s, _interrupt) for s in stop_signals()}
    sys.unraisablehook, hook = _interrupt_again, sys.unraisablehook
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _interrupt(number: int, frame: Any) -> None:
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            with contextlib.suppress(OSError):
                os.write(2, b"interrupted\n")  # `print` may be at work already
            os._exit(130)
        frame = frame.f_back
    raise KeyboardInterrupt


def _interrupt_again(unraisable: Any) -> None:
    """Repeat a signal that came during garbage collection, which drops exceptions."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signals = os.getpid(), signal.SIGINT
        threading.Timer(0.05, os.kill, signals).start()
    else:
        sys.__unraisablehook__(unraisable)


def _with_underscores(argv: list[str], values: flags.FlagValues) -> list[str]:
    """Replace "-" by "_" in the names of flags, but not in their values."""
    written, words = [], iter(argv)
    for word in words:
        if word == "--":
            return [*written, word, *words]
        if not word.startswith("--"):
            written.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        negated = name.removeprefix("no_")  # --no-resume
        if name not in values and negated in values and values[negated].boolean:
            name = f"no{negated}"
        written.append(f"--{name}{equals}{value}")
        if name in values and not equals and not values[name].boolean:
            written.extend(itertools.islice(words, 1))  # the flag's value
    return written


def _help(doc: str, values: flags.FlagValues) -> str:
    lines = [doc.strip(), "", "Flags:"]
    for key in values:  # in the order of their definition
        flag = values[key]
        default = "" if flag.default in (None, [], "") else f" (default: {flag.value})"
        lines += [f"  --{key}", f"      {flag.help}{default}"]
    return "\n".join(lines)

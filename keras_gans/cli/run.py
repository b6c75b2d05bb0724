"""Flags, help, errors and exit status of all commands."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Callable

from absl import flags

from keras_gans.device.sampler import SamplerError
from keras_gans.errors import UserError, WorkerLost, one_line
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
        The exit status: that of `body`; 1 if the reader of stdout has closed the pipe;
        2 for a mistake of the user; 75 if another worker was lost; 130 after Ctrl-C.
        For 2, 75 and 130, a line on stderr names the reason.
    """
    with contextlib.redirect_stdout(ShownStream(sys.stdout)):
        return _run(name, doc, define_flags, body, argv, takes_words)


def _run(
    name: str,
    doc: str,
    define_flags: Callable[[flags.FlagValues], None],
    body: Callable[..., int | None],
    argv: list[str] | None,
    takes_words: bool,
) -> int:
    """Run one command as `run_command` does; stdout shows control characters."""
    argv = sys.argv[1:] if argv is None else argv
    values = flags.FlagValues()
    values.set_gnu_getopt(takes_words)  # flags may follow such words
    define_flags(values)
    try:
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
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return 2
    except WorkerLost as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 75  # EX_TEMPFAIL of sysexits.h: a retry may succeed
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has left, as in `zoo | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


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

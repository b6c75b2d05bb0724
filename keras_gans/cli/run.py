"""What every `python -m keras_gans.<command>` shares: flags, help, errors."""

from __future__ import annotations

import sys
from collections.abc import Callable

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

"""Says what went wrong in a run, one line for each thing, and what to do about it.

    python -m keras_gans.doctor --workdir=runs/dcgan

reads the run's metrics.jsonl: a run of `keras_gans.train`, finished, broken off or
still at work, which says the same lines as they come up. What it looks for:

- not finite: a value became infinite or no number; the first that did.
- collapse: generated pictures that differed have become alike.
- discriminator won: D(real) stays near 1 and D(fake) near 0.
- overfitting: D takes real pictures that it was not shown for generated ones (needs
  --set=data.held_out=100 in training).
- oscillation: the players overtake each other again and again.
- dead gradients: a player's gradient has vanished.
- saturated: values are black and white where real ones lie between.

Exit status 0 if it finds nothing, 1 if it does, 2 for a mistake in the command.
"""

from __future__ import annotations

import sys

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.diagnostics import rules
from keras_gans.diagnostics.log import read_log
from keras_gans.errors import UserError
from keras_gans.storage.workdir import Workdir


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=values)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("doctor", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> int:
    if not values.workdir:
        raise UserError("say which run: --workdir=runs/dcgan")
    workdir = Workdir(values.workdir)
    workdir.read()
    log = read_log(workdir.metrics)
    diagnosis = rules.Diagnosis()
    diagnosis.catch_up(log)
    for finding in diagnosis.findings.values():
        print(finding)
    if not diagnosis.findings:
        print(f"nothing found: {len(log.rows)} lines, to step {log.step}")
    return 1 if diagnosis.findings else 0


if __name__ == "__main__":
    sys.exit(main())

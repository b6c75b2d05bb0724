"""Diagnose a run: print one line for each fault, with a remedy.

    python -m keras_gans.doctor --workdir=runs/dcgan

This command reads the metrics.jsonl of a run of `keras_gans.train`, which may be
finished, interrupted or still in progress. Training itself prints the same lines as
soon as it detects a fault. The faults are:

- not finite: a value became infinite or NaN; the line names the first such value.
- collapse: generated images that differed have become alike.
- discriminator won: D(real) stays near 1 and D(fake) near 0.
- overfitting: D scores held-out real images like fake images (needs
  --set=data.held_out=100 in training).
- oscillation: D(real) - D(fake) swings up and down.
- dead gradients: the gradient of the generator or discriminator has vanished.
- saturated: generated pixels are black or white where real pixels lie between.

The exit status is 0 for no fault, 1 for any fault, 2 for a mistake in the command.
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
    """Define the command's flags."""
    flags.DEFINE_string("workdir", None, "Folder of the run.", flag_values=values)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("doctor", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> int:
    if not values.workdir:
        raise UserError("no run; pass its folder, as --workdir=runs/dcgan")
    workdir = Workdir(values.workdir)
    workdir.check_is_run()
    log = read_log(workdir.metrics)
    diagnosis = rules.Diagnosis()
    diagnosis.catch_up(log)
    for finding in diagnosis.findings.values():
        print(finding)
    if not diagnosis.findings:
        print(f"no faults: {len(log.rows)} log lines, up to step {log.step}")
    return 1 if diagnosis.findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""Commands of this package in child processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from keras_gans.device.sampler import peak_mib
from keras_gans.errors import UserError


def run_child(words: list[str]) -> tuple[int, float, str]:
    """Run a command of this package in a child process.

    Args:
        words: Name of the command, and its arguments.

    Returns:
        (exit status: 0, or 1 for values that were not finite; the most memory that it
        held, in MiB; the last line that it wrote to stderr).

    Raises:
        UserError: if it fails in another way, with its own last line.
    """
    command = [sys.executable, "-m", f"keras_gans.{words[0]}", *words[1:]]
    peak = 0.0
    with tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err)
        try:
            while child.poll() is None:
                peak = max(peak, peak_mib(child.pid))
                time.sleep(0.2)
        except BaseException:
            child.kill()
            raise
        err.seek(0)
        said = (err.read().strip().splitlines() or ["no word"])[-1]
    if child.returncode not in (0, 1):
        raise UserError(f"{' '.join(words[:2])}: {said}")
    return child.returncode, peak, said

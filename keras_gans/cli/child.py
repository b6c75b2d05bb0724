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
        (status, peak, line): exit status, 0 or 1 (values that are not finite); peak
        memory in MiB; last line of stderr.

    Raises:
        UserError: If the command returns another status. The message contains the last
            line of stderr.
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
        said = (err.read().strip().splitlines() or ["no message"])[-1]
    if child.returncode not in (0, 1):
        raise UserError(f"{' '.join(words[:2])}: {said}")
    return child.returncode, peak, said

"""Log of a run, as the doctor reads it."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Sequence

import numpy as np

from keras_gans.errors import UserError

SETTLED = 300  # steps before which nothing but numbers that are not finite is odd


RECENT, LEAST = 200, 4  # what is judged: so many of the last steps, and lines


EARLY = 100  # steps in which pictures are still noise, which differs much


class Log:
    """The lines of a run's log, as they come.

    Attributes:
        rows: One for each step that has lines.
        not_finite: The values that first were not finite, in the order in which they
            are computed.
        best_diversity: The best median of LEAST lines in a row, after EARLY.
    """

    def __init__(self, rows: Sequence[dict] = ()):
        """Takes the lines that there are."""
        self.rows: list[dict] = []
        self.not_finite: list[str] = []
        self.best_diversity = 0.0
        self._diversities: collections.deque = collections.deque(maxlen=LEAST)
        for row in rows:
            self.add(row)

    def add(self, row: dict) -> None:
        """Takes one more line of metrics.jsonl."""
        if self.rows and self.rows[-1]["step"] == row["step"]:
            self.rows[-1] |= row
        else:
            self.rows.append(dict(row))
        self.not_finite = self.not_finite or row.get("not_finite", [])
        if "diversity" in row and row["step"] > EARLY:
            self._diversities.append(row["diversity"])
            if len(self._diversities) == LEAST:
                now = float(np.median(self._diversities))
                self.best_diversity = max(self.best_diversity, now)

    @property
    def step(self) -> int:
        """The last line's step; 0 if there is none."""
        return self.rows[-1]["step"] if self.rows else 0

    def recent(self, name: str) -> np.ndarray:
        """A value of the last lines: of RECENT steps, or LEAST lines if that is more.

        float [num]; empty while there are fewer than LEAST lines behind SETTLED.
        """
        found = []
        for row in reversed(self.rows):  # a long log is looked at again and again
            step = row["step"]
            far = step <= self.step - RECENT and len(found) >= LEAST
            if far or step <= SETTLED:
                break
            if name in row:
                found.append(row[name])
        return np.array(found[::-1] if len(found) >= LEAST else [], float)


def read_log(path: str) -> Log:
    """Reads a metrics.jsonl.

    Raises:
        UserError: if it is missing, empty or not such a file.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path}: no log yet; train.log_every says when lines come")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if lines and not lines[-1].endswith("\n"):  # cut short, or being written
        lines.pop()
    log = Log()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["step"] = int(row["step"])
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{path}: line {number} is not one of a run's log"
            ) from None
        log.add(row)
    if not log.rows:
        raise UserError(f"{path}: no line yet; train.log_every says when they come")
    return log

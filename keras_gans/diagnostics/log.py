"""Log of a run, as read by the doctor."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Sequence

import numpy as np

from keras_gans.errors import UserError

SETTLED = 300  # first steps, in which only values that are not finite count as a fault


RECENT, LEAST = 200, 4  # evaluated: the last steps, and at least so many lines


NUMBERS = (int, float)  # types of values in JSON; bool is none of them


EARLY = 100  # first steps, in which images are still noise, of high diversity


class Log:
    """Lines of a run's log, added one by one.

    Args:
        rows: Lines to begin with.

    Attributes:
        rows: One row for each logged step; lines of the same step are merged.
        not_finite: Names of the values that first were not finite, in the order in
            which they are computed.
        best_diversity: Highest median diversity of LEAST consecutive lines, after step
            EARLY.
    """

    def __init__(self, rows: Sequence[dict] = ()):
        self.rows: list[dict] = []
        self.not_finite: list[str] = []
        self.best_diversity = 0.0
        self._diversities: collections.deque = collections.deque(maxlen=LEAST)
        for row in rows:
            self.add(row)

    def add(self, row: dict) -> None:
        """Add one line of metrics.jsonl."""
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
        """Step of the last line; 0 for an empty log."""
        return self.rows[-1]["step"] if self.rows else 0

    def recent(self, name: str) -> np.ndarray:
        """Return one value over the last RECENT steps, or LEAST lines if that is more.

        Args:
            name: Name of the value in the log.

        Returns:
            float [num]; empty if fewer than LEAST lines after step SETTLED have the
            value.
        """
        found = []
        for row in reversed(self.rows):  # from the end: called for each new line
            step = row["step"]
            far = step <= self.step - RECENT and len(found) >= LEAST
            if far or step <= SETTLED:
                break
            if name in row:
                found.append(row[name])
        return np.array(found[::-1] if len(found) >= LEAST else [], float)


def parse_line(line: bytes) -> dict | None:
    """Parse a line of metrics.jsonl.

    Args:
        line: Line, with the newline at its end.

    Returns:
        {"step": int, name: number}; None for a line that is cut short or damaged.
    """
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
        names = row.get("not_finite", [])
        values = [v for k, v in row.items() if k != "not_finite"]
        are_numbers = all(float(v) is not None and type(v) in NUMBERS for v in values)
        row["step"] = int(row["step"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    except RecursionError:
        return None
    are_names = isinstance(names, list) and all(isinstance(n, str) for n in names)
    return row if are_numbers and are_names and 0 <= row["step"] < 2**53 else None


def read_log(path: str) -> Log:
    """Read a metrics.jsonl file, without lines that are damaged.

    Args:
        path: Path of the file.

    Raises:
        UserError: If the file is missing, is empty or holds no log of a run.
    """
    if not os.path.lexists(path):
        raise UserError(
            f"{path}: no log yet; training writes a line every train.log_every steps"
        )
    try:
        with open(path, "rb") as file:
            lines = file.readlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if lines and not lines[-1].endswith(b"\n"):  # cut short, or still being written
        lines.pop()
    log, damaged = Log(), []
    for number, line in enumerate(lines, 1):
        row = parse_line(line)
        if row:
            log.add(row)
        else:
            damaged.append(number)
    if damaged and not log.rows:
        raise UserError(
            f"{path}: line {damaged[0]}: expected a JSON object with an integer step "
            "and numbers"
        )
    if damaged:
        print(f"{path}: left out {len(damaged)} damaged lines, first {damaged[0]}")
    if not log.rows:
        raise UserError(
            f"{path}: no line yet; training writes one every train.log_every steps"
        )
    return log

"""Log of a run: metrics.jsonl and TensorBoard."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import numpy as np

from keras_gans.diagnostics import log
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import files
from keras_gans.storage.workdir import Workdir
from keras_gans.training.step_callback import StepCallback
from keras_gans.training.tensorboard import Events

Tensor = Any


class Recorder(StepCallback):
    """Write mean values to the log, and stop a run whose values are not finite.

    Args:
        workdir: Folder of the run.
        options: Options of the run; the callback uses `log_every` and `steps`.
        pending: Values of the steps since the last log line of a resumed run, as
            `pending` returned them before the last checkpoint.

    Attributes:
        broken: First step with values that are not finite, and their names: (step,
            names); None while all values are finite.
        log: Content of metrics.jsonl.
        events: Writer of the same values to TensorBoard; None outside of training.
    """

    def __init__(
        self,
        workdir: Workdir,
        options: TrainOptions,
        pending: dict[str, np.ndarray] | None = None,
    ):
        super().__init__()
        self._workdir, self._options = workdir, options
        shapes = {np.shape(values) for values in (pending or {}).values()}
        fits = len(shapes) == 1 and len(next(iter(shapes))) == 1
        self._pending: list[dict[str, Tensor]] = [pending] if pending and fits else []
        self._resumed = next(iter(shapes))[0] if self._pending else 0
        self._since = time.monotonic()
        self.broken: tuple[int, list[str]] | None = None
        self.events: Events | None = None
        self.log = log.Log()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Remove the lines that an interrupted run wrote after its last checkpoint."""
        super().on_train_begin()
        self._trim()
        self.events = Events(self._workdir.tensorboard)
        self._since = time.monotonic()

    def on_step(self, step: int, logs: dict[str, Tensor]) -> None:
        """Collect the steps' values, and write a log line if one is due."""
        if self._resumed and self._pending[0].keys() != logs.keys():
            self._pending, self._resumed = [], 0  # of another version
        self._pending.append(logs)
        if step % self._options.log_every == 0 or step == self._options.steps:
            self._flush(step)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Log the values that stopped the run, if any were not finite."""
        self.check()
        if self.broken:
            self._note({"step": self.broken[0], "not_finite": self.broken[1]})
        self.close()

    def close(self) -> None:
        """Close the event file, also after an exception."""
        if self.events:
            self.events.close()
            self.events = None

    def check(self) -> bool:
        """Return whether all values so far are finite; set `broken` if not."""
        if self._pending and self.broken is None:
            values = self._values()
            finite = np.isfinite(np.stack(list(values.values())))
            broken = np.flatnonzero(~finite.all(axis=0))
            if broken.size:
                bad = ~finite[:, broken[0]]
                step = self.step - finite.shape[1] + 1 + int(broken[0])
                self.broken = step, [k for k, b in zip(values, bad, strict=True) if b]
        return self.broken is None

    def pending(self) -> dict[str, np.ndarray]:
        """Return the values of the steps since the last log line, by name."""
        return self._values() if self._pending else {}

    def _values(self) -> dict[str, np.ndarray]:
        return {
            k: np.concatenate([np.asarray(logs[k], float) for logs in self._pending])
            for k in self._pending[0]
        }

    def _flush(self, step: int) -> None:
        if not self.check():
            self.model.stop_training = True
            return
        values = self._values()
        # Of values that only the later phase of a run has, the steps of this phase.
        late = max(0, step - self.model.late_start)
        for name in [n for n in values if n.startswith(tuple(self.model.late_values))]:
            values[name] = values[name][-late:] if late else values[name][:0]
        values = {k: column for k, column in values.items() if column.size}
        means = {k: float(column.mean()) for k, column in values.items()}
        if "real_score" in values:
            gaps = values["real_score"] - values["fake_score"]
            means["score_spread"] = float(gaps.std())
        now = time.monotonic()
        steps = max(map(len, values.values())) - self._resumed
        means["steps_per_second"] = steps / (now - self._since)
        self._since, self._pending, self._resumed = now, [], 0
        self.line(step, means)

    def line(self, step: int, values: dict[str, float]) -> None:
        """Write one line to metrics.jsonl, and the same values to TensorBoard."""
        self._note({"step": step, **values})
        self.events.numbers(values, step)

    def _note(self, row: dict) -> None:
        with open(self._workdir.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.log.add(row)

    def _trim(self) -> None:
        """Drop lines after the checkpoint, and lines that are damaged."""
        if not os.path.isfile(self._workdir.metrics):
            return
        kept, damaged = [], 0
        with open(self._workdir.metrics, "rb") as file:
            for line in file:
                row = log.parse_line(line)
                # The last line may be incomplete if the process was killed.
                damaged += row is None and line.endswith(b"\n")
                if row and row["step"] <= self.step:
                    kept.append(line)
                    self.log.add(row)
        with files.replacing(self._workdir.metrics) as temporary:
            with open(temporary, "wb") as file:
                file.writelines(kept)
        if damaged:
            print(
                f"{self._workdir.metrics}: dropped {damaged} damaged lines", flush=True
            )

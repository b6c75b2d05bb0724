"""Progress of a task: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from keras_gans.device.sampler import shown
from keras_gans.terminal.shown import ShownStream


class ProgressBar:
    """Progress bar with the count, the rate and the remaining time of a task.

    The bar appears when the object is created. Use the object in a `with` statement, or
    call `close`, because the bar hides the terminal's cursor.

    Args:
        total: Count at the end of the task.
        unit: Name of the counted items, in the plural.
        title: Name of the task; may be empty.
        done: Count at the start.
        waiting: Text to show until the first update, such as a note about compilation.
            The first update then starts the clock. If the text is empty, the clock
            starts at once.
    """

    EVERY = 1.0  # seconds between two updates of a bar
    EVERY_LINE = 20.0  # seconds between two plain lines

    def __init__(
        self, total: int, unit: str, title: str = "", done: int = 0, waiting: str = ""
    ):
        self._total, self._unit, self._title = total, unit, title
        self._first = self._done = done
        self._waiting, self._ended = bool(waiting), False
        # The bar moves the cursor, which a `ShownStream` does not let through.
        file = sys.stdout.stream if isinstance(sys.stdout, ShownStream) else None
        console = Console(highlight=False, file=file)
        drawn = sys.stdout.isatty() and console.is_interactive
        self._every = self.EVERY if drawn else self.EVERY_LINE
        self._shown: Any = None  # the `rich` widget in the terminal
        self._bar = _make_bar(console) if drawn else None
        if waiting and drawn:
            # The spinner needs a thread; the bar has none.
            status = console.status(waiting, spinner="line", refresh_per_second=4)
            self._show(status)
        elif waiting:
            print(waiting, flush=True)
        self._start(done)
        if drawn and not waiting:
            self._draw("")

    def __enter__(self) -> ProgressBar:
        """Return the bar."""
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Show the time that the task took, unless it failed, and close the bar."""
        if error is None and not self._ended:
            self._ended = True
            self._draw("")
        self.close()

    def update(self, done: int, note: Callable[[], str] | None = None) -> None:
        """Show the progress, if an update is due; otherwise return at once.

        Args:
            done: Count so far.
            note: Text for the end of the line; called only if an update is due.
        """
        now = time.monotonic()
        self._done = done
        if now < self._due and done < self._total and not self._waiting:
            return
        text = note() if note else ""  # may wait for the device
        if self._waiting:
            self._waiting = False
            self._start(done)
            if not self._bar and done < self._total:
                return
        self._due = now + self._every
        self._ended = done >= self._total
        self._draw(text)

    def close(self) -> None:
        """Restore the terminal; the last state of the bar stays visible."""
        self._show(None)

    def _start(self, done: int) -> None:
        self._first, self._began = done, time.monotonic()
        self._due = self._began + self._every

    def _draw(self, note: str) -> None:
        count = f"{self._done}/{self._total}"
        if self._title:
            count = f"{self._title}: {count}"
        words = [word for word in (self._time(), note) if word]
        if not self._bar:
            print(", ".join([count, *words]), flush=True)
            return
        self._bar.update(
            self._bar.task_ids[0],
            total=self._total,
            completed=self._done,
            description=shown(count),
            text=shown("  ".join(words)),
        )
        self._show(self._bar)
        self._bar.refresh()

    def _time(self) -> str:
        seconds, steps = time.monotonic() - self._began, self._done - self._first
        if not steps or not seconds:
            return ""
        rate = steps / seconds
        words = f"{in_words((self._total - self._done) / rate)} left"
        if self._ended:
            words = f"in {in_words(seconds)}"
        return f"{words}, {rate:{'.1f' if rate >= 1 else '.2g'}} {self._unit}/s"

    def _show(self, widget: Any) -> None:
        if widget is self._shown:
            return
        if self._shown:
            self._shown.stop()
        self._shown = widget
        if widget:
            widget.start()


def in_words(seconds: float) -> str:
    """Format a duration as rounded words.

    Args:
        seconds: Duration in seconds.

    Returns:
        Text such as "about 50 minutes".
    """
    if seconds < 5:
        return "a few seconds"
    minute, hour, day = 60, 3600, 86_400
    scales = (
        # (upper limit, rounding step, unit, name of the unit)
        (55, 5, 1, "second"),
        (9.5 * minute, minute, minute, "minute"),
        (87.5 * minute, 5 * minute, minute, "minute"),
        (9.75 * hour, 0.5 * hour, hour, "hour"),
        (47.5 * hour, hour, hour, "hour"),
        (math.inf, day, day, "day"),
    )
    step, unit, name = next(scale[1:] for scale in scales if seconds < scale[0])
    number = round(seconds / step) * step / unit
    return f"about {number:g} {name}{'s' if number != 1 else ''}"


def _make_bar(console: Console) -> Progress:
    """Make a bar of one line; a narrow terminal truncates the line."""

    def column(field: str, **options: Any) -> TextColumn:
        return TextColumn(
            f"{{task.{field}}}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", **options),
        )

    width = max(4, min(24, console.width // 5))
    bar = Progress(
        column("description"),
        BarColumn(width, complete_style="green", finished_style="green"),
        column("fields[text]", ratio=1),  # the remaining width
        console=console,
        expand=True,
        auto_refresh=False,  # no thread: only updates draw
    )
    bar.add_task("", text="")
    return bar

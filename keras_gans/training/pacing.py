"""Lengths of calls: how many steps are computed before the host looks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from keras_gans.recipes.train_options import TrainOptions

LONGEST = 0.5  # seconds of a call


def sizes(
    start: int, steps: int, options: TrainOptions, paced: bool = True
) -> Iterator[int]:
    """Cuts a run into calls of some steps, none across one at which something is due.

    Args:
        start: The step to go on from.
        steps: The last step.
        options: `steps_per_execution`, and how often the callbacks do their work.
        paced: Whether calls stay below LONGEST seconds, so that a slow model shows its
            progress and heeds Ctrl-C; not where workers have to be in step.

    Yields:
        The number of steps in the next call.
    """
    every = options.log_every, options.grid_every, options.checkpoint_every
    every += (options.evaluate_every or steps,)
    most = 1 if paced else options.steps_per_execution
    step = start
    while step < steps:
        size = min(most, steps - step, *(each - step % each for each in every))
        began = time.monotonic()
        yield size
        due = any((step + size) % each == 0 for each in every)
        if paced and step > start and not due:  # the first call traces
            rate = size / (time.monotonic() - began)
            most = max(1, min(options.steps_per_execution, int(LONGEST * rate)))
        step += size

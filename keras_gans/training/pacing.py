"""Number of steps in each call of the training function."""

from __future__ import annotations

import time
from collections.abc import Iterator

from keras_gans.recipes.train_options import TrainOptions

LONGEST = 0.5  # upper limit of a call in seconds


def sizes(
    start: int, steps: int, options: TrainOptions, paced: bool = True
) -> Iterator[int]:
    """Divide a run into calls that end wherever a callback is due.

    Args:
        start: Step from which the run starts or resumes.
        steps: Last step of the run.
        options: Options of the run: `steps_per_execution`, and the intervals of the
            callbacks in steps.
        paced: Whether to keep calls below LONGEST seconds, so that a slow model shows
            its progress and responds to Ctrl-C. Several workers need False: their
            calls must have equal lengths.

    Yields:
        Number of steps in the next call.
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
        if paced and step > start and not due:  # the first call compiles
            rate = size / (time.monotonic() - began)
            most = max(1, min(options.steps_per_execution, int(LONGEST * rate)))
        step += size

"""Random numbers of a training step."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
from keras import ops


class StepSeed(keras.random.SeedGenerator):
    """Seeds as a function of (seed, step, number of the draw in the step).

    Unlike Keras's own generator it has no state that a draw changes: after a resume
    the draws go on as if nothing had happened, as long as the step is restored.

    Args:
        seed: The run's seed.
        step: Integer variable that counts training steps.
    """

    def __init__(self, seed: int, step: keras.Variable):
        """Starts at the step's first draw."""
        super().__init__(seed)
        self._step = step
        # Each replica is traced in a thread of its own, in turn with the others.
        self._local = threading.local()
        self.begin_step()

    @property
    def draws(self) -> int:
        """How many draws the step has made."""
        return self._local.draws

    def begin_step(self, draws: int = 0) -> None:
        """Goes back to the first draw, or to another; call it where a step begins."""
        self._local.draws = draws

    def next(self, ordered: bool = True) -> Any:
        """Returns the next draw's seed, [2], of integers with at least 32 bits."""
        del ordered  # always in order
        self._local.draws += 1
        # The draw stands in the upper 8 bits: no two (step, draw) meet below 2^24
        # steps. What does not fit there moves the seed.
        more, number = divmod(self._local.draws, 2**8)
        dtype = self.state.dtype  # of 32 bits under JAX, of 64 under TensorFlow
        low = ops.cast(self._step.value, dtype) + np.array(number * 2**24, dtype)
        return ops.stack([self.state.value[0] + np.array(more * 2**20, dtype), low])

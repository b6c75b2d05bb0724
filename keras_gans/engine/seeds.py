"""Random seeds of a training step."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
from keras import ops


class StepSeed(keras.random.SeedGenerator):
    """Seed generator: a function of (seed, step, number of the draw in the step).

    Unlike Keras's own generator, it has no state that a draw changes. A resumed run
    continues with the same draws, as long as the step is restored.

    Args:
        seed: Seed of the run.
        step: Integer variable that counts training steps.
    """

    def __init__(self, seed: int, step: keras.Variable):
        super().__init__(seed)
        self._step = step
        # Each replica is traced in its own thread, in turn with the others.
        self._local = threading.local()
        self.begin_step()

    @property
    def draws(self) -> int:
        """Number of draws so far in the step."""
        return self._local.draws

    def begin_step(self, draws: int = 0) -> None:
        """Set the number of draws so far; call it at the beginning of a step.

        Args:
            draws: Number of draws to continue from.
        """
        self._local.draws = draws

    def next(self, ordered: bool = True) -> Any:
        """Return the seed of the next draw.

        Args:
            ordered: Ignored; the draws are always ordered.

        Returns:
            Integers [2] of at least 32 bits.
        """
        del ordered  # the draws are always ordered
        self._local.draws += 1
        # Bits 24 to 31 hold the draw: no two pairs (step, draw) collide below 2^24
        # steps. Higher bits of the draw change the seed.
        more, number = divmod(self._local.draws, 2**8)
        dtype = self.state.dtype  # 32 bits under JAX, 64 under TensorFlow
        low = ops.cast(self._step.value, dtype) + np.array(number * 2**24, dtype)
        return ops.stack([self.state.value[0] + np.array(more * 2**20, dtype), low])

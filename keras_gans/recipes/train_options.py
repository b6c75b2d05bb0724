"""Options of a run: the `[train]` table of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """How long a run is, and what it leaves behind on its way.

    Attributes:
        steps: Training steps in all; a step updates the generator once.
        seed: Seeds the weights, the latents and the order of the data.
        log_every: Steps between two lines of metrics.jsonl; each holds means over the
            steps since the last one.
        grid_every: Steps between two sample grids.
        checkpoint_every: Steps between two checkpoints.
        keep_checkpoints: How many of the newest checkpoints are kept.
        precision: Of the networks' layers in training: "float32", "mixed_bfloat16" or
            "mixed_float16". Weights, last layers, losses and what is exported are
            float32.
        accumulate: In how many parts, one after another, a batch is computed, to need
            less memory.
        remat: Whether the backward pass computes activations again instead of
            keeping them (gradient checkpointing): less memory, a third to a half more
            work.
        synchronized_batch_norm: Whether batch normalisation takes its statistics of
            all devices together, rather than of each one's own pictures.
        jit_compile: Whether XLA compiles the step: "auto" (on one GPU, and always
            under JAX), "yes" or "no".
        steps_per_execution: Training steps that run without the host between them, at
            most; fewer where they take long or something is due.
        evaluate_every: Steps between two measurements of KID and coverage, with 1,000
            samples; the best checkpoint is kept. 0 for none.
        init_from: A run's workdir whose networks this run begins with; "" begins with
            fresh ones.
        freeze_discriminator: How many of the discriminator's layers, from the picture
            on, stay as they came (FreezeD, Mo et al. 2020, arXiv 2002.10964).
    """

    steps: int
    seed: int = 0
    log_every: int = 50
    grid_every: int = 250
    checkpoint_every: int = 500
    keep_checkpoints: int = 3
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    accumulate: int = 1
    remat: bool = False
    synchronized_batch_norm: bool = False
    jit_compile: Literal["auto", "yes", "no"] = "auto"
    steps_per_execution: int = 10
    evaluate_every: int = 0
    init_from: str = ""
    freeze_discriminator: int = 0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        for field in dataclasses.fields(self):
            if field.type != "int":
                continue
            zero = ("seed", "evaluate_every", "freeze_discriminator")
            low = 0 if field.name in zero else 1
            if getattr(self, field.name) < low:
                raise UserError(
                    f"[train] {field.name}: expected at least {low}, "
                    f"got {getattr(self, field.name)}"
                )
        if self.seed >= 2**31:
            raise UserError(f"[train] seed: expected less than 2**31, got {self.seed}")
        if self.freeze_discriminator and not self.init_from:
            raise UserError(
                "[train] freeze_discriminator: expected train.init_from beside it "
                "(layers that have learned nothing yet are not worth keeping)"
            )

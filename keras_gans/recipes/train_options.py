"""Options of a run: the `[train]` table of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Options of a run: its length, its outputs and the computation of its steps.

    Attributes:
        steps: Number of training steps; each step updates the generator once.
        seed: Seed of the weights, the latents and the order of the data.
        log_every: Number of steps between two lines of metrics.jsonl. Each line holds
            means over the steps since the line before.
        grid_every: Number of steps between two sample grids.
        checkpoint_every: Number of steps between two checkpoints.
        keep_checkpoints: Number of the newest checkpoints to keep.
        precision: Dtype policy of the networks' layers in training: "float32",
            "mixed_bfloat16" or "mixed_float16". Weights, last layers, losses and
            exports are float32.
        accumulate: Number of parts of a batch that are computed one after another, to
            save memory.
        remat: Whether to compute activations again in the backward pass instead of
            keeping them (gradient checkpointing). It saves memory for a third to a half
            more computation.
        synchronized_batch_norm: Whether to compute the statistics of batch
            normalization over all devices, instead of over each device's own images.
        jit_compile: Compilation of the step by XLA: "auto" (on one GPU, and always
            under JAX), "yes" or "no".
        steps_per_execution: Largest number of training steps in a row without control
            by the host. Fewer run if steps take long or an output is due.
        evaluate_every: Number of steps between two measurements of KID and coverage
            with 1,000 samples; the best checkpoint is kept. 0 for none.
        init_from: Workdir of a run whose networks are the start of this run; "" for new
            networks.
        freeze_discriminator: Number of the discriminator's layers, from the image on,
            that stay unchanged (FreezeD, Mo et al. 2020, arXiv 2002.10964).
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
        """Check the values.

        Raises:
            UserError: If a value is out of range.
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
                "[train] freeze_discriminator: expected train.init_from with it, since "
                "only trained layers are worth keeping"
            )

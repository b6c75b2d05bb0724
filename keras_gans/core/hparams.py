"""Options that every variant has: the `[hparams]` table of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError, did_you_mean

AUGMENTATIONS = ("color", "translation", "cutout")  # what DiffAugment is made of


@dataclasses.dataclass(frozen=True)
class TrainerHparams:
    """Options of every variant, whatever its players.

    Attributes:
        latents: Distribution of the latents: "normal", N(0, 1), or "uniform", U(-1, 1).
        ema_decay: Decay per step of the averaged generator, in [0, 1). It is lowered
            to (1 + step) / (10 + step) early on, so that the average follows at once.
    """

    latents: Literal["normal", "uniform"] = "normal"
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        self.check("ema_decay", "0 <= decay < 1", 0 <= self.ema_decay < 1)

    @property
    def batches_per_step(self) -> int:
        """Number of batches of `data.batch_size` images that a step reads."""
        return 1

    def check(self, name: str, expected: str, holds: bool) -> None:
        """Raises a UserError that names the option, unless a condition holds.

        Args:
            name: The option.
            expected: What is expected of it, in words.
            holds: Whether it is so.

        Raises:
            UserError: if not.
        """
        if not holds:
            value = getattr(self, name)
            raise UserError(f"[hparams] {name}: expected {expected}, got {value}")


@dataclasses.dataclass(frozen=True)
class Hparams(TrainerHparams):
    """Options of every GAN; a variant's own extend them.

    Attributes:
        d_steps: Updates of the discriminator in a step, each on `data.batch_size`
            pictures of its own, before the one of the generator.
        r1_weight: gamma of the R1 penalty, gamma / 2 |grad D(x)|^2 at real pictures
            (Mescheder et al. 2018); 0 leaves it out.
        r1_every: Steps from one R1 penalty to the next, which then counts for all of
            them (lazy regularisation, Karras et al. 2020, arXiv 1912.04958).
        augment: What the discriminator sees through, real and generated pictures
            alike: any of "color", "translation" and "cutout", with commas between
            (DiffAugment, Zhao et al. 2020); "ada" (Karras et al. 2020); or "".
        ada_target: "ada" raises its probability where the mean sign of D on real
            pictures is above this, and lowers it below.
        ada_images: Real pictures over which "ada" may go from probability 0 to 1.
    """

    d_steps: int = 1
    r1_weight: float = 0.0
    r1_every: int = 1
    augment: str = ""
    ada_target: float = 0.6
    ada_images: int = 500_000

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("d_steps", "at least 1", self.d_steps >= 1)
        self.check("r1_weight", "at least 0", self.r1_weight >= 0)
        self.check("r1_every", "at least 1", self.r1_every >= 1)
        self.check("ada_target", "-1 to 1", -1 <= self.ada_target <= 1)
        self.check("ada_images", "at least 1", self.ada_images >= 1)
        for word in self.augment.split(",") if self.augment else []:
            if word not in AUGMENTATIONS and self.augment != "ada":
                hint = did_you_mean(word, (*AUGMENTATIONS, "ada"))
                raise UserError(
                    f"[hparams] augment: '{self.augment}': no '{word}'{hint}"
                )

    @property
    def batches_per_step(self) -> int:
        """Number of batches of `data.batch_size` images that a step reads."""
        return self.d_steps

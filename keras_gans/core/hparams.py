"""Options that every variant has: the `[hparams]` table of a recipe."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError, did_you_mean

AUGMENTATIONS = ("color", "translation", "cutout")  # operations of DiffAugment


@dataclasses.dataclass(frozen=True)
class TrainerHparams:
    """Options of every variant, independent of its players.

    Attributes:
        latents: Distribution of the latents: "normal", N(0, 1), or "uniform", U(-1, 1).
        ema_decay: Largest decay per step of the generator's moving average, in [0, 1).
            The decay of a step is (1 + step) / (10 + step) if that is lower: the
            half-life of the average is then 7.7 % of the steps so far. The default is
            reached at step 8,990. The log holds the decay that was used.
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
        """Check a condition on an option.

        Args:
            name: Name of the option.
            expected: Expected values, in words.
            holds: Whether the condition holds.

        Raises:
            UserError: If the condition does not hold; the message names the option.
        """
        if not holds:
            value = getattr(self, name)
            raise UserError(f"[hparams] {name}: expected {expected}, got {value}")


@dataclasses.dataclass(frozen=True)
class Hparams(TrainerHparams):
    """Options of every GAN; the options of a variant extend them.

    Attributes:
        d_steps: Number of updates of the discriminator in a step, before the one of the
            generator. Each update sees `data.batch_size` images of its own.
        r1_weight: Weight gamma of the R1 penalty, gamma / 2 |grad D(x)|^2 at real
            images (Mescheder et al. 2018); 0 turns the penalty off.
        r1_every: Number of steps from one R1 penalty to the next. The penalty is
            multiplied by this number (lazy regularization, Karras et al. 2020, arXiv
            1912.04958).
        augment: Augmentation of the discriminator's real and generated images: "ada"
            (Karras et al. 2020), "" for none, or operations of DiffAugment (Zhao et al.
            2020). The operations are "color", "translation" and "cutout", separated by
            commas.
        ada_target: Target of the mean sign of D on real images. "ada" raises its
            probability above the target, and lowers it below.
        ada_images: Number of real images in which "ada" may go from probability 0 to 1.
    """

    d_steps: int = 1
    r1_weight: float = 0.0
    r1_every: int = 1
    augment: str = ""
    ada_target: float = 0.6
    ada_images: int = 500_000

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range, or an unknown augmentation.
        """
        super().__post_init__()
        self.check("d_steps", "1 to 1000", 1 <= self.d_steps <= 1000)
        self.check("r1_weight", "at least 0", self.r1_weight >= 0)
        self.check("r1_every", "at least 1", self.r1_every >= 1)
        self.check("ada_target", "-1 to 1", -1 <= self.ada_target <= 1)
        self.check("ada_images", "at least 1", self.ada_images >= 1)
        for word in self.augment.split(",") if self.augment else []:
            if word not in AUGMENTATIONS and self.augment != "ada":
                known = [name for name in (*AUGMENTATIONS, "ada") if name != word]
                hint = did_you_mean(word, known)
                raise UserError(
                    f"[hparams] augment: '{self.augment}': expected operations or "
                    f"'ada' alone, got '{word}'{hint}"
                )

    @property
    def batches_per_step(self) -> int:
        """Number of batches of `data.batch_size` images that a step reads."""
        return self.d_steps

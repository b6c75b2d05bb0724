"""FastGAN: A critic that has to redraw the pictures it sees, for a hundred of them.

Paper: Liu et al., "Towards Faster and Stabilized GAN Training for High-fidelity
Few-shot Image Synthesis", 2021, arXiv 2101.04775: the hinge loss (its equations 3 and
4), skip-layer excitation, and a discriminator that learns features by redrawing real
pictures from its maps (equation 2); networks in `keras_gans.networks.fastgan`.

Differences from the paper:
- What is redrawn is compared pixel by pixel, in the mean absolute difference; the
  paper's measure is LPIPS, whose networks no well-kept package carries.
- The small picture and what is redrawn have half the side of the whole, up to 128
  pixels; the paper is about 256 pixels and more, where they have 128.
- The margins of the hinge loss are 1, as in the paper; the authors' code draws them
  from U(0.8, 1) for each logit.
- The recipe has widths for small pictures and one machine.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import gan, losses
from keras_gans.core import hparams as base
from keras_gans.core.trainer import Batch
from keras_gans.layers import resampling

Tensor = Any


@dataclasses.dataclass(frozen=True)
class FastGANHparams(base.Hparams):
    """Options of FastGAN.

    Attributes:
        augment: As in every variant; the paper's.
        recon_weight: Of what is redrawn, against the hinge loss.
    """

    augment: str = "color,translation"
    recon_weight: float = 1.0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("recon_weight", "at least 0", self.recon_weight >= 0)


class FastGAN(gan.BaseGAN):
    """The hinge loss on pictures of two sizes, and redrawn pictures; see the module."""

    Hparams = FastGANHparams

    def fakes(self, batch: Batch) -> dict[str, Tensor]:
        """Generate {"images", "small"}, each of its own size; see Trainer."""
        size = ops.shape(batch["images"])[0]
        latents = engine.replica_slice(self.draw_latents, size)
        stages = self.generator.get_layer("stages")
        return stages({"latents": latents}, training=True)

    def discriminate(self, images: Tensor | dict, batch: Batch) -> dict:
        """Run the critic on real images, or on what `fakes` returns."""
        if isinstance(images, dict):
            pair = {name: self.augment(image) for name, image in images.items()}
        else:
            pair = self.pair(self.augment(images))
        return self.discriminator.get_layer("critic")(pair, training=True)

    def pair(self, images: Tensor) -> dict[str, Tensor]:
        """Images as they are, and as the discriminator's small ones."""
        return {"images": images, "small": self.shrink(images)}

    def shrink(self, images: Tensor) -> Tensor:
        """Averages images to the side of the small ones."""
        side = self.discriminator.input["small"].shape[1]
        factor = images.shape[1] // side
        return ops.average_pool(images, factor, factor) if factor > 1 else images

    def draw_corners(self, num: int) -> Tensor:
        """Draws which quarter of each picture is redrawn: 0 or 1, float [num, 2]."""
        return ops.floor(keras.random.uniform((num, 2), 0.0, 2.0, seed=self.seeds))

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises max(0, 1 - D(x)), max(0, 1 + D(G(z))) and redrawing errors."""
        real = self.augment(batch["images"])
        corner = engine.replica_slice(self.draw_corners, ops.shape(real)[0])
        seen = self.discriminator({**self.pair(real), "corner": corner}, training=True)
        fake_logits = self.score(self.fakes(batch), batch)
        self.log_scores(seen["logits"], fake_logits)
        targets = {
            "whole": real,
            "small": real,
            "quarter": resampling.quarter(real, corner),
        }
        missed = sum(
            ops.mean(ops.abs(self.shrink(target) - seen[name]), axis=(1, 2, 3))
            for name, target in targets.items()
        )
        return {
            "real": losses.hinge_real(seen["logits"]),
            "fake": losses.hinge_fake(fake_logits),
            "reconstruction": self.hparams.recon_weight * missed,
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

"""FastGAN: a GAN for about a hundred images; its discriminator also reconstructs them.

Paper: Liu et al., "Towards Faster and Stabilized GAN Training for High-fidelity
Few-shot Image Synthesis", 2021, arXiv 2101.04775.

The losses are hinge losses (equations 3 and 4). The generator has skip-layer
excitation. The discriminator also works as an encoder: decoders reconstruct real images
from its feature maps (equation 2), so that it learns features of the whole image. The
networks are in `keras_gans.networks.fastgan`.

Differences from the paper:
- The reconstruction loss is the mean absolute difference of pixels. The paper uses
  LPIPS, for which no well-maintained package provides the networks.
- The small image and the reconstructions have half the side of the full image, at most
  128 pixels. In the paper, which is about images of 256 pixels and more, they have 128.
- The margins of the hinge loss are 1, as in the paper. The authors' code draws them
  from U(0.8, 1) for each logit.
- The recipe has widths for small images and one machine.
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
        augment: Augmentations that the discriminator sees images through; the
            default is the paper's.
        recon_weight: Weight of the reconstruction loss relative to the hinge loss.
    """

    augment: str = "color,translation"
    recon_weight: float = 1.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("recon_weight", "at least 0", self.recon_weight >= 0)


class FastGAN(gan.BaseGAN):
    """Hinge losses at two image sizes, with reconstruction; see the module."""

    Hparams = FastGANHparams

    def fakes(self, batch: Batch) -> dict[str, Tensor]:
        """Generate {"images", "small"}: full-size and small images; see Trainer."""
        size = ops.shape(batch["images"])[0]
        latents = engine.replica_slice(self.draw_latents, size)
        stages = self.generator.get_layer("stages")
        return stages({"latents": latents}, training=True)

    def discriminate(self, images: Tensor | dict, batch: Batch) -> dict:
        """Run the discriminator on real images, or on the result of `fakes`."""
        if isinstance(images, dict):
            pair = {name: self.augment(image) for name, image in images.items()}
        else:
            pair = self.pair(self.augment(images))
        return self.discriminator.get_layer("critic")(pair, training=True)

    def pair(self, images: Tensor) -> dict[str, Tensor]:
        """Return {"images", "small"}: images, and the same images made small."""
        return {"images": images, "small": self.shrink(images)}

    def shrink(self, images: Tensor) -> Tensor:
        """Average-pool images to the side of the discriminator's small input."""
        side = self.discriminator.input["small"].shape[1]
        factor = images.shape[1] // side
        return ops.average_pool(images, factor, factor) if factor > 1 else images

    def draw_corners(self, num: int) -> Tensor:
        """Draw the quarter of each image to reconstruct.

        Args:
            num: Number of images.

        Returns:
            float [num, 2] of 0 or 1: 1 for the lower half, 1 for the right half.
        """
        return ops.floor(keras.random.uniform((num, 2), 0.0, 2.0, seed=self.seeds))

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return max(0, 1 - D(x)), max(0, 1 + D(G(z))) and the reconstruction loss."""
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
        """Return the term -D(G(z))."""
        fake_logits = self.score(self.fakes(batch), batch)
        return {"adversarial": losses.wasserstein_generator(fake_logits)}

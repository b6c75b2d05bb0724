"""SPADE: the label map sets scale and shift of each normalization, pixel by pixel.

Paper: Park, Liu, Wang and Zhu, "Semantic Image Synthesis with Spatially-Adaptive
Normalization", 2019, arXiv 1903.07291.

A PatchGAN sees the image at two sizes, with hinge losses. The generator also minimizes
feature matching with weight 10: the distance between the discriminator's feature maps
of the real and of the generated image. The networks are in `keras_gans.networks.spade`.

Differences from the paper:
- There is no perceptual loss on features of a VGG network.
- There is no style encoder: the smallest feature map is computed from the label map.
  The same label map gives the same image.
- There is one residual block at each size. The paper's network has two more in the
  middle.
- Batch normalization uses the statistics of each device's own images.
- All convolutions of the discriminator have spectral normalization.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from keras import ops

from keras_gans.core import losses, translation
from keras_gans.core.trainer import Batch
from keras_gans.errors import UserError
from keras_gans.networks import interface

Tensor = Any


@dataclasses.dataclass(frozen=True)
class SPADEHparams(translation.TranslationHparams):
    """Options of SPADE.

    Attributes:
        matching_weight: Weight of feature matching.
    """

    matching_weight: float = 10.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("matching_weight", "at least 0", self.matching_weight >= 0)


class SPADE(translation.TranslationGAN):
    """Hinge losses at two image sizes, with feature matching; see the module."""

    Hparams = SPADEHparams

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see TranslationGAN.

        Raises:
            UserError: If the discriminator has only one size, or for an augmentation.
        """
        super().__init__(*args, **kwargs)
        if not {"logits", "logits_half"} <= interface.heads(self.discriminator):
            raise UserError(
                "spade: expected a discriminator of two sizes, got one of one size; "
                "use the networks of keras_gans.networks.spade"
            )
        # Feature matching compares two images, which would be augmented differently.
        if self.hparams.augment:
            raise UserError('[hparams] augment: expected "" for spade; leave it out')

    def score(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the mean logit over patches and both sizes, float [batch]."""
        return overall(self.discriminate(images, batch))

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return max(0, 1 - D(x)) and max(0, 1 + D(G(m))), means over both sizes."""
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(self.fakes(batch), batch)
        self.log_scores(overall(on_real), overall(on_fake))
        return {
            "real": over_sizes(losses.hinge_real, on_real),
            "fake": over_sizes(losses.hinge_fake, on_fake),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms -D(G(m)) and feature matching."""
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(self.fakes(batch), batch)
        apart = [
            losses.feature_matching(maps, on_fake[name])
            for name, maps in on_real.items()
            if name.startswith("features")
        ]
        return {
            "adversarial": over_sizes(losses.wasserstein_generator, on_fake),
            # Sum over feature maps, mean over both sizes.
            "matching": self.hparams.matching_weight * sum(apart) / 2.0,
        }


def overall(outputs: dict[str, Tensor]) -> Tensor:
    """Return the mean logit of each image, with equal weights of both sizes."""
    return over_sizes(lambda logits: logits, outputs)


def over_sizes(loss: Any, outputs: dict[str, Tensor]) -> Tensor:
    """Return the mean of a loss over an image's patches.

    Both sizes have the same weight, whatever their numbers of patches.

    Args:
        loss: Function from logits to losses of the same shape.
        outputs: Outputs of the discriminator; "logits" and "logits_half" are read.

    Returns:
        float [batch].
    """
    means = [
        ops.mean(loss(outputs[k]), axis=(1, 2, 3)) for k in ("logits", "logits_half")
    ]
    return sum(means) / 2.0

"""SPADE: a label map steers every normalisation, so that it is not washed away.

Paper: Park, Liu, Wang and Zhu, "Semantic Image Synthesis with Spatially-Adaptive
Normalization", 2019, arXiv 1903.07291: hinge losses of a PatchGAN at two sizes, and
10 times the distance of its maps between the true and the made picture (feature
matching). `keras_gans.networks.spade`.

Differences from the paper:
- There is no loss on features of a VGG network, and no encoder of styles: the smallest
  map is made of the label map, so that the same map gives the same picture.
- One residual block at each size; the paper's network has two more in the middle.
- Batch normalisation is of each device's own pictures; spectral normalisation is of
  all convolutions of the discriminator.
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
        matching_weight: Of the distance between the discriminator's maps.
    """

    matching_weight: float = 10.0

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("matching_weight", "at least 0", self.matching_weight >= 0)


class SPADE(translation.TranslationGAN):
    """Hinge losses at two sizes, and feature matching; see the module."""

    Hparams = SPADEHparams

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see TranslationGAN.

        Raises:
            UserError: without a discriminator of two sizes.
        """
        super().__init__(*args, **kwargs)
        if not {"logits", "logits_half"} <= interface.heads(self.discriminator):
            raise UserError("spade: expected the networks of keras_gans.networks.spade")
        if self.hparams.augment:  # differently of both pictures whose maps are matched
            raise UserError('[hparams] augment: expected "" for spade')

    def score(self, images: Tensor, batch: Batch) -> Tensor:
        """The mean of the patches' logits, of both sizes alike: float [batch]."""
        return overall(self.discriminate(images, batch))

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """max(0, 1 - D(x)) and max(0, 1 + D(G(m))), the mean over both sizes."""
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(self.fakes(batch), batch)
        self.log_scores(overall(on_real), overall(on_fake))
        return {
            "real": over_sizes(losses.hinge_real, on_real),
            "fake": over_sizes(losses.hinge_fake, on_fake),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """-D(G(m)), and feature matching."""
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(self.fakes(batch), batch)
        apart = [
            losses.feature_matching(maps, on_fake[name])
            for name, maps in on_real.items()
            if name.startswith("features")
        ]
        return {
            "adversarial": over_sizes(losses.wasserstein_generator, on_fake),
            # summed over maps, averaged over the two sizes
            "matching": self.hparams.matching_weight * sum(apart) / 2.0,
        }


def overall(outputs: dict[str, Tensor]) -> Tensor:
    """The mean of a picture's logits, both sizes alike: float [batch]."""
    return over_sizes(lambda logits: logits, outputs)


def over_sizes(loss: Any, outputs: dict[str, Tensor]) -> Tensor:
    """The mean of a loss over a picture's patches, both sizes alike: float [batch]."""
    means = [
        ops.mean(loss(outputs[k]), axis=(1, 2, 3)) for k in ("logits", "logits_half")
    ]
    return sum(means) / 2.0

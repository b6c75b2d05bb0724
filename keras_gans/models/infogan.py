"""InfoGAN: latent codes gain a meaning as a network learns to read them from the image.

Paper: Chen et al., "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets", 2016, arXiv 1606.03657:

    min_{G,Q} max_D V(D, G) - lambda L_I(G, Q)

The generator takes noise z and codes c. Q predicts the codes from the generated image
and shares its layers with D, except for the heads. L_I is the mean log-likelihood
log Q(c | G(z, c)), a lower bound of the mutual information of codes and image. The
categorical code is the generator's label. The continuous codes, U(-1, 1), are the last
of its latents.

Differences from the paper:
- Q's standard deviation of the continuous codes is 1, as in the authors' code.
- D and Q have no batch normalization and no dense layers of 1,024 units.
- Q learns the category from distorted fakes, so that it ignores what
  `augment.distort` changes. The generator's loss uses undistorted fakes. L_I is a lower
  bound for any Q.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from keras import ops

from keras_gans import engine
from keras_gans.core import augment, losses
from keras_gans.core.trainer import Batch
from keras_gans.errors import UserError
from keras_gans.models import gan
from keras_gans.networks import interface

Tensor = Any


@dataclasses.dataclass(frozen=True)
class InfoGANHparams(gan.GANHparams):
    """Options of InfoGAN.

    Attributes:
        latents: Distribution of the noise and of the continuous codes: "uniform",
            U(-1, 1), or "normal", N(0, 1).
        categories: Number of values of the categorical code.
        info_weight: Weight lambda of the mutual information.
        distortion: Strength of the distortion of the fakes from which Q learns the
            category; 0 distorts none. See `augment.distort`.
    """

    latents: Literal["normal", "uniform"] = "uniform"
    categories: int = 10
    info_weight: float = 1.0
    distortion: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("categories", "2 to 65536", 2 <= self.categories <= 2**16)
        self.check("info_weight", "at least 0", self.info_weight >= 0)
        self.check("distortion", "0 <= distortion < 2", 0 <= self.distortion < 2)


class InfoGAN(gan.GAN):
    """Original GAN with codes that Q predicts from the image; see the module."""

    Hparams = InfoGANHparams

    @classmethod
    def label_names(
        cls, options: InfoGANHparams, names: Sequence[str]
    ) -> Sequence[str]:
        """Return the names "code 0", "code 1", ..., for any data set."""
        return [f"code {i}" for i in range(options.categories)]

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see BaseGAN.

        Raises:
            UserError: If the discriminator has no heads for the codes, or there are
                fewer latents than continuous codes.
        """
        super().__init__(*args, **kwargs)
        if not {"classes", "codes"} <= interface.heads(self.discriminator):
            raise UserError(
                'infogan: expected a discriminator with head = "auxiliary" and 1 or '
                "more codes, got one without; set both in [discriminator]"
            )
        if self.latent_dim < self.num_codes:
            raise UserError(
                "[generator] latent_dim: expected at least as many latents as "
                "[discriminator] codes, got fewer; increase it"
            )

    def taken_from_data(self) -> set[str]:
        """Return no names: the generator's labels are codes, drawn in each step."""
        return set()

    @property
    def num_codes(self) -> int:
        """Number of continuous codes."""
        return self.discriminator.output["codes"].shape[-1]

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the original GAN, and those of Q on generated images."""
        fake, *codes = self._fakes_with_codes(batch["images"])
        on_real = self.discriminate(batch["images"], batch)
        on_fake = self.discriminate(fake, batch)
        self.log_scores(on_real["logits"], on_fake["logits"])
        if self.hparams.distortion:
            moved = augment.distort(fake, self.seeds, self.hparams.distortion)
            on_fake["classes"] = self.discriminate(moved, batch)["classes"]
        return {
            "real": losses.log_loss_real(on_real["logits"]),
            "fake": losses.log_loss_fake(on_fake["logits"]),
            **self._information(on_fake, *codes),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the generator's term of the original GAN, and those of Q."""
        fake, *codes = self._fakes_with_codes(batch["images"])
        on_fake = self.discriminate(fake, batch)
        terms = {"adversarial": self.generator_loss(on_fake["logits"])}
        return terms | self._information(on_fake, *codes)

    def _fakes_with_codes(self, real):
        """Generate from new codes: (images, categorical, continuous codes)."""
        draws = engine.drawing(self.seeds)(real)
        labels = ops.cast(ops.floor(draws * self.hparams.categories), "int32")
        latents = engine.replica_slice(self.draw_latents, ops.shape(real)[0])
        images = self.generator({"latents": latents, "labels": labels}, training=True)
        return images, labels, latents[:, -self.num_codes :]

    def _information(self, on_fake, labels, codes):
        """Return the terms of -lambda log Q(c | x), without constants."""
        category = losses.class_loss(labels, on_fake["classes"])
        continuous = ops.sum(ops.square(on_fake["codes"] - codes), axis=-1) / 2
        weight = self.hparams.info_weight
        return {"category": weight * category, "continuous": weight * continuous}

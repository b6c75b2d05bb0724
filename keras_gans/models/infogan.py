"""InfoGAN: codes that can be read back off the picture come to mean something.

Paper: Chen et al., "InfoGAN: Interpretable Representation Learning by Information
Maximizing Generative Adversarial Nets", 2016, arXiv 1606.03657:
min_{G,Q} max_D V(D, G) - lambda L_I(G, Q), where L_I is the mean log-likelihood
log Q(c | G(z, c)) of the codes. Q shares D's body. The categorical code is the
generator's label; the continuous ones, U(-1, 1), are the last of its latents.

Differences from the paper:
- Q's standard deviation of the continuous codes is 1, as in the authors' code.
- No batch normalisation in D and Q, no dense layers of 1,024; samples are an average's.
- Q learns the category from distorted fakes, and so to ignore what `augment.distort`
  changes; the generator asks it about plain ones. For any Q, L_I is a lower bound.
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
        latents: The noise and the continuous codes: "uniform", U(-1, 1), or "normal".
        categories: Values of the categorical code.
        info_weight: lambda, of the mutual information.
        distortion: Of what Q learns the category from; see `augment.distort`.
    """

    latents: Literal["normal", "uniform"] = "uniform"
    categories: int = 10
    info_weight: float = 1.0
    distortion: float = 0.0

    def __post_init__(self) -> None:
        """Checks ranges; a UserError says which one does not hold."""
        super().__post_init__()
        self.check("categories", "at least 2", self.categories >= 2)
        self.check("info_weight", "at least 0", self.info_weight >= 0)
        self.check("distortion", "0 <= distortion < 2", 0 <= self.distortion < 2)


class InfoGAN(gan.GAN):
    """The original game, and codes that Q reads back; see the module."""

    Hparams = InfoGANHparams

    @classmethod
    def label_names(
        cls, options: InfoGANHparams, names: Sequence[str]
    ) -> Sequence[str]:
        """The values of the categorical code, whatever classes the data have."""
        return [f"code {i}" for i in range(options.categories)]

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see BaseGAN.

        Raises:
            UserError: without a head for the codes, or with too few latents.
        """
        super().__init__(*args, **kwargs)
        if not {"classes", "codes"} <= interface.heads(self.discriminator):
            raise UserError(
                'infogan: expected a discriminator with head = "auxiliary" and codes '
                "of 1 or more, got one without"
            )
        if self.latent_dim < self.num_codes:
            raise UserError("[generator] latent_dim: fewer than [discriminator] codes")

    def taken_from_data(self) -> set[str]:
        """Return no names: the generator's labels are codes, drawn in training."""
        return set()

    @property
    def num_codes(self) -> int:
        """Number of continuous codes."""
        return self.discriminator.output["codes"].shape[-1]

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """The original terms, and Q's on the generated images."""
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
        """The original loss, and Q's terms."""
        fake, *codes = self._fakes_with_codes(batch["images"])
        on_fake = self.discriminate(fake, batch)
        terms = {"adversarial": self.generator_loss(on_fake["logits"])}
        return terms | self._information(on_fake, *codes)

    def _fakes_with_codes(self, real):
        """Generates from fresh codes: (images, categorical, continuous codes)."""
        draws = engine.drawing(self.seeds)(real)
        labels = ops.cast(ops.floor(draws * self.hparams.categories), "int32")
        latents = engine.replica_slice(self.draw_latents, ops.shape(real)[0])
        images = self.generator({"latents": latents, "labels": labels}, training=True)
        return images, labels, latents[:, -self.num_codes :]

    def _information(self, on_fake, labels, codes):
        """-lambda log Q(c | x), less what does not depend on Q and G."""
        category = losses.class_loss(labels, on_fake["classes"])
        continuous = ops.sum(ops.square(on_fake["codes"] - codes), axis=-1) / 2
        weight = self.hparams.info_weight
        return {"category": weight * category, "continuous": weight * continuous}

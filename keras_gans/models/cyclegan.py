"""CycleGAN: two generators learn without pairs to translate in opposite directions.

Paper: Zhu, Park, Isola and Efros, "Unpaired Image-to-Image Translation using
Cycle-Consistent Adversarial Networks", 2017, arXiv 1703.10593.

G translates condition images x to images y, and F translates back. Each has a
discriminator with least-squares losses, which sees a pool of earlier fakes. The cycle
term asks each image to survive both translations (equations 1 to 3):

    lambda (|F(G(x)) - x| + |G(F(y)) - y|)

Differences from the paper:
- The identity term |G(y) - y| + |F(x) - x| is on if images and condition images have
  the same number of channels, as in the authors' code. The paper uses it for paintings
  only.
- The discriminators are updated before the generators.
- Samples come from moving averages of the generators' weights.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_gans.core import losses, translation
from keras_gans.core.image_pool import ImagePool
from keras_gans.core.trainer import Batch

Tensor = Any


@dataclasses.dataclass(frozen=True)
class CycleGANHparams(translation.TranslationHparams):
    """Options of CycleGAN.

    Attributes:
        cycle_weight: Weight lambda of the cycle term.
        identity_weight: Weight of the identity term, as a multiple of `cycle_weight`;
            0 turns the term off.
        pool_size: Number of earlier fakes kept for each discriminator; 0 shows the
            discriminators only the current fakes.
    """

    cycle_weight: float = 10.0
    identity_weight: float = 0.5
    pool_size: int = 50

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        for name in ("cycle_weight", "identity_weight"):
            self.check(name, "at least 0", getattr(self, name) >= 0)
        self.check("pool_size", "0 to 65536", 0 <= self.pool_size <= 2**16)


class CycleGAN(translation.TranslationGAN):
    """Two translations in opposite directions; see the module.

    The generator and the discriminator are each a model with two layers, the networks
    "forward" (to images) and "backward" (to condition images).
    """

    Hparams = CycleGANHparams
    needs_pairs, bidirectional, neutral_logit = False, True, 0.5

    make_network = staticmethod(translation.both_ways)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.condition_pool, self.image_pool = (
            ImagePool(self.hparams.pool_size, x.shape[1:], self.seeds, f"{name}_pool")
            for name, x in sorted(self.discriminator.input.items())
        )

    def translator(self, backward: bool = False) -> keras.Model:
        """Return the averaged generator of one direction; see TranslationGAN."""
        return self.ema_generator.get_layer("backward" if backward else "forward")

    def discriminate(self, images: Tensor, batch: Batch) -> Tensor:
        """Run the discriminator of the forward direction; see BaseGAN."""
        return self.discriminate_way("forward", images)

    def discriminate_way(self, way: str, images: Tensor) -> Tensor:
        """Return the raw logits of one direction's discriminator.

        Args:
            way: Direction: "forward" for images, "backward" for condition images.
            images: float [batch, height, width, channels] in [-1, 1].
        """
        inputs = {"images": self.augment(images)}
        return self.discriminator.get_layer(way)(inputs, training=True)

    def deceive(self, way: str, fake: Tensor) -> Tensor:
        """Return (D(fake) - 1)^2, without the factor 1/2 of the LSGAN paper."""
        return 2.0 * losses.least_squares_generator(self.discriminate_way(way, fake))

    def run_generator(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return (G(x), F(y)) for condition images x and images y."""
        return self.run_both(batch["condition"], batch["images"])

    def fakes(self, batch: Batch) -> Tensor:
        """Return G(x) for the condition images x of a batch."""
        return self.made(batch)[0]

    def run_both(self, condition: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Return (G(condition), F(real)), computed in training mode."""
        made = self.generator({"condition": condition, "images": real}, training=True)
        return made["forward"], made["backward"]

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return (D(y) - 1)^2 / 2 and D(G(x))^2 / 2 for both discriminators."""
        real, condition = batch["images"], batch["condition"]
        made, made_condition = self.made(batch)
        real_logits = self.discriminate_way("forward", real)
        fake_logits = self.discriminate_way("forward", self.image_pool(made))
        self.log_scores(real_logits, fake_logits)
        return {
            "real": losses.least_squares_real(real_logits),
            "fake": losses.least_squares_fake(fake_logits),
            "real_source": losses.least_squares_real(
                self.discriminate_way("backward", condition)
            ),
            "fake_source": losses.least_squares_fake(
                self.discriminate_way("backward", self.condition_pool(made_condition))
            ),
        }

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the adversarial, cycle and identity terms of both generators."""
        real, condition = batch["images"], batch["condition"]
        weight = self.hparams.cycle_weight  # lambda
        made, made_condition = self.made(batch)
        again, again_condition = self.run_both(made_condition, made)
        terms = {
            "adversarial": self.deceive("forward", made),
            "adversarial_source": self.deceive("backward", made_condition),
            "cycle": weight * ops.abs(again - real),
            "cycle_source": weight * ops.abs(again_condition - condition),
        }
        if self.hparams.identity_weight and real.shape[-1] == condition.shape[-1]:
            weight *= self.hparams.identity_weight
            same, same_condition = self.run_both(real, condition)
            terms["identity"] = weight * ops.abs(same - real)
            terms["identity_source"] = weight * ops.abs(same_condition - condition)
        return terms

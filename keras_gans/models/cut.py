"""CUT: one generator translates without pairs; a contrastive loss keeps the content.

Paper: Park, Efros, Zhang and Zhu, "Contrastive Learning for Unpaired Image-to-Image
Translation", 2020, arXiv 2007.15651.

The loss is adversarial plus PatchNCE (equations 1 to 4). PatchNCE compares feature
vectors at corresponding places of the condition image x and of its translation G(x).
The features come from the generator's own encoder, followed by a small MLP, the
projector. A place of G(x) has to match the same place of x better than other places
of x.

Differences from the paper:
- PatchNCE is averaged over layers, places and both of its terms, as in the authors'
  code. The paper's equations are sums.
- Down- and upsampling have none of the low-pass filters of the authors' code.
- Weights are initialized from N(0, 0.02).
- The projector is trained by the generator's optimizer.
- Samples come from a moving average of the generator's weights.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_gans.core import losses, translation
from keras_gans.core.trainer import Batch, Player
from keras_gans.errors import UserError
from keras_gans.models.lsgan import LSGAN
from keras_gans.networks import translator

Tensor = Any


@dataclasses.dataclass(frozen=True)
class CUTHparams(translation.TranslationHparams):
    """Options of CUT.

    `nce_weight = 10` and `identity = false` give FastCUT without its flips.

    Attributes:
        nce_weight: Weight of PatchNCE, lambda_X and lambda_Y in the paper.
        identity: Whether to apply PatchNCE also to real images y and their translations
            G(y), so that G changes real images little (the term of lambda_Y).
        temperature: Temperature tau of PatchNCE.
        patches: Number of places of each feature map that are compared.
        embedding_dim: Length of a projected feature vector.
    """

    nce_weight: float = 1.0
    identity: bool = True
    temperature: float = 0.07
    patches: int = 256
    embedding_dim: int = 256

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("nce_weight", "at least 0", self.nce_weight >= 0)
        self.check("temperature", "more than 0", self.temperature > 0)
        self.check("patches", "2 to 65536", 2 <= self.patches <= 2**16)
        self.check("embedding_dim", "1 to 65536", 1 <= self.embedding_dim <= 2**16)


class CUT(translation.TranslationGAN, LSGAN):
    """Least-squares GAN with PatchNCE for unpaired images; see the module."""

    Hparams = CUTHparams
    needs_pairs = False
    players = (Player("d", ("discriminator",)), Player("g", ("generator", "projector")))

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see TranslationGAN.

        Raises:
            UserError: If the discriminator takes the condition image, or if `identity`
                is on and images and condition images differ in channels.
        """
        super().__init__(*args, **kwargs)
        translation.check_unconditional(self.discriminator)
        image, condition = self.generator.outputs[0], self.generator.inputs[0]
        if self.hparams.identity and image.shape[-1] != condition.shape[-1]:
            raise UserError(
                "[hparams] identity: expected images and condition images with equal "
                f"channels, got {image.shape[-1]} and {condition.shape[-1]}; use false"
            )
        self.projector = translator.projector(
            self.generator, self.hparams.embedding_dim
        )

    def translated(self, batch: Batch) -> Tensor:
        """Return the images x to translate and, if `identity`, the real images y."""
        if not self.hparams.identity:
            return batch["condition"]
        return ops.concatenate([batch["condition"], batch["images"]])

    def run_generator(self, batch: Batch) -> Tensor:
        """Return G(x) and, if `identity`, G(y), one after the other."""
        return self.run(self.translated(batch))

    def fakes(self, batch: Batch) -> Tensor:
        """Return G(x)."""
        if "made" not in batch:  # G(y) is for the generator's loss alone
            return self.run(batch["condition"])
        return self.made(batch)[: ops.shape(batch["condition"])[0]]

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms (D(G(x)) - 1)^2 and PatchNCE of x and, if `identity`, y."""
        made = self.made(batch)
        logits = self.score(made[: ops.shape(batch["condition"])[0]], batch)
        nce = self.nce(self.translated(batch), made)
        return {
            "adversarial": 2.0 * losses.least_squares_generator(logits),
            "nce": self.hparams.nce_weight * nce,
        }

    def nce(self, pictures: Tensor, made: Tensor) -> Tensor:
        """Return PatchNCE between images and their translations.

        Args:
            pictures: Images to translate, float [batch, height, width, channels].
            made: Translations of `pictures`, float [batch, height, width, channels].

        Returns:
            float [batch].
        """
        encoder = translator.encoder(self.generator)
        found = []
        for maps in zip(
            *(encoder({"condition": x}, training=True) for x in (pictures, made)),
            strict=True,
        ):
            places = maps[0].shape[1] * maps[0].shape[2]
            order = keras.random.shuffle(ops.arange(places), seed=self.seeds)
            chosen = order[: self.hparams.patches]
            flat = (ops.reshape(m, (-1, places, m.shape[-1])) for m in maps)
            found.append([ops.take(m, chosen, axis=1) for m in flat])
        keys, queries = (
            self.projector(list(side)) for side in zip(*found, strict=True)
        )
        temperature = self.hparams.temperature
        terms = [
            ops.mean(losses.patch_nce(q, k, temperature), axis=1)
            for q, k in zip(queries, keys, strict=True)
        ]
        return sum(terms) / len(terms)

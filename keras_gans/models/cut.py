"""CUT: patches of a picture must stay recognisable, so that one generator is enough.

Paper: Park, Efros, Zhang and Zhu, "Contrastive Learning for Unpaired Image-to-Image
Translation", 2020, arXiv 2007.15651: the adversarial game plus PatchNCE (equations 1 to
4): what the generator's own encoder, and a small network on top, sees at a place of
G(x) must be told apart from other places of x by what it sees at the same place.

Differences from the paper:
- Layers, places and both PatchNCE terms are averaged, as in the authors' code; the
  paper's equations are sums.
- Down and up without the code's low-pass filters; weights begin with N(0, 0.02).
- The small network is trained by the generator's Adam; samples come from an average of
  the generator over the steps.
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
    """Options of CUT; FastCUT, but for its flips: nce_weight 10, identity = false.

    Attributes:
        nce_weight: lambda_X (and lambda_Y), of PatchNCE.
        identity: Whether pictures that are there already have to stay, too (lambda_Y).
        temperature: tau, of PatchNCE.
        patches: Places of each map that are compared.
        embedding_dim: Length of a patch's features.
    """

    nce_weight: float = 1.0
    identity: bool = True
    temperature: float = 0.07
    patches: int = 256
    embedding_dim: int = 256

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("nce_weight", "at least 0", self.nce_weight >= 0)
        self.check("temperature", "more than 0", self.temperature > 0)
        self.check("patches", "at least 2", self.patches >= 2)
        self.check("embedding_dim", "at least 1", self.embedding_dim >= 1)


class CUT(translation.TranslationGAN, LSGAN):
    """The least squares game, and PatchNCE; see the module."""

    Hparams = CUTHparams
    needs_pairs = False
    players = (Player("d", ("discriminator",)), Player("g", ("generator", "projector")))

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see TranslationGAN."""
        super().__init__(*args, **kwargs)
        translation.check_unconditional(self.discriminator)
        image, condition = self.generator.outputs[0], self.generator.inputs[0]
        if self.hparams.identity and image.shape[-1] != condition.shape[-1]:
            raise UserError(
                "[hparams] identity: expected false, or images and condition images "
                f"of equal channels; got {image.shape[-1]} and {condition.shape[-1]}"
            )
        self.projector = translator.projector(
            self.generator, self.hparams.embedding_dim
        )

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """(D(G(x)) - 1)^2, and PatchNCE of x and of y."""
        condition = pictures = batch["condition"]
        if self.hparams.identity:
            pictures = ops.concatenate([condition, batch["images"]])
        made = self.fakes({"condition": pictures})
        logits = self.score(made[: ops.shape(condition)[0]], batch)
        return {
            "adversarial": 2.0 * losses.least_squares_generator(logits),
            "nce": self.hparams.nce_weight * self.nce(pictures, made),
        }

    def nce(self, pictures: Tensor, made: Tensor) -> Tensor:
        """PatchNCE of pictures and what was made of them: float [batch]."""
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

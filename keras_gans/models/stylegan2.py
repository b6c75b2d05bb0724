"""StyleGAN2: a mapped latent, the style, scales every layer of the generator.

Paper: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv 1912.04958: the non-saturating loss, R1 in every 16th step with 16 times its
weight, style mixing, and path length regularisation in every 4th step with 4 times its
weight, E (|J_w' y|_2 - a)^2 for y ~ N(0, I) (its equation 4), a an average of the
lengths, on half a batch; networks in `keras_gans.networks.stylegan2`.

Differences from the paper:
- A lazy penalty is a part of the step that it falls in, with Adam's usual constants.
- The recipe has widths for small pictures and one machine, and no path lengths.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import penalties
from keras_gans.core.trainer import Batch
from keras_gans.models import gan
from keras_gans.networks.interface import complete

Tensor = Any


@dataclasses.dataclass(frozen=True)
class StyleGAN2Hparams(gan.GANHparams):
    """Options of StyleGAN2.

    Attributes:
        r1_weight, r1_every: As in every variant; the paper's.
        path_weight: Of the path length regularisation; 0 leaves it out.
        path_every: The same as `r1_every`, of that.
        mixing: Probability that a picture has another style from some layer on.
        conditional: Whether the networks take the data's classes, if it has any.
    """

    r1_weight: float = 10.0
    r1_every: int = 16
    path_weight: float = 2.0
    path_every: int = 4
    mixing: float = 0.9
    conditional: bool = True

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        self.check("path_weight", "at least 0", self.path_weight >= 0)
        self.check("path_every", "at least 1", self.path_every >= 1)
        self.check("mixing", "0 to 1", 0 <= self.mixing <= 1)


class StyleGAN2(gan.GAN):
    """The original game with styles, mixed and of even path lengths; see the module."""

    Hparams = StyleGAN2Hparams
    sampling_defaults = dict(truncation=1.0, noise=1.0, mixed_latents=0.0, mix=0.0)

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see BaseGAN."""
        super().__init__(*args, **kwargs)
        self.path_length = penalties.PathLength()

    def fakes(self, batch: Batch) -> Tensor:
        """Generate from mixed styles; see Trainer."""
        return self.synthesize(self.styles(batch, training=True))

    def styles(self, batch: Batch, training: bool) -> Tensor:
        """Draws mixed styles, [batch, layers, dim]; their mean may learn of them."""
        network = self.generator.get_layer("styles")
        num = ops.shape(batch["images"])[0]
        draws = (self.draw_latents, self.draw_latents, self.draw_mixing)
        z, other, mix = (engine.replica_slice(draw, num) for draw in draws)
        inputs = dict(latents=z, mixed_latents=other, mix=mix)
        inputs["truncation"] = ops.ones_like(mix)
        if self.conditional:
            inputs["labels"] = batch["labels"]
        return network(inputs, training=training)

    def draw_mixing(self, num: int) -> Tensor:
        """Draws from which layer on styles are the second ones: 1, [num, layers]."""
        layers = self.generator.input["mix"].shape[1]
        chance = keras.random.uniform((num, 1), seed=self.seeds)
        place = keras.random.uniform((num, 1), seed=self.seeds)
        start = 1 + ops.floor(place * (layers - 1))
        start = ops.where(chance < self.hparams.mixing, start, layers)
        return ops.cast(ops.arange(layers, dtype="float32") >= start, "float32")

    def synthesize(self, styles: Tensor) -> Tensor:
        """Makes images from styles float [batch, layers, style_dim], in training."""
        synthesis = self.generator.get_layer("synthesis")
        return synthesis(
            complete(synthesis, {"styles": styles}, self.sampling_defaults)
        )

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Minimises -log D(G(z)), and what path lengths differ by."""
        terms, every = super().g_losses(batch), self.hparams.path_every
        if not self.hparams.path_weight:
            return terms
        half = {name: value[::2] for name, value in batch.items()}
        images = half["images"]

        def draw_directions(num):
            return keras.random.normal((num, *images.shape[1:]), seed=self.seeds)

        def lengths():
            y = engine.replica_slice(draw_directions, ops.shape(images)[0])
            styles = self.styles(half, training=False)
            return penalties.path_lengths(self.synthesize, styles, y)

        penalty = self.path_length.penalty(lengths, self.step, every, images)
        return {**terms, "path": self.hparams.path_weight * every * penalty}

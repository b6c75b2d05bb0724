"""StyleGAN2: a mapping network turns the latent into a style that scales each layer.

Paper: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv 1912.04958.

The losses are the non-saturating loss and two lazy penalties. R1 is computed in every
16th step with 16 times its weight. Path length regularization (equation 4) is computed
in every 4th step with 4 times its weight, on half a batch:

    E (|J_w' y|_2 - a)^2,  y ~ N(0, I)

Here J_w is the Jacobian of the image with respect to the styles w, and a is a moving
average of the lengths |J_w' y|_2. Style mixing gives some images two styles. The
networks are in `keras_gans.networks.stylegan2`.

Differences from the paper:
- A lazy penalty is added to the losses of its step. Adam's constants are not adjusted
  for it.
- The recipe has widths for small images and one machine, and no path length
  regularization.
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
        r1_weight: Weight gamma of the R1 penalty; the default is the paper's.
        r1_every: Number of steps from one R1 penalty to the next; the default is the
            paper's.
        path_weight: Weight of path length regularization; 0 turns it off.
        path_every: Number of steps from one path length regularization to the next.
        mixing: Probability that an image gets a second style from a random layer on.
        conditional: Whether to give the networks the classes of the data set, if any.
    """

    r1_weight: float = 10.0
    r1_every: int = 16
    path_weight: float = 2.0
    path_every: int = 4
    mixing: float = 0.9
    conditional: bool = True

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        self.check("path_weight", "at least 0", self.path_weight >= 0)
        self.check("path_every", "at least 1", self.path_every >= 1)
        self.check("mixing", "0 to 1", 0 <= self.mixing <= 1)


class StyleGAN2(gan.GAN):
    """Original GAN with style mixing and path length penalty; see the module."""

    Hparams = StyleGAN2Hparams
    sampling_defaults = dict(truncation=1.0, noise=1.0, mixed_latents=0.0, mix=0.0)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.path_length = penalties.PathLength()

    def fakes(self, batch: Batch) -> Tensor:
        """Generate from mixed styles; see Trainer."""
        return self.synthesize(self.styles(batch, training=True))

    def styles(self, batch: Batch, training: bool) -> Tensor:
        """Draw mixed styles, one for each layer and image of a batch.

        Args:
            batch: Real images and, if the generator is conditional, their labels.
            training: Whether to update the mean style, which truncation uses.

        Returns:
            float [batch, layers, style_dim].
        """
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
        """Draw which layers use the second style: 1 for those, float [num, layers]."""
        layers = self.generator.input["mix"].shape[1]
        chance = keras.random.uniform((num, 1), seed=self.seeds)
        place = keras.random.uniform((num, 1), seed=self.seeds)
        start = 1 + ops.floor(place * (layers - 1))
        start = ops.where(chance < self.hparams.mixing, start, layers)
        return ops.cast(ops.arange(layers, dtype="float32") >= start, "float32")

    def synthesize(self, styles: Tensor) -> Tensor:
        """Generate images from styles float [batch, layers, style_dim]."""
        synthesis = self.generator.get_layer("synthesis")
        return synthesis(
            complete(synthesis, {"styles": styles}, self.sampling_defaults)
        )

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the generator's term and the path length regularization."""
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

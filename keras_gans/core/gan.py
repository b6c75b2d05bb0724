"""Base of every GAN: a generator and a discriminator, trained in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import augment, penalties
from keras_gans.core.hparams import Hparams
from keras_gans.core.trainer import Batch, Player, Trainer
from keras_gans.errors import UserError
from keras_gans.networks import interface

Tensor = Any
SCORES = ("real_score", "fake_score", "fakes_passing")


class BaseGAN(Trainer):
    """A generator, a discriminator, and the step that trains both.

    A variant overrides `d_losses` and `g_losses`, each of which takes a batch and
    returns named, unreduced terms; see `Trainer`.

    The generator takes "latents" [batch, latent_dim] and, if it is conditional,
    "labels" int32 [batch]. The discriminator takes "images" and, if it is conditional,
    "labels".

    Args:
        generator: Function that makes the generator; images float [batch, height,
            width, channels] come out, as the data in [-1, 1], or near it if nothing
            bounds them.
        discriminator: Function that makes the discriminator; raw logits [batch, ...]
            come out.
        hparams: The variant's options; `Hparams()` if not given.
        seed: Seed of all draws in training, together with the step.
        name: Name of the model.
    """

    Hparams = Hparams
    networks = ("generator", "discriminator")
    players = (Player("d", ("discriminator",)), Player("g", ("generator",)))
    has_gradient_penalty = False  # whether `d_losses` has one
    # Logit of an image that is as likely real as fake; None: it depends on the others.
    neutral_logit: float | None = 0.0

    def __init__(
        self,
        generator: Callable[[], keras.Model],
        discriminator: Callable[[], keras.Model],
        hparams: Hparams | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        """Build the networks."""
        super().__init__(
            generator, discriminator, hparams=hparams, seed=seed, name=name
        )
        if self.hparams.augment and self.generator.outputs[0].shape[1:3] == (1, 1):
            raise UserError(
                f"[hparams] augment: '{self.hparams.augment}' is for pictures, and the "
                'data are points; expected ""'
            )
        self.scores = self.add_state((len(SCORES),), aggregation="mean")
        self.augment = augment.make(self.hparams, self.seeds)
        if self.has_gradient_penalty or self.hparams.r1_weight:
            penalties.check_network(self.discriminator)

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        accumulate: int = 1,
        **kwargs: Any,
    ) -> Self:
        """Set the optimizers; call it under the strategy that made the model.

        Args:
            g_optimizer: Optimizer of the generator; its loss is scaled if the networks
                compute in float16.
            d_optimizer: Optimizer of the discriminator; its loss is scaled likewise.
            accumulate: Number of parts, one after another, in which a batch is
                computed.
            **kwargs: Passed on to `keras.Model.compile`, as `jit_compile`.

        Returns:
            The model itself, for `.compile(...).fit(...)`.
        """
        both = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
        return super().compile(accumulate, **both, **kwargs)

    def taken_from_data(self) -> set[str]:
        """Return the names of the batch's parts, beside images, that networks take."""
        own = {"labels"} & set(self.discriminator.input)
        return super().taken_from_data() | own

    @classmethod
    def updates_per_step(cls, player: Player, options: Hparams) -> int:
        """Return how often a training step updates a player: `d_steps`, or once."""
        return options.d_steps if player.name == "d" else 1

    def schedule(self, batch: Batch) -> Iterator[tuple[Player, Batch]]:
        """Yield `d_steps` updates of the discriminator, then one of each other player.

        Each update of the discriminator sees images of its own, the others its last.
        """
        every = self.hparams.d_steps
        parts = [  # every so many rows: the same on one device and several
            {name: value[i::every] for name, value in batch.items()}
            for i in range(every)
        ]
        for player in self.players:
            for part in parts if player.name == "d" else parts[-1:]:
                yield player, part

    def losses(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Return all terms of a player: the variant's, and the regularizers of D."""
        terms = super().losses(player, batch)
        return terms | self.regularizers(batch) if player.name == "d" else terms

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the discriminator's terms.

        Args:
            batch: "images", real ones, float [batch, height, width, channels] in
                [-1, 1]; and their conditions, as "labels" int32 [batch], if there are
                any.

        Returns:
            {term: float [batch, ...]}, unreduced.
        """
        raise NotImplementedError

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the generator's terms; as `d_losses`."""
        raise NotImplementedError

    def regularizers(self, batch: Batch) -> dict[str, Tensor]:
        """Return the discriminator's terms that any variant may have: R1."""
        if not self.hparams.r1_weight:
            return {}
        score = partial(self.score, batch=batch)
        return {"r1": penalties.r1(score, batch["images"], self.step, self.hparams)}

    def discriminate(self, images: Tensor, batch: Batch) -> Tensor | dict:
        """Run the discriminator: the only door to it, for real and fake images alike.

        Args:
            images: float [batch, height, width, channels] in [-1, 1].
            batch: Conditions of the images; read if the discriminator takes any.

        Returns:
            Outputs for the images, as `hparams.augment` shows them: raw logits, float
            [batch, ...], or {"logits": ..., and those of other heads}.
        """
        inputs = {"images": self.augment(images)}
        return interface.run(self.discriminator, inputs, batch)

    def score(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the raw logits of `discriminate`, float [batch, ...]."""
        outputs = self.discriminate(images, batch)
        return outputs["logits"] if isinstance(outputs, dict) else outputs

    def log_scores(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Log raw logits, float [batch, ...]; call it once in `d_losses`.

        The log shows the mean sigmoid of the logits as `real_score` and `fake_score`,
        and the share of fakes above 0.5 as `fakes_passing`.
        """
        real = self.relative(real_logits, fake_logits)
        fake = self.relative(fake_logits, real_logits)
        self.augment.steer(real)
        shown = ops.sigmoid(real), ops.sigmoid(fake), ops.cast(fake > 0, "float32")
        index, parts = engine.part()
        means = ops.stack([ops.mean(v) for v in shown]) / parts
        self.scores.assign(means + (self.scores.value if index else 0.0))

    def relative(self, logits: Tensor, others: Tensor) -> Tensor:
        """Return logits beside the others, above 0 for real: float [batch, ...]."""
        neutral = self.neutral_logit
        return logits - (others if neutral is None else neutral)

    def extra_logs(self) -> dict[str, Tensor]:
        """Return the scores of the last update, and what the augmentation logs."""
        scores = {name: self.scores.value[i] for i, name in enumerate(SCORES)}
        return scores | self.augment.logs()

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
    """Generator, discriminator, and the step that trains both.

    A variant overrides `d_losses` and `g_losses`. Each takes a batch and returns named,
    unreduced terms; see `Trainer`.

    The generator takes "latents" [batch, latent_dim] and, if it is conditional,
    "labels" int32 [batch]. The discriminator takes "images" and, if it is conditional,
    "labels".

    Args:
        generator: Function that makes the generator. The generator returns images float
            [batch, height, width, channels] in [-1, 1], or near this range if its
            output is not bounded.
        discriminator: Function that makes the discriminator. The discriminator returns
            raw logits [batch, ...].
        hparams: Options of the variant; `Hparams()` if not given.
        seed: Seed of all draws in training, together with the step.
        name: Name of the model.

    Raises:
        UserError: If an option does not fit the networks, or the discriminator has
            batch normalization beside a gradient penalty.
    """

    Hparams = Hparams
    networks = ("generator", "discriminator")
    players = (Player("d", ("discriminator",)), Player("g", ("generator",)))
    has_gradient_penalty = False  # whether `d_losses` has one
    # Logit of an image that is as likely real as fake; None if only differences count.
    neutral_logit: float | None = 0.0

    def __init__(
        self,
        generator: Callable[[], keras.Model],
        discriminator: Callable[[], keras.Model],
        hparams: Hparams | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(
            generator, discriminator, hparams=hparams, seed=seed, name=name
        )
        if self.hparams.augment and self.generator.outputs[0].shape[1:3] == (1, 1):
            raise UserError(
                '[hparams] augment: expected "" for a data set of points, '
                f"got '{self.hparams.augment}'"
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
            accumulate: Number of parts in which a batch is computed, one after another.
            **kwargs: Passed on to `keras.Model.compile`, as `jit_compile`.

        Returns:
            The model itself, for `.compile(...).fit(...)`.
        """
        both = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
        return super().compile(accumulate, **both, **kwargs)

    def taken_from_data(self) -> set[str]:
        """Return the names of a batch's entries, beside images, that networks take."""
        own = {"labels"} & set(self.discriminator.input)
        return super().taken_from_data() | own

    @classmethod
    def updates_per_step(cls, player: Player, options: Hparams) -> int:
        """Return the number of updates of a player in a training step.

        Args:
            player: One of `players`.
            options: Options of the variant.

        Returns:
            `d_steps` for the discriminator, 1 for other players.
        """
        return options.d_steps if player.name == "d" else 1

    def schedule(self, batch: Batch) -> Iterator[tuple[Player, Batch]]:
        """Yield `d_steps` updates of the discriminator, then one of each other player.

        Each update of the discriminator sees its own images. The other players see the
        images of its last update.

        Args:
            batch: Batch of `d_steps` times as many images as an update sees.

        Yields:
            Pairs (player, batch of the update).
        """
        every = self.hparams.d_steps
        rows = batch["images"].shape[0]

        def part(value: Tensor, i: int) -> Tensor:
            # With a stride: the same parts on one device and several.
            if every == 1 or (rows and rows >= every):
                return value[i::every]
            # A batch of few images, or of an unknown number, may be used repeatedly.
            num = ops.shape(value)[0]
            return ops.take(
                value, ops.arange(i, ops.maximum(num, i + 1), every) % num, axis=0
            )

        parts = [{k: part(v, i) for k, v in batch.items()} for i in range(every)]
        for player in self.players:
            for part in parts if player.name == "d" else parts[-1:]:
                yield player, part

    def losses(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Return all terms of a player, and for the discriminator its regularizers.

        Args:
            player: One of `players`.
            batch: Batch of the update.

        Returns:
            {term: float [batch, ...]}, unreduced.
        """
        terms = super().losses(player, batch)
        return terms | self.regularizers(batch) if player.name == "d" else terms

    def d_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the discriminator's terms.

        Args:
            batch: Real "images", float [batch, height, width, channels] in [-1, 1], and
                their conditions, if any, as "labels" int32 [batch].

        Returns:
            {term: float [batch, ...]}, unreduced.
        """
        raise NotImplementedError

    def g_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the generator's terms, in the form of `d_losses`."""
        raise NotImplementedError

    def regularizers(self, batch: Batch) -> dict[str, Tensor]:
        """Return the discriminator's terms that are independent of the variant: R1."""
        if not self.hparams.r1_weight:
            return {}
        score = partial(self.score, batch=batch)
        return {"r1": penalties.r1(score, batch["images"], self.step, self.hparams)}

    def discriminate(self, images: Tensor, batch: Batch) -> Tensor | dict:
        """Run the discriminator on augmented images, in training.

        Real and fake images must both go through this method, so that both are
        augmented.

        Args:
            images: float [batch, height, width, channels] in [-1, 1].
            batch: Batch with the images' conditions; read if the discriminator takes
                any.

        Returns:
            Outputs for the augmented images: raw logits, float [batch, ...], or a
            dictionary with "logits" and the outputs of other heads.
        """
        inputs = {"images": self.augment(images)}
        return interface.run(self.discriminator, inputs, batch)

    def score(self, images: Tensor, batch: Batch) -> Tensor:
        """Return the raw logits of `discriminate`, float [batch, ...]."""
        outputs = self.discriminate(images, batch)
        return outputs["logits"] if isinstance(outputs, dict) else outputs

    def log_scores(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Log scores of the discriminator; call it once in `d_losses`.

        `real_score` and `fake_score` are the mean sigmoid of the logits.
        `fakes_passing` is the share of fakes with a sigmoid above 0.5.

        Args:
            real_logits: Raw logits of real images, float [batch, ...].
            fake_logits: Raw logits of fake images, float [batch, ...].
        """
        real = self.relative(real_logits, fake_logits)
        fake = self.relative(fake_logits, real_logits)
        self.augment.steer(real)
        shown = ops.sigmoid(real), ops.sigmoid(fake), ops.cast(fake > 0, "float32")
        index, parts = engine.part()
        means = ops.stack([ops.mean(v) for v in shown]) / parts
        self.scores.assign(means + (self.scores.value if index else 0.0))

    def relative(self, logits: Tensor, others: Tensor) -> Tensor:
        """Return logits relative to `neutral_logit`, above 0 for images taken for real.

        Args:
            logits: Raw logits, float [batch, ...].
            others: Raw logits of the images to compare with, subtracted if
                `neutral_logit` is None.

        Returns:
            float [batch, ...].
        """
        neutral = self.neutral_logit
        return logits - (others if neutral is None else neutral)

    def extra_logs(self) -> dict[str, Tensor]:
        """Return the scores of the last update, and the values that `augment` logs."""
        scores = {name: self.scores.value[i] for i, name in enumerate(SCORES)}
        return scores | self.augment.logs()

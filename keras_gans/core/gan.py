"""The base of every variant: who is updated, in which order, what is logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import augment, penalties
from keras_gans.core.hparams import Hparams
from keras_gans.core.judging import INSTRUMENTS, Judge
from keras_gans.engine import accumulation, ema, optimizers, precision
from keras_gans.layers import spectral
from keras_gans.networks import interface

Tensor = Any


class BaseGAN(Judge, engine.Model):
    """A generator, a discriminator, and the step that trains both.

    A variant overrides `d_losses` and `g_losses`, each of which returns named,
    unreduced terms. What is minimised is the sum of the terms' means, and that is what
    is logged: `d_<term>` and `g_<term>`.

    Networks are functional Keras models with named inputs: the generator takes
    "latents" [batch, latent_dim] and, if it is conditional, "labels" int32 [batch]; the
    discriminator takes "images" and, if it is conditional, "labels". They come as
    factories, since the averaged generator is a second one.

    Args:
        generator: Makes the generator; images float [batch, height, width, channels]
            come out, as the data in [-1, 1], or near it if nothing bounds them.
        discriminator: Makes the discriminator; raw logits [batch, ...] come out.
        hparams: The variant's options; `Hparams()` if not given.
        seed: Seeds the latents, together with the step.
        name: The model's name.
    """

    Hparams = Hparams
    per_picture = False  # whether `d_losses` has a gradient penalty
    takes_pictures = False  # whether the generator makes pictures from pictures
    sampling_defaults: dict[str, float] = {}  # of what else the generator takes

    def __init__(
        self,
        generator: Callable[[], keras.Model],
        discriminator: Callable[[], keras.Model],
        hparams: Hparams | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        """Builds the networks."""
        super().__init__(name=name, dtype="float32")
        self.hparams = hparams or self.Hparams()
        self.generator = generator()
        self.discriminator = discriminator()
        with precision.policy("float32"):  # what is sampled, evaluated and exported
            self.ema_generator = generator()
        self.ema_generator.trainable = False
        self.ema_generator.set_weights(self.generator.get_weights())
        state = partial(self.add_weight, initializer="zeros", trainable=False)
        self.step = state((), dtype="int", aggregation="only_first_replica")
        self.instruments = state((3,), aggregation="mean")
        self.seeds = engine.StepSeed(seed, self.step)
        self.augment = augment.make(self.hparams, self.seeds)
        if self.per_picture or self.hparams.r1_weight:
            penalties.check_network(self.discriminator)
        self.g_optimizer = self.d_optimizer = None
        self.accumulate = 1
        self.built = True  # fit() must not call it on a batch of images

    @property
    def latent_dim(self) -> int:
        """Length of one latent."""
        return self.generator.input["latents"].shape[-1]

    @property
    def conditional(self) -> bool:
        """Whether the generator takes labels."""
        return "labels" in self.generator.input

    @property
    def num_codes(self) -> int:
        """How many of the latents, the last ones, are codes with a meaning."""
        return 0

    @classmethod
    def label_names(cls, options: Hparams, names: Sequence[str]) -> Sequence[str]:
        """Names what the generator takes as labels, from the data's class names."""
        return names if getattr(options, "conditional", False) else ()

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        accumulate: int = 1,
        **kwargs: Any,
    ) -> Self:
        """Sets the optimizers; call it under the strategy that made the model.

        Args:
            g_optimizer: Trains the generator; its loss is scaled if the networks
                compute in float16.
            d_optimizer: Trains the discriminator; so is its.
            accumulate: In how many parts, one after another, a batch is computed.
            **kwargs: Passed on to `keras.Model.compile`, as `jit_compile`.

        Returns:
            The model itself, for `.compile(...).fit(...)`.
        """
        # optimizer=None: the default would plant an unused RMSprop in checkpoints.
        super().compile(optimizer=None, **kwargs)
        self.g_optimizer, self.d_optimizer = (
            optimizers.scaled(o, self.generator) for o in (g_optimizer, d_optimizer)
        )
        self.accumulate = accumulate
        self.g_optimizer.build(self.g_variables)
        self.d_optimizer.build(self.discriminator.trainable_variables)
        return self

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Generates images with the averaged generator.

        Args:
            inputs: {"latents": float [batch, latent_dim]}, "labels" int32 [batch] if
                the generator is conditional; those of `sampling_defaults` may come.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], cut off at -1 and 1.
        """
        inputs = interface.complete(self.ema_generator, inputs, self.sampling_defaults)
        return ops.clip(self.ema_generator(inputs, training=False), -1.0, 1.0)

    def train_step(self, data: tuple[Tensor, Tensor] | Tensor) -> dict[str, Tensor]:
        """Updates the discriminator, then the generator, then the average.

        Args:
            data: Images float [d_steps * batch, height, width, channels] in [-1, 1],
                alone or with labels int32 [d_steps * batch].

        Returns:
            Float32 scalars, of the last update of each: terms as `d_<term>` or
            `g_<term>`, `d_gradient_norm`, `g_gradient_norm`, the mean sigmoid of the
            logits as `real_score`, `fake_score`; `fakes_passing`, the share above 0.5.
        """
        real, labels = data if isinstance(data, tuple) else (data, None)
        self.seeds.begin_step()
        every = self.hparams.d_steps
        for i in range(every):  # every so many rows: the same on one device and several
            batch = real[i::every], None if labels is None else labels[i::every]
            d_logs = self.update_discriminator(*batch)
        spectral.power_iteration(self.generator)
        g_logs = self.minimize(self.g_losses, batch, self.g_variables, self.g_optimizer)
        self.step.assign_add(1)
        ema.update(self.ema_generator, self.generator, self.average_decay())
        return {
            **{f"d_{k}": v for k, v in d_logs.items()},
            **{f"g_{k}": v for k, v in g_logs.items()},
            **{name: self.instruments.value[i] for i, name in enumerate(INSTRUMENTS)},
            **self.augment.logs(),
        }

    @property
    def g_variables(self) -> list[keras.Variable]:
        """What the generator's updates change."""
        return self.generator.trainable_variables

    def average_decay(self) -> Tensor:
        """Share of the averaged generator that stays, in the step just counted."""
        return ema.early(self.hparams.ema_decay, self.step)

    def update_discriminator(self, real: Tensor, labels: Tensor | None) -> dict:
        """Takes one step of the discriminator; arguments as `d_losses`, logs back."""
        spectral.power_iteration(self.discriminator)
        return self.minimize(
            lambda *batch: self.d_losses(*batch) | self.regularizers(*batch),
            (real, labels),
            self.discriminator.trainable_variables,
            self.d_optimizer,
        )

    def minimize(self, losses_fn: Callable, batch: tuple, *which: Any) -> dict:
        """Takes one step on `losses_fn(*batch)`; see `accumulation.minimize`."""
        return accumulation.minimize(
            losses_fn, batch, self.accumulate, self.seeds, *which
        )

    def d_losses(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """The discriminator's terms.

        Args:
            real: Real images float [batch, height, width, channels] in [-1, 1].
            labels: Their classes, int32 [batch], if there are any.

        Returns:
            {term: float [batch, ...]}, unreduced.
        """
        raise NotImplementedError

    def g_losses(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """The generator's terms; as `d_losses`."""
        raise NotImplementedError

    def fakes(self, real: Tensor, labels: Tensor | None) -> Tensor:
        """Generates as many images as there are real ones, from fresh latents.

        Args:
            real: float [batch, ...]; only its size is read.
            labels: int32 [batch]; read if the generator is conditional.

        Returns:
            float [batch, height, width, channels].
        """
        latents = engine.replica_slice(self.draw_latents, ops.shape(real)[0])
        return interface.run(self.generator, "latents", latents, labels)

    def draw_latents(self, num: int) -> Tensor:
        """Draws latents for a training step: float [num, latent_dim]."""
        shape = (num, self.latent_dim)
        if self.hparams.latents == "normal":
            return keras.random.normal(shape, seed=self.seeds)
        return keras.random.uniform(shape, -1.0, 1.0, seed=self.seeds)

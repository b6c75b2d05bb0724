"""Trainer of named players: the order of their updates, and the values to log."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core.hparams import TrainerHparams
from keras_gans.engine import accumulation, ema, optimizers
from keras_gans.engine.precision import policy
from keras_gans.errors import UserError, did_you_mean
from keras_gans.layers import spectral
from keras_gans.networks import interface

Tensor = Any
Batch = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Player:
    """Networks that one optimizer trains to minimize one set of losses.

    Attributes:
        name: Short name, as "g". The player's losses are the model's method
            `<name>_losses`, its optimizer is `<name>_optimizer`, and its entries in the
            log begin with `<name>_`.
        networks: Names of the model's attributes whose weights the player updates.
    """

    name: str
    networks: tuple[str, ...]


class Trainer(engine.Model):
    """Keras model whose training step updates its players one after another.

    A variant names its networks and its players, and has a method `<player>_losses` for
    each player. The method takes a batch and returns named, unreduced terms. The player
    minimizes the sum of the terms' means, each of which is logged as `<player>_<term>`.

    A batch is a dictionary. It has "images" float [batch, height, width, channels] in
    [-1, 1], and conditions by name. Conditions are "labels" int32 [batch], or
    "condition", the images that a translation starts from.

    Networks are functional Keras models with named inputs. They are given as functions
    without arguments, because the moving average of the generator needs a second one.
    The network "generator" is required: its average is sampled, evaluated and exported.

    Args:
        *networks: Functions that make the networks, in the order of `networks`.
        hparams: Options of the variant; `Hparams()` if not given.
        seed: Seed of all draws in training, together with the step.
        name: Name of the model.

    Raises:
        UserError: If a network has no named inputs.
    """

    Hparams = TrainerHparams
    networks: tuple[str, ...] = ("generator",)
    players: tuple[Player, ...] = (Player("g", ("generator",)),)
    is_translation = False  # whether the generator makes images from images
    sampling_defaults: dict[str, float] = {}  # values of other generator inputs

    def __init__(
        self,
        *networks: Callable[[], keras.Model],
        hparams: TrainerHparams | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype="float32")
        self.hparams = hparams or self.Hparams()
        makers = dict(zip(self.networks, networks, strict=True))
        for key, make in makers.items():
            network = make()
            if not isinstance(network.input, dict):
                raise UserError(
                    f"{key}: expected named inputs, as Model({{'images': x}}, y), "
                    f"got {type(network.input).__name__}"
                )
            setattr(self, key, network)
        with policy("float32"):  # sampling, evaluation and export use float32
            self.ema_generator = makers["generator"]()
        self.ema_generator.trainable = False
        self.ema_generator.set_weights(self.generator.get_weights())
        self.step = self.add_state((), dtype="int", aggregation="only_first_replica")
        self.seeds = engine.StepSeed(seed, self.step)
        for player in self.players:
            setattr(self, f"{player.name}_optimizer", None)
        self.accumulate = 1
        self.built = True  # else fit() would call the model to build it

    def add_state(self, shape: tuple[int, ...], **options: Any) -> keras.Variable:
        """Add a variable that no optimizer changes: zeros, saved in checkpoints.

        Args:
            shape: Shape of the variable.
            **options: Passed on to `add_weight`, as `dtype`.
        """
        make = partial(self.add_weight, initializer="zeros", trainable=False)
        return make(shape, **options)

    @property
    def latent_dim(self) -> int:
        """Length of one latent vector."""
        return self.generator.input["latents"].shape[-1]

    @property
    def conditional(self) -> bool:
        """True if the generator takes labels."""
        return "labels" in self.generator.input

    @property
    def num_codes(self) -> int:
        """Number of codes: the last latents, to which training gives a meaning."""
        return 0

    @classmethod
    def label_names(
        cls, options: TrainerHparams, names: Sequence[str]
    ) -> Sequence[str]:
        """Return the names of the labels that the generator takes.

        Args:
            options: Options of the variant.
            names: Names of the data set's classes.

        Returns:
            Names of the labels; empty if the generator takes none.
        """
        return names if getattr(options, "conditional", False) else ()

    def compile(self, accumulate: int = 1, **kwargs: Any) -> Self:
        """Set the optimizers; call it under the strategy that made the model.

        Args:
            accumulate: Number of parts in which a batch is computed, one after another.
            **kwargs: Optimizer of each player, as `g_optimizer=...`. All others are
                passed on to `keras.Model.compile`, as `jit_compile`. The losses are
                scaled if the generator computes in float16.

        Returns:
            The model itself, for `.compile(...).fit(...)`.

        Raises:
            TypeError: If the optimizer of a player is missing.
            UserError: For a `jit_compile` that Keras would take for true.
        """
        if (word := kwargs.get("jit_compile", "auto")) not in (
            "auto",
            True,
            False,
            None,
        ):
            raise UserError(
                f"compile: jit_compile: expected 'auto', True or False, got {word!r}"
            )
        chosen = {}
        for player in self.players:
            key = f"{player.name}_optimizer"
            if key not in kwargs:
                raise TypeError(f"compile() is missing the optimizer '{key}'")
            chosen[key] = optimizers.scaled(kwargs.pop(key), self.generator)
            chosen[key].build(self.trained_by(player))
        # optimizer=None: checkpoints would contain the default, an unused RMSprop.
        super().compile(optimizer=None, **kwargs)
        for key, optimizer in chosen.items():
            setattr(self, key, optimizer)
        self.accumulate = accumulate
        return self

    def trained_by(self, player: Player) -> list[keras.Variable]:
        """Return the variables that a player's updates change."""
        found = (getattr(self, name).trainable_variables for name in player.networks)
        return [variable for variables in found for variable in variables]

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        """Generate images with the averaged generator.

        Args:
            inputs: {"latents": float [batch, latent_dim]}, "labels" int32 [batch] if
                the generator is conditional, and optionally inputs of
                `sampling_defaults`.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], clipped to [-1, 1].
        """
        inputs = interface.complete(self.ema_generator, inputs, self.sampling_defaults)
        return ops.clip(self.ema_generator(inputs, training=False), -1.0, 1.0)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Update each player, then the moving average of the generator.

        Args:
            data: Batch as a dictionary, images alone, (images, labels), or (images,
                condition) for a translation.

        Returns:
            Float32 scalars of each player's last update, `<player>_<term>` and
            `<player>_gradient_norm`, and those of `extra_logs`.
        """
        batch = self.name_parts(data)
        self.seeds.begin_step()
        logs: dict[str, Tensor] = {}
        for player, part in self.schedule(batch):
            found = self.update(player, part)
            logs |= {f"{player.name}_{term}": value for term, value in found.items()}
        self.step.assign_add(1)
        ema.update(self.ema_generator, self.generator, self.current_ema_decay())
        return logs | self.extra_logs()

    def name_parts(self, data: Any) -> Batch:
        """Return a batch of any form that `fit` accepts as a dictionary.

        Args:
            data: Batch in one of the forms of `train_step`.

        Returns:
            The batch, by the names of its entries.

        Raises:
            UserError: If `data` has no such form, or lacks an entry that a network
                takes.
        """
        if isinstance(data, tuple | list):
            parts = [part for part in data if part is not None]
            if not 1 <= len(parts) <= 2:
                raise UserError(
                    "fit: expected images, or images and their labels or conditions, "
                    f"got {len(parts)} parts"
                )
            first = parts[0] if isinstance(parts[0], dict) else {"images": parts[0]}
            second = "condition" if self.is_translation else "labels"
            batch = first | dict(zip((second,), parts[1:], strict=False))
        else:
            batch = data if isinstance(data, dict) else {"images": data}
        needed = {"images", *self.taken_from_data()}
        for name in sorted(needed - batch.keys()):
            hint = did_you_mean(name, batch)
            raise UserError(f"a batch has no part '{name}'{hint}")
        return batch

    def taken_from_data(self) -> set[str]:
        """Return the names of a batch's entries, beside images, that networks take."""
        return {"labels"} if self.conditional else set()

    @classmethod
    def updates_per_step(cls, player: Player, options: TrainerHparams) -> int:
        """Return the number of updates of a player in a training step.

        Args:
            player: One of `players`.
            options: Options of the variant.
        """
        return 1

    def schedule(self, batch: Batch) -> Iterator[tuple[Player, Batch]]:
        """Yield the updates of a step.

        Args:
            batch: Batch of the step.

        Yields:
            Pairs (player, batch of the update).
        """
        for player in self.players:
            yield player, batch

    def update(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Take one step of a player's optimizer.

        Args:
            player: One of `players`.
            batch: Batch of the update.

        Returns:
            {term: mean} and "gradient_norm"; see `engine.minimize`.
        """
        for name in player.networks:
            spectral.power_iteration(getattr(self, name))
        return accumulation.minimize(
            partial(self.losses, player),
            batch,
            self.accumulate,
            self.seeds,
            self.trained_by(player),
            getattr(self, f"{player.name}_optimizer"),
        )

    def losses(self, player: Player, batch: Batch) -> dict[str, Tensor]:
        """Return all terms that a player minimizes.

        Args:
            player: One of `players`.
            batch: Batch of the update.

        Returns:
            {term: float [batch, ...]}, unreduced.

        Raises:
            UserError: If the variant's method does not return named terms.
        """
        method = f"{player.name}_losses"
        terms = getattr(self, method)(batch)
        if not isinstance(terms, dict) or not terms:
            raise UserError(
                f"{type(self).__name__}.{method}: expected named terms, as "
                f"{{'adversarial': ...}}, got {type(terms).__name__}"
            )
        return terms

    def extra_logs(self) -> dict[str, Tensor]:
        """Return values to log in addition to the players' terms: {name: scalar}."""
        return {}

    def current_ema_decay(self) -> Tensor:
        """Return the decay of the moving average in the current step."""
        return ema.early(self.hparams.ema_decay, self.step)

    def fakes(self, batch: Batch) -> Tensor:
        """Generate as many images as a batch has, from fresh latents.

        Args:
            batch: Batch, of which the size and the generator's conditions are read.

        Returns:
            float [batch, height, width, channels].
        """
        size = ops.shape(batch["images"])[0]
        latents = engine.replica_slice(self.draw_latents, size)
        return interface.run(self.generator, {"latents": latents}, batch)

    def draw_latents(self, num: int) -> Tensor:
        """Draw latents for a training step.

        Args:
            num: Number of latents.

        Returns:
            float [num, latent_dim].
        """
        shape = (num, self.latent_dim)
        if self.hparams.latents == "normal":
            return keras.random.normal(shape, seed=self.seeds)
        return keras.random.uniform(shape, -1.0, 1.0, seed=self.seeds)

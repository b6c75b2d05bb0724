"""Trainer of named players: the order of their updates, and the values to log."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_gans import engine
from keras_gans.core import checks
from keras_gans.core.hparams import TrainerHparams
from keras_gans.engine import accumulation, ema, optimizers
from keras_gans.engine.precision import policy
from keras_gans.errors import UserError, did_you_mean
from keras_gans.layers import spectral
from keras_gans.networks import interface, saving

Tensor = Any
Batch = dict[str, Tensor]
IMAGES = {"images", "condition"}
NO_VALIDATION = (
    "a GAN has no loss that measures its images; python -m keras_gans.evaluate "
    "compares them with held-out images"
)


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


class Trainer(saving.SavesSeeds, engine.Model):
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

    def __init_subclass__(cls, **kwargs: Any):
        """Register the class, so that Keras saves and loads its models."""
        super().__init_subclass__(**kwargs)
        register = keras.saving.register_keras_serializable("keras_gans", "Trainer")
        register(cls)
        # Loading looks the class up by the import path in the configuration.
        keras.saving.get_custom_objects()["keras_gans>Trainer"] = Trainer

    def __init__(
        self,
        *networks: Callable[[], keras.Model],
        hparams: TrainerHparams | None = None,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype="float32")
        self.hparams, self.seed = hparams or self.Hparams(), seed
        named = zip(self.networks, networks, strict=True)
        self.factories = {key: saving.Factory(make) for key, make in named}
        makers = {
            key: partial(self.make_network, factory)
            for key, factory in self.factories.items()
        }
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
        self.compile_options: dict[str, Any] = {}
        self.built = True  # else fit() would call the model to build it

    @staticmethod
    def make_network(factory: Callable[..., keras.Model]) -> keras.Model:
        """Make a network of the model from the factory that the user gave."""
        return factory()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor, for `save` and `load_model`.

        Raises:
            UserError: If a network cannot be saved.
        """
        return {
            "variant": saving.path_of(type(self)),
            "networks": {k: make.get_config() for k, make in self.factories.items()},
            "changes": {k: saving.changes(getattr(self, k)) for k in self.networks},
            "dtype": self.generator.dtype_policy.name,
            "hparams": dataclasses.asdict(self.hparams),
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make a model from the configuration of `get_config`.

        Args:
            config: Configuration, which names the variant.
            custom_objects: Ignored; Keras passes it.

        Raises:
            UserError: If the variant or a network function is not known.
        """
        variant = saving.find(config["variant"])
        if not (isinstance(variant, type) and issubclass(variant, Trainer)):
            raise UserError(
                f"{config['variant']}: expected a subclass of keras_gans.Trainer"
            )
        with policy(config["dtype"]):
            model = variant(
                *(saving.Factory.from_config(x) for x in config["networks"].values()),
                hparams=variant.Hparams(**config["hparams"]),
                seed=config["seed"],
                name=config["name"],
            )
        for key, changes in config["changes"].items():
            saving.change(getattr(model, key), changes)
        return model

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return the arguments of `compile`, for `save`; None before `compile`."""
        if not self.compiled:
            return None
        keys = [f"{player.name}_optimizer" for player in self.players]
        chosen = {key: getattr(self, key) for key in keys}
        options = {"accumulate": self.accumulate, **self.compile_options, **chosen}
        return keras.saving.serialize_keras_object(options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a loaded model as the saved model was."""
        self.compile(**keras.saving.deserialize_keras_object(config))

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
        if accumulate < 1:
            raise UserError(
                f"compile: accumulate: expected 1 or more, got {accumulate}"
            )
        chosen = {}
        for player in self.players:
            key = f"{player.name}_optimizer"
            if key not in kwargs:
                raise TypeError(f"compile() is missing the optimizer '{key}'")
            chosen[key] = optimizers.scaled(
                keras.optimizers.get(kwargs.pop(key)), self.generator
            )
            chosen[key].build(self.trained_by(player))
        self.compile_options = kwargs
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

    @property
    def num_classes(self) -> int:
        """Number of classes of the labels in a batch; 0 if it is not known."""
        call = getattr(self.generator, "origin", None)
        return call.arguments.get("num_classes", 0) if call else 0

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train on images; see `keras.Model.fit`.

        The values of arrays, or of the first batch of other data, are checked first.

        Args:
            x: Images [num, height, width, channels] in [-1, 1], or a data set of
                batches in one of the forms of `train_step`.
            y: Labels int [num], or the condition images of a translation, if `x` is an
                array.
            *args: Passed on to `keras.Model.fit`.
            **kwargs: Passed on to `keras.Model.fit`, as `batch_size` and `epochs`.

        Returns:
            `History` of the values that `train_step` returns.

        Raises:
            UserError: If the model cannot be trained on these data, or for an argument
                that has no meaning for a GAN.
        """
        x = self._checked("fit", x, y, args, kwargs)
        return super().fit(x, y, *args, **kwargs)

    def train_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> list[float] | dict[str, float]:
        """Take one training step; see `keras.Model.train_on_batch`.

        Args:
            x: Images, or a batch as a dictionary, see `train_step`.
            y: Labels or condition images of the batch, if `x` is an array.
            *args: Passed on to `keras.Model.train_on_batch`.
            **kwargs: Passed on to `keras.Model.train_on_batch`.

        Raises:
            UserError: As in `fit`.
        """
        self._checked("train_on_batch", x, y, args, kwargs)
        return super().train_on_batch(x, y, *args, **kwargs)

    def _checked(self, method: str, x: Any, y: Any, args: Any, kwargs: Any) -> Any:
        """Check the arguments of a Keras method, and return the data to train on."""
        signature = inspect.signature(getattr(super(), method))
        given = signature.bind(x, y, *args, **kwargs).arguments
        no_split = given.get("validation_split") in (None, 0)
        if given.get("validation_data") is not None or not no_split:
            name = "validation_data" if no_split else "validation_split"
            raise UserError(f"{method}: {name}: {NO_VALIDATION}")
        for name in ("sample_weight", "class_weight"):
            if given.get(name) is not None:
                raise UserError(
                    f"{method}: {name}: a GAN weighs no images; leave it out"
                )
        if not self.compiled:
            raise UserError(f"{method}: call compile with the optimizers first")
        if engine.is_distributed(x):
            return x
        first, x = checks.first_batch(x)
        if first is None:
            raise UserError(f"{method}: expected images, got no data")
        batch = self.name_parts(first if y is None else (first, y))
        used = {"images", *self.taken_from_data()}
        batch = {name: value for name, value in batch.items() if name in used}
        shapes = {key: self.image_shape_of(key) for key in batch.keys() & IMAGES}
        checks.check_batch(batch, shapes, self.num_classes)
        return x

    def image_shape_of(self, name: str) -> tuple[int | None, ...]:
        """Return the shape of an entry of a batch: [height, width, channels].

        Args:
            name: "images", or "condition" of a translation.
        """
        inputs = self.generator.input
        tensor = inputs[name] if name in inputs else self.generator.outputs[0]
        return tuple(tensor.shape[1:])

    def evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: a GAN has no loss that measures its images.

        Args:
            *args: Ignored.
            **kwargs: Ignored.

        Raises:
            UserError: Always.
        """
        raise UserError(f"evaluate: {NO_VALIDATION}")

    test_on_batch = evaluate

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Generate images of latents, or translate images; see `keras.Model.predict`.

        Args:
            x: Inputs of `call`, as arrays or as a data set of batches.
            *args: Passed on to `keras.Model.predict`.
            **kwargs: Passed on to `keras.Model.predict`, as `batch_size`.

        Returns:
            float [num, height, width, channels] in [-1, 1].

        Raises:
            UserError: If the inputs are not those of the generator.
        """
        first, x = checks.first_batch(x)
        if first is not None:
            self.name_inputs(first[0] if isinstance(first, tuple) else first)
        return super().predict(x, *args, **kwargs)

    def export(self, filepath: str, *args: Any, **kwargs: Any) -> None:
        """Export the averaged generator for inference; see `keras.Model.export`.

        Args:
            filepath: Path to write.
            *args: Passed on to `keras.Model.export`.
            **kwargs: Passed on to `keras.Model.export`. The default `input_signature`
                has the generator's inputs by name.
        """
        signature = {
            name: keras.InputSpec(shape=x.shape, dtype=x.dtype, name=name)
            for name, x in self.inputs_of_call().items()
        }
        super().export(filepath, *args, **{"input_signature": [signature], **kwargs})

    def name_inputs(self, inputs: Any) -> Batch:
        """Return the inputs of `call` as a dictionary.

        Args:
            inputs: Dictionary, or the tensor of a generator with one input.

        Returns:
            Inputs of the generator by name, without other entries.

        Raises:
            UserError: If an input is missing.
        """
        needed = self.inputs_of_call()
        if not isinstance(inputs, dict) and len(needed) == 1:
            inputs = dict.fromkeys(needed, inputs)
        named = isinstance(inputs, dict)
        ranks = {k: np.ndim(v) for k, v in inputs.items()} if named else {}
        for name in needed:
            if ranks.get(name) != len(needed[name].shape):
                words = (
                    f"'{key}' {['num', *tensor.shape[1:]]}".replace("'num'", "num")
                    for key, tensor in needed.items()
                )
                got = ", ".join(sorted(inputs)) if named else type(inputs).__name__
                raise UserError(
                    f"{self.name}: expected a dictionary of {' and '.join(words)}, got "
                    f"{got}; fit trains, keras_gans.load draws images of seeds, and "
                    "python -m keras_gans.evaluate measures them"
                )
        known = needed.keys() | self.sampling_defaults.keys()
        return {name: value for name, value in inputs.items() if name in known}

    def inputs_of_call(self) -> dict[str, Tensor]:
        """Return the symbolic inputs that `call` needs, by name."""
        return {
            name: tensor
            for name, tensor in self.ema_generator.input.items()
            if name not in self.sampling_defaults
        }

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Generate images with the averaged generator.

        Args:
            inputs: {"latents": float [batch, latent_dim]}, "labels" int32 [batch] if
                the generator is conditional, and optionally inputs of
                `sampling_defaults`. Latents alone if there is no other input.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], clipped to [-1, 1].
        """
        inputs = self.name_inputs(inputs)
        inputs = interface.complete(self.ema_generator, inputs, self.sampling_defaults)
        return ops.clip(self.ema_generator(inputs, training=False), -1.0, 1.0)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Update each player, then the moving average of the generator.

        Args:
            data: Batch as a dictionary, images alone, (images, labels), or (images,
                condition) for a translation.

        Returns:
            Float32 scalars of each player's last update, `<player>_<term>` and
            `<player>_gradient_norm`, "ema_decay", and those of `extra_logs`.
        """
        batch = self.name_parts(data)
        self.seeds.begin_step()
        logs: dict[str, Tensor] = {}
        for player, part in self.schedule(batch):
            found = self.update(player, part)
            logs |= {f"{player.name}_{term}": value for term, value in found.items()}
        self.step.assign_add(1)
        decay = self.current_ema_decay()
        ema.update(self.ema_generator, self.generator, decay)
        logs["ema_decay"] = ops.cast(decay, "float32")
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
        if "labels" in needed:
            batch = batch | {"labels": self.class_ids(batch["labels"])}
        return batch

    @staticmethod
    def class_ids(labels: Tensor) -> Tensor:
        """Return labels as int32 [batch].

        Args:
            labels: Class of each image, int [batch] or [batch, 1].

        Raises:
            UserError: If the labels have another shape, as one-hot vectors, or are no
                integers.
        """
        labels = labels if hasattr(labels, "shape") else np.asarray(labels)
        # TensorFlow loses the rank if two calls of `fit` had different ones.
        is_known = getattr(labels.shape, "rank", 1) is not None
        shape = list(labels.shape) if is_known else [None, 1]
        if len(shape) == 2 and shape[1] == 1:
            labels, shape = ops.reshape(labels, (-1,)), shape[:1]
        if len(shape) != 1:
            raise UserError(
                f"labels: expected one class of each image, [batch], got {shape}; of "
                "one-hot vectors, use np.argmax(labels, axis=-1)"
            )
        dtype = getattr(labels.dtype, "name", str(labels.dtype))
        if "int" not in dtype:
            raise UserError(
                f"labels: expected integers, got {dtype}; use labels.astype('int32')"
            )
        return ops.cast(labels, "int32")

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

    @classmethod
    def updates(cls, player: Player, options: TrainerHparams, steps: int) -> int:
        """Return the number of updates of a player in a run, for its schedules.

        Args:
            player: One of `players`.
            options: Options of the variant.
            steps: Number of training steps of the run.
        """
        return steps * cls.updates_per_step(player, options)

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
            batch: Batch of the update. It may hold "made", an `engine.Shared` of what
                the generator makes of the batch.

        Returns:
            {term: mean} and "gradient_norm"; see `engine.minimize`.
        """
        shared = batch.get("made") if "generator" in player.networks else None
        for name in player.networks:
            spectral.power_iteration(getattr(self, name))
        return accumulation.minimize(
            partial(self.losses, player),
            batch,
            self.accumulate,
            self.seeds,
            self.trained_by(player),
            getattr(self, f"{player.name}_optimizer"),
            shared,
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

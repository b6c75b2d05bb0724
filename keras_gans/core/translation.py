"""Base of the variants that translate images to images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_gans import engine
from keras_gans.core import gan, hparams
from keras_gans.core.trainer import Batch, Player
from keras_gans.errors import UserError
from keras_gans.layers import spectral
from keras_gans.networks import saving

Tensor = Any


@dataclasses.dataclass(frozen=True)
class TranslationHparams(hparams.Hparams):
    """Options of every variant that translates images to images."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        there = '"normal" (a translation takes no latents)'
        self.check("latents", there, self.latents == "normal")
        # The papers use no R1, and the gradient of a patch is not that of an image.
        self.check(
            "r1_weight", "0 (a translation has no R1 penalty)", self.r1_weight == 0
        )


class TranslationGAN(gan.BaseGAN):
    """Generator from images to images, and a discriminator.

    A batch has "images" and "condition", the images that a translation starts from.
    Both are float [batch, height, width, channels]. The generator takes "condition". A
    discriminator that does not take "condition" sees the images alone.

    Both factories take `backward`, for networks from images to conditions. Only a
    `bidirectional` variant passes it.

    Args:
        *args: Arguments of `BaseGAN`.
        **kwargs: Keyword arguments of `BaseGAN`.

    Raises:
        UserError: If `hparams.augment` would mix the colors of image and condition.
    """

    Hparams = TranslationHparams
    is_translation = True
    needs_pairs = True  # whether each condition must belong to the image of its index
    bidirectional = False  # whether it also translates images to conditions

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        words = set(self.hparams.augment.split(","))
        if "condition" in self.discriminator.input and words & {"color", "ada"}:
            raise UserError(
                '[hparams] augment: expected only "translation" or "cutout", since '
                "the discriminator takes image and condition together, got "
                f"'{self.hparams.augment}'"
            )

    def taken_from_data(self) -> set[str]:
        """Return the names of a batch's entries, beside images, that networks take."""
        return {"condition"}

    def translator(self, backward: bool = False) -> keras.Model:
        """Return the averaged generator of one direction: {"condition"} to images.

        Args:
            backward: Whether to return the one from images to conditions; only if
                `bidirectional`.
        """
        return self.ema_generator

    def inputs_of_call(self) -> dict[str, Tensor]:
        """Return the symbolic input "condition"."""
        return self.translator().input

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Translate images with the averaged generator.

        Args:
            inputs: {"condition": float [batch, height, width, channels] in [-1, 1]}, or
                these images alone.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], clipped to [-1, 1].
        """
        return self.translate(self.name_inputs(inputs)["condition"])

    def translate(self, condition: Tensor, backward: bool = False) -> Tensor:
        """Translate images with the averaged generator, in either direction.

        Args:
            condition: float [batch, height, width, channels] in [-1, 1].
            backward: Whether to translate images to conditions; only if
                `bidirectional`.

        Returns:
            float [batch, height, width, channels], clipped to [-1, 1].
        """
        network = self.translator(backward)
        return ops.clip(network({"condition": condition}, training=False), -1.0, 1.0)

    def schedule(self, batch: Batch) -> Iterator[tuple[Player, Batch]]:
        """Yield the updates of `BaseGAN`; the generator runs once for each batch.

        The discriminator is updated first, and this does not change what the generator
        makes of a batch. The batch that both see holds it as "made".

        Each player runs the generator in two cases. A batch that is computed in parts
        would need the memory of all parts. With spectral normalization, a power
        iteration comes between the two updates.

        Args:
            batch: Batch of `d_steps` times as many images as an update sees.

        Yields:
            Pairs (player, batch of the update).
        """
        updates = list(super().schedule(batch))
        owners = [i for i, (p, _) in enumerate(updates) if "generator" in p.networks]
        if self.accumulate > 1 or spectral.normalized(self.generator) or not owners:
            yield from updates
            return
        player, part = updates[owners[0]]
        run = partial(self.run_generator, part)
        both = {**part, "made": engine.Shared(run, self.trained_by(player))}
        for i, (player, own) in enumerate(updates):
            # After the generator's update, it makes other images.
            yield player, both if own is part and i <= owners[0] else own

    def run_generator(self, batch: Batch) -> Any:
        """Run the generator in training, for the losses of all players.

        Args:
            batch: Batch of an update.

        Returns:
            Translations of "condition", float [batch, height, width, channels]. A
            variant may return more tensors.
        """
        return self.run(batch["condition"])

    def run(self, condition: Tensor) -> Tensor:
        """Run the generator in training.

        Args:
            condition: float [num, height, width, channels].

        Returns:
            float [num, height, width, channels].
        """
        return self.generator({"condition": condition}, training=True)

    def made(self, batch: Batch) -> Any:
        """Return the result of `run_generator`, which is computed once in a step."""
        return batch["made"].value if "made" in batch else self.run_generator(batch)

    def fakes(self, batch: Batch) -> Tensor:
        """Return translations of the conditions of a batch, in training.

        Args:
            batch: Batch, of which only "condition" is read.

        Returns:
            float [batch, height, width, channels].
        """
        return self.made(batch)

    def discriminate(self, images: Tensor, batch: Batch) -> Tensor | dict:
        """Run the discriminator; see `BaseGAN`.

        Image and condition are augmented as one, with the same draws.
        """
        if "condition" not in self.discriminator.input:
            return super().discriminate(images, batch)
        both = self.augment(ops.concatenate([images, batch["condition"]], axis=-1))
        channels = images.shape[-1]
        inputs = {"images": both[..., :channels], "condition": both[..., channels:]}
        return self.discriminator(inputs, training=True)


def check_unconditional(network: keras.Model) -> None:
    """Check that a discriminator sees images alone.

    Args:
        network: Discriminator to check.

    Raises:
        UserError: If it also sees the condition.
    """
    if len(network.input) > 1:
        raise UserError(
            "[discriminator] conditional: expected false for a variant that trains on "
            "unpaired images"
        )


def both_ways(factory: Callable[..., keras.Model]) -> keras.Model:
    """Make one network of two: "forward", and "backward" with exchanged images.

    Args:
        factory: Function that makes a network with one input, "condition" or "images";
            it takes `backward`.

    Returns:
        Network from {"condition", "images"} to {"forward", "backward"}.

    Raises:
        UserError: If a network has two inputs.
    """
    ways = {"forward": factory(), "backward": factory(backward=True)}
    check_unconditional(ways["forward"])
    [own] = ways["forward"].input
    other = "images" if own == "condition" else "condition"
    inputs, outputs = {}, {}
    for (way, network), name in zip(ways.items(), (own, other), strict=True):
        network = saving.renamed(network, way)  # for `get_layer`
        inputs[name] = keras.Input(network.input[own].shape[1:], name=name)
        outputs[way] = network({own: inputs[name]})
    return keras.Model(inputs, outputs)

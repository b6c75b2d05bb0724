"""The base of the variants that make pictures from pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gans.core import gan, hparams
from keras_gans.errors import UserError
from keras_gans.networks import interface

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Hparams(hparams.Hparams):
    """Options of every variant that makes pictures from pictures."""

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        super().__post_init__()
        there = "its default: pictures are made from pictures"
        self.check("latents", there, self.latents == "normal")
        # The papers have none, and a patch's gradient is no picture's.
        self.check("r1_weight", "0: not of these models", self.r1_weight == 0)


class TranslationGAN(gan.BaseGAN):
    """A generator from pictures to pictures, and a discriminator.

    What other variants get as labels are the sources here: `d_losses(real, source)`,
    pictures float [batch, height, width, channels], both. Networks take "source"; a
    discriminator that does not is shown the pictures alone. Both factories take
    `backward`, for networks from pictures to sources; only a variant that
    `goes_back` passes it.
    """

    Hparams = Hparams
    takes_pictures = True
    needs_pairs = True  # whether each source has to be that of the picture beside it
    goes_back = False  # whether it makes sources of pictures, too

    def __init__(self, *args: Any, **kwargs: Any):
        """Builds the networks; see BaseGAN.

        Raises:
            UserError: for an augmentation that does not fit.
        """
        super().__init__(*args, **kwargs)
        words = set(self.hparams.augment.split(","))
        if "source" in self.discriminator.input and words & {"color", "ada"}:
            raise UserError(
                '[hparams] augment: expected "translation,cutout" where the '
                "discriminator sees the source, whose colours would mix with the "
                f"picture's, got '{self.hparams.augment}'"
            )

    def translator(self, backward: bool = False) -> keras.Model:
        """The averaged generator of one direction: from {"source"} to pictures.

        Args:
            backward: Whether to make sources of pictures; only if `goes_back`.
        """
        return self.ema_generator

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Makes pictures with the averaged generator.

        Args:
            inputs: {"source": float [batch, height, width, channels] in [-1, 1]}.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], cut off at -1 and 1.
        """
        return self.translate(inputs["source"])

    def translate(self, source: Tensor, backward: bool = False) -> Tensor:
        """What `call` returns, in either direction."""
        network = self.translator(backward)
        return ops.clip(network({"source": source}, training=False), -1.0, 1.0)

    def fakes(self, real: Tensor, source: Tensor) -> Tensor:
        """Makes a picture of each source; `real` is not read."""
        return self.generator({"source": source}, training=True)

    def examine(self, images: Tensor, source: Tensor | None) -> Tensor | dict:
        """Asks the discriminator; see BaseGAN. Both pictures are augmented as one."""
        if "source" not in self.discriminator.input:
            return interface.run(
                self.discriminator, "images", self.augment(images), None
            )
        both = self.augment(ops.concatenate([images, source], axis=-1))
        channels = images.shape[-1]
        inputs = {"images": both[..., :channels], "source": both[..., channels:]}
        return self.discriminator(inputs, training=True)


def check_unconditional(network: keras.Model) -> None:
    """Checks that a discriminator sees pictures alone.

    Raises:
        UserError: if it sees the source, too.
    """
    if len(network.input) > 1:
        raise UserError(
            "[discriminator] conditional: expected false where no one knows which "
            "pictures belong together"
        )


def both_ways(factory: Callable[..., keras.Model]) -> keras.Model:
    """Two networks as one: "forward", and "backward" with both pictures exchanged.

    Args:
        factory: Makes a network of one input, "source" or "images"; takes `backward`.

    Returns:
        From {"source", "images"} to {"forward", "backward"}.

    Raises:
        UserError: for a network of two inputs.
    """
    ways = {"forward": factory(), "backward": factory(backward=True)}
    check_unconditional(ways["forward"])
    [own] = ways["forward"].input
    other = "images" if own == "source" else "source"
    inputs, outputs = {}, {}
    for (way, network), name in zip(ways.items(), (own, other), strict=True):
        # the same layers, under a name by which they can be found
        network = keras.Model(network.input, network.output, name=way)
        inputs[name] = keras.Input(network.input[own].shape[1:], name=name)
        outputs[way] = network({own: inputs[name]})
    return keras.Model(inputs, outputs)

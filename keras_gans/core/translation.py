"""Base of the variants that make images from images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_gans.core import gan, hparams
from keras_gans.core.trainer import Batch
from keras_gans.errors import UserError

Tensor = Any


@dataclasses.dataclass(frozen=True)
class TranslationHparams(hparams.Hparams):
    """Options of every variant that makes images from images."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: For a value out of range.
        """
        super().__post_init__()
        there = "its default: pictures are made from pictures"
        self.check("latents", there, self.latents == "normal")
        # The papers have none, and the gradient of a patch is not that of an image.
        self.check("r1_weight", "0: not of these models", self.r1_weight == 0)


class TranslationGAN(gan.BaseGAN):
    """A generator from images to images, and a discriminator.

    A batch has "images" and "condition", the images that a translation starts from,
    both float [batch, height, width, channels]. The generator takes "condition". A
    discriminator that does not take it sees the images alone. Both factories take
    `backward`, for networks from images to conditions; only a `bidirectional` variant
    passes it.
    """

    Hparams = TranslationHparams
    is_translation = True
    needs_pairs = True  # whether each condition has to be that of the image beside it
    bidirectional = False  # whether it makes conditions of images, too

    def __init__(self, *args: Any, **kwargs: Any):
        """Build the networks; see BaseGAN.

        Raises:
            UserError: For an augmentation that does not fit.
        """
        super().__init__(*args, **kwargs)
        words = set(self.hparams.augment.split(","))
        if "condition" in self.discriminator.input and words & {"color", "ada"}:
            raise UserError(
                '[hparams] augment: expected "translation,cutout" where the '
                "discriminator sees the condition, whose colours would mix with the "
                f"picture's, got '{self.hparams.augment}'"
            )

    def taken_from_data(self) -> set[str]:
        """Return the names of the batch's parts, beside images, that networks take."""
        return {"condition"}

    def translator(self, backward: bool = False) -> keras.Model:
        """Return the averaged generator of one direction: {"condition"} to images.

        Args:
            backward: Whether to make conditions of images; only if `bidirectional`.
        """
        return self.ema_generator

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        """Make images with the averaged generator.

        Args:
            inputs: {"condition": float [batch, height, width, channels] in [-1, 1]}.
            training: Ignored: the averaged generator never trains.

        Returns:
            float [batch, height, width, channels], clipped to [-1, 1].
        """
        return self.translate(inputs["condition"])

    def translate(self, condition: Tensor, backward: bool = False) -> Tensor:
        """Return what `call` returns, in either direction."""
        network = self.translator(backward)
        return ops.clip(network({"condition": condition}, training=False), -1.0, 1.0)

    def fakes(self, batch: Batch) -> Tensor:
        """Make an image of each condition of a batch; nothing else is read."""
        return self.generator({"condition": batch["condition"]}, training=True)

    def discriminate(self, images: Tensor, batch: Batch) -> Tensor | dict:
        """Run the discriminator; see BaseGAN.

        Image and condition are augmented as one.
        """
        if "condition" not in self.discriminator.input:
            return super().discriminate(images, batch)
        both = self.augment(ops.concatenate([images, batch["condition"]], axis=-1))
        channels = images.shape[-1]
        inputs = {"images": both[..., :channels], "condition": both[..., channels:]}
        return self.discriminator(inputs, training=True)


def check_unconditional(network: keras.Model) -> None:
    """Check that a discriminator sees images alone.

    Raises:
        UserError: If it sees the condition, too.
    """
    if len(network.input) > 1:
        raise UserError(
            "[discriminator] conditional: expected false where no one knows which "
            "pictures belong together"
        )


def both_ways(factory: Callable[..., keras.Model]) -> keras.Model:
    """Make one network of two: "forward", and "backward" with both images exchanged.

    Args:
        factory: Makes a network of one input, "condition" or "images"; takes
            `backward`.

    Returns:
        Network from {"condition", "images"} to {"forward", "backward"}.

    Raises:
        UserError: For a network of two inputs.
    """
    ways = {"forward": factory(), "backward": factory(backward=True)}
    check_unconditional(ways["forward"])
    [own] = ways["forward"].input
    other = "images" if own == "condition" else "condition"
    inputs, outputs = {}, {}
    for (way, network), name in zip(ways.items(), (own, other), strict=True):
        # The same layers, under a name by which they can be found.
        network = keras.Model(network.input, network.output, name=way)
        inputs[name] = keras.Input(network.input[own].shape[1:], name=name)
        outputs[way] = network({own: inputs[name]})
    return keras.Model(inputs, outputs)

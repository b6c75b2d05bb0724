"""Interface of networks: named inputs, heads, and calls by name."""

from __future__ import annotations

from typing import Any

from keras import Input, Model, initializers, layers, ops

from keras_gans.errors import UserError
from keras_gans.layers.spectral import SNDense, SNEmbedding

Tensor = Any


def generator_inputs(latent_dim: int, num_classes: int) -> dict[str, Tensor]:
    """The inputs of a generator: {"latents"}, and "labels" if there are classes."""
    inputs = {"latents": Input((latent_dim,), name="latents")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs


def latent_inputs(
    latent_dim: int, num_classes: int, embedding_dim: int
) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a generator, and one vector to start from.

    Args:
        latent_dim: Length of one latent.
        num_classes: Number of classes; 0 for an unconditional generator.
        embedding_dim: Length of a class's learned embedding.

    Returns:
        (inputs, vector): `generator_inputs`, and the latents, joined with the class's
        embedding if there are classes.
    """
    inputs = generator_inputs(latent_dim, num_classes)
    if not num_classes:
        return inputs, inputs["latents"]
    embedded = layers.Embedding(num_classes, embedding_dim)(inputs["labels"])
    return inputs, layers.Concatenate()([inputs["latents"], embedded])


def run(
    network: Model, inputs: dict[str, Tensor], batch: dict[str, Tensor]
) -> Tensor | dict[str, Tensor]:
    """Call a network in training.

    Args:
        network: A generator or a discriminator.
        inputs: Inputs by name, as {"latents": ...} or {"images": ...}.
        batch: Where the network's other inputs come from, as "labels".

    Returns:
        What the network returns.
    """
    conditions = {
        name: value
        for name, value in batch.items()
        if name in network.input and name not in inputs
    }
    return network({**conditions, **inputs}, training=True)


def complete(
    network: Model, inputs: dict[str, Tensor], defaults: dict[str, float]
) -> dict[str, Tensor]:
    """Gives those inputs of a network that are missing their default.

    Args:
        network: What the inputs are for.
        inputs: {name: tensor [batch, ...]}, at least one.
        defaults: {name: what all values are if it is missing}.

    Returns:
        The inputs, and those that were missing.
    """
    batch = ops.shape(next(iter(inputs.values())))[0]
    missing = {
        name: ops.full((batch, *network.input[name].shape[1:]), value)
        for name, value in defaults.items()
        if name in network.input and name not in inputs
    }
    return {**inputs, **missing}


def projection_logits(
    features: Tensor,
    labels: Tensor | None,
    num_classes: int,
    spectral_norm: bool = False,
) -> Tensor:
    """The last layer of a discriminator, with the class projected onto its features.

    logit = w . f + b + v_y . f (Miyato and Koyama 2018, arXiv 1802.05637); the last
    term is left out if there are no classes.

    Args:
        features: float [batch, n], what the discriminator saw.
        labels: int32 [batch], or None.
        num_classes: Number of classes; 0 leaves the projection out.
        spectral_norm: Whether both layers are spectrally normalised.

    Returns:
        Raw logits, float [batch, 1].
    """
    dense = SNDense if spectral_norm else layers.Dense
    embedding = SNEmbedding if spectral_norm else layers.Embedding
    logits = dense(1, dtype="float32", name="logits")(features)
    if not num_classes:
        return logits
    small = initializers.RandomNormal(stddev=0.02)
    rows = embedding(num_classes, features.shape[-1], small)(labels)
    return logits + ops.sum(
        ops.cast(rows * features, "float32"), axis=-1, keepdims=True
    )


def image_inputs(
    image_shape: tuple[int, int, int], num_classes: int
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The inputs of a discriminator: {"images"} or {"images", "labels"}, and labels."""
    inputs = {"images": Input(image_shape, name="images")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs, inputs.get("labels")


def auxiliary_outputs(features: Tensor, num_classes: int, codes: int = 0) -> dict:
    """The last layer of a discriminator that also says which class or code it sees.

    Args:
        features: float [batch, n], what the discriminator saw.
        num_classes: Number of classes (or values of a categorical code).
        codes: Number of continuous codes; with any, the heads beside the logit have a
            hidden layer of 128 units (Chen et al. 2016, arXiv 1606.03657).

    Returns:
        {"logits": float [batch, 1], "classes": float [batch, num_classes] (raw
        logits), and "codes": float [batch, codes] if there are any}.

    Raises:
        UserError: without classes.
    """
    if not num_classes:
        raise UserError(
            '[discriminator] head: "auxiliary" needs classes, and the data have none; '
            "train on a set with classes (a folder with one sub-folder for each class)"
        )
    outputs = {"logits": layers.Dense(1, dtype="float32", name="logits")(features)}
    if codes:
        features = layers.LeakyReLU(0.1)(layers.Dense(128)(features))
        outputs["codes"] = layers.Dense(codes, dtype="float32", name="codes")(features)
    head = layers.Dense(num_classes, dtype="float32", name="classes")
    return outputs | {"classes": head(features)}


def heads(discriminator: Model) -> set[str]:
    """What a discriminator says of an image: "logits", and the names beside it."""
    outputs = discriminator.output
    return set(outputs) if isinstance(outputs, dict) else {"logits"}

"""Interface of the networks: named inputs, output heads, calls by input name."""

from __future__ import annotations

from typing import Any

from keras import Input, Model, initializers, layers, ops

from keras_gans.errors import UserError
from keras_gans.layers.spectral import SNDense, SNEmbedding

Tensor = Any


def generator_inputs(latent_dim: int, num_classes: int) -> dict[str, Tensor]:
    """Create the inputs of a generator: "latents", and "labels" with classes."""
    inputs = {"latents": Input((latent_dim,), name="latents")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs


def latent_inputs(
    latent_dim: int, num_classes: int, embedding_dim: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Create the inputs of a generator, and the vector for its first layer.

    Args:
        latent_dim: Length of one latent.
        num_classes: Number of classes; 0 for an unconditional generator.
        embedding_dim: Length of a class's learned embedding.

    Returns:
        (inputs, vector): the inputs of `generator_inputs`; the latents, concatenated
        with the class's embedding if there are classes.
    """
    inputs = generator_inputs(latent_dim, num_classes)
    if not num_classes:
        return inputs, inputs["latents"]
    embedded = layers.Embedding(num_classes, embedding_dim)(inputs["labels"])
    return inputs, layers.Concatenate()([inputs["latents"], embedded])


def run(
    network: Model, inputs: dict[str, Tensor], batch: dict[str, Tensor]
) -> Tensor | dict[str, Tensor]:
    """Call a network in training mode.

    Args:
        network: A generator or a discriminator.
        inputs: Inputs by name, such as {"latents": ...} or {"images": ...}.
        batch: Batch that holds the network's other inputs, such as "labels".

    Returns:
        The outputs of the network.
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
    """Fill in default values for missing inputs of a network.

    Args:
        network: Network that takes the inputs.
        inputs: {name: tensor [batch, ...]}, at least one.
        defaults: {name: constant that fills a missing input}. Names that the network
            does not take are ignored.

    Returns:
        The given inputs and the filled ones.
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
    """Build the logit layer of a discriminator, with a projection of the class.

    logit = w . f + b + v_y . f (Miyato and Koyama 2018, arXiv 1802.05637). Without
    classes, the last term is left out.

    Args:
        features: Features of the images, float [batch, n].
        labels: Labels, int32 [batch]; None without classes.
        num_classes: Number of classes; 0 for no projection.
        spectral_norm: Whether to spectrally normalize both layers.

    Returns:
        Logits, float [batch, 1].
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
    """Create the inputs of a discriminator: "images", and "labels" with classes.

    Args:
        image_shape: Shape (height, width, channels) of the images.
        num_classes: Number of classes; 0 for an unconditional discriminator.

    Returns:
        (inputs, labels): the inputs by name; the input of labels, None without classes.
    """
    inputs = {"images": Input(image_shape, name="images")}
    if num_classes:
        inputs["labels"] = Input((), dtype="int32", name="labels")
    return inputs, inputs.get("labels")


def auxiliary_outputs(features: Tensor, num_classes: int, codes: int = 0) -> dict:
    """Build the heads of a discriminator that predicts the class, and maybe codes.

    Args:
        features: Features of the images, float [batch, n].
        num_classes: Number of classes, or of values of a categorical code.
        codes: Number of continuous codes. If it is not 0, the heads beside the logit
            share a hidden layer of 128 units (Chen et al. 2016, arXiv 1606.03657).

    Returns:
        {"logits": float [batch, 1], "classes": logits float [batch, num_classes]}, and
        "codes": float [batch, codes] if there are codes.

    Raises:
        UserError: If there are no classes.
    """
    if not num_classes:
        raise UserError(
            '[discriminator] head: "auxiliary" needs classes, but the data set has '
            "none; use one with classes (a folder with one sub-folder for each class)"
        )
    outputs = {"logits": layers.Dense(1, dtype="float32", name="logits")(features)}
    if codes:
        features = layers.LeakyReLU(0.1)(layers.Dense(128)(features))
        outputs["codes"] = layers.Dense(codes, dtype="float32", name="codes")(features)
    head = layers.Dense(num_classes, dtype="float32", name="classes")
    return outputs | {"classes": head(features)}


def heads(discriminator: Model) -> set[str]:
    """Return the names of a discriminator's outputs, one of which is "logits"."""
    outputs = discriminator.output
    return set(outputs) if isinstance(outputs, dict) else {"logits"}

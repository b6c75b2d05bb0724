"""Pieces that two or more networks use."""

from __future__ import annotations

from typing import Any

from keras import Input, initializers, layers, ops

Tensor = Any


def latent_inputs(
    latent_dim: int, num_classes: int, embedding_dim: int
) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a generator from noise, and the vector it starts from.

    Args:
        latent_dim: Length of one latent.
        num_classes: Number of classes; 0 for an unconditional generator.
        embedding_dim: Length of a class's learned embedding.

    Returns:
        (inputs, vector): {"latents"} or {"latents", "labels"}, and the latents, joined
        with the class's embedding if there are classes.
    """
    latents = Input((latent_dim,), name="latents")
    if not num_classes:
        return {"latents": latents}, latents
    labels = Input((), dtype="int32", name="labels")
    embedded = layers.Embedding(num_classes, embedding_dim)(labels)
    vector = layers.Concatenate()([latents, embedded])
    return {"latents": latents, "labels": labels}, vector


def projection_logits(features: Tensor, labels: Tensor | None, num_classes: int):
    """The last layer of a discriminator, with the class projected onto its features.

    logit = w . f + b + v_y . f (Miyato and Koyama 2018, arXiv 1802.05637); the last
    term is left out if there are no classes.

    Args:
        features: float [batch, n], what the discriminator saw.
        labels: int32 [batch], or None.
        num_classes: Number of classes; 0 leaves the projection out.

    Returns:
        Raw logits, float [batch, 1].
    """
    logits = layers.Dense(1, dtype="float32", name="logits")(features)
    if not num_classes:
        return logits
    small = initializers.RandomNormal(stddev=0.02)
    rows = layers.Embedding(num_classes, features.shape[-1], small)(labels)
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

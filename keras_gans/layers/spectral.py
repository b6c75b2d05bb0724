"""Spectral normalization."""

from __future__ import annotations

from typing import Any

from keras import Model, Variable, initializers, layers, ops

from keras_gans.engine.keras_private import flatten_layers

Tensor = Any


class SpectralNormalization:
    """Mixin of a layer whose kernel is used as W / sigma(W), its spectral norm.

    sigma = u' W v is part of the gradient; u and v are not. One step of the power
    iteration comes with each of the network's updates (`power_iteration`), none with a
    call, so that all calls of a step see the same layer.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial
    Networks" (arXiv 1802.05957); a convolution's kernel is read as a matrix of
    (height * width * in, out).
    """

    def build(self, input_shape: tuple) -> None:
        """Makes the kernel, and the singular vectors that the iteration improves."""
        super().build(input_shape)
        rows, columns = self._matrix().shape
        self._u = self._add_vector("u", columns)
        self._v = self._add_vector("v", rows)
        self.iterate()

    def _add_vector(self, name: str, size: int) -> Variable:
        return self.add_weight(
            (size,),
            initializers.RandomNormal(),
            trainable=False,
            aggregation="only_first_replica",
            name=name,
        )

    def iterate(self) -> None:
        """One step of the power iteration: v = W u, u = W' v, both of length 1."""
        matrix = self._matrix()
        v = ops.normalize(ops.matmul(matrix, self._unit(self._u)), axis=-1)
        self._v.assign(v)
        self._u.assign(ops.normalize(ops.matmul(v, matrix), axis=-1))

    def normalized_kernel(self) -> Tensor:
        """W / sigma(W), of the kernel's shape."""
        matrix = self._matrix()
        u, v = self._unit(self._u), self._unit(self._v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        kernel = ops.cast(self._weight().value, "float32") / sigma
        return ops.cast(kernel, self.compute_dtype)

    def _weight(self):
        return self.kernel

    def _matrix(self):
        kernel = ops.cast(self._weight().value, "float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    @staticmethod
    def _unit(vector):
        # An average over steps is shorter than 1.
        return ops.normalize(ops.cast(vector.value, "float32"), axis=-1)


class SNDense(SpectralNormalization, layers.Dense):
    """A dense layer with a spectrally normalised kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Returns x W / sigma + b."""
        x = ops.matmul(inputs, self.normalized_kernel())
        return self.activation(x + self.bias if self.use_bias else x)


class SNConv2D(SpectralNormalization, layers.Conv2D):
    """A convolution with a spectrally normalised kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Returns x * W / sigma + b."""
        kernel = self.normalized_kernel()
        x = ops.conv(inputs, kernel, list(self.strides), self.padding)
        return self.activation(x + self.bias if self.use_bias else x)


class SNEmbedding(SpectralNormalization, layers.Embedding):
    """An embedding whose table is spectrally normalised."""

    def call(self, inputs: Tensor) -> Tensor:
        """Rows of W / sigma."""
        return ops.take(self.normalized_kernel(), inputs, axis=0)

    def _weight(self):
        return self.embeddings


def power_iteration(network: Model) -> None:
    """Takes one step of the power iteration in each layer that has one and learns."""
    for layer in flatten_layers(network):
        if isinstance(layer, SpectralNormalization) and layer.trainable:
            layer.iterate()

"""Spectral normalization."""

from __future__ import annotations

from typing import Any

from keras import Model, Variable, initializers, layers, ops

from keras_gans.engine.keras_private import flatten_layers

Tensor = Any


class SpectralNormalization:
    """Mixin for layers whose kernel W is divided by its spectral norm sigma(W).

    The gradient flows through sigma = u' W v, but not through u and v. Each update of
    the network runs one step of the power iteration (`power_iteration`). Calls run
    none, so that all calls of a training step use the same kernel.

    Source: Miyato et al. 2018, "Spectral Normalization for Generative Adversarial
    Networks" (arXiv 1802.05957). A convolution's kernel is treated as a matrix of shape
    (height * width * in, out).
    """

    def build(self, input_shape: tuple) -> None:
        """Create the kernel, and the singular vectors u and v."""
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
        """Run one step of the power iteration: v = W u, u = W' v, of length 1."""
        matrix = self._matrix()
        v = ops.normalize(ops.matmul(matrix, self._unit(self._u)), axis=-1)
        self._v.assign(v)
        self._u.assign(ops.normalize(ops.matmul(v, matrix), axis=-1))

    def normalized_kernel(self) -> Tensor:
        """Return W / sigma(W), of the kernel's shape."""
        matrix = self._matrix()
        u, v = self._unit(self._u), self._unit(self._v)
        sigma = ops.sum(ops.matmul(v, matrix) * u)
        kernel = ops.cast(self._weight().value, "float32") / sigma
        return ops.cast(kernel, self.compute_dtype)

    # The methods of Keras's own layers save and load the kernel and the bias alone.

    def save_own_variables(self, store: Any) -> None:
        """Save all variables, of which u and v are two."""
        layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Load all variables."""
        layers.Layer.load_own_variables(self, store)

    def _weight(self):
        return self.kernel

    def _matrix(self):
        kernel = ops.cast(self._weight().value, "float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    @staticmethod
    def _unit(vector):
        # The moving average of a unit vector is shorter than 1.
        return ops.normalize(ops.cast(vector.value, "float32"), axis=-1)


class SNDense(SpectralNormalization, layers.Dense):
    """Dense layer with a spectrally normalized kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return x W / sigma + b."""
        x = ops.matmul(inputs, self.normalized_kernel())
        return self.activation(x + self.bias if self.use_bias else x)


class SNConv2D(SpectralNormalization, layers.Conv2D):
    """Convolution with a spectrally normalized kernel."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return x * W / sigma + b."""
        kernel = self.normalized_kernel()
        x = ops.conv(inputs, kernel, list(self.strides), self.padding)
        return self.activation(x + self.bias if self.use_bias else x)


class SNEmbedding(SpectralNormalization, layers.Embedding):
    """Embedding with a spectrally normalized table."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return rows of W / sigma."""
        return ops.take(self.normalized_kernel(), inputs, axis=0)

    def _weight(self):
        return self.embeddings


def power_iteration(network: Model) -> None:
    """Run one step of the power iteration in each trainable layer that has one."""
    for layer in normalized(network):
        if layer.trainable:
            layer.iterate()


def normalized(network: Model) -> list[SpectralNormalization]:
    """Return the layers of a network that have spectral normalization."""
    layers_of = flatten_layers(network)
    return [layer for layer in layers_of if isinstance(layer, SpectralNormalization)]

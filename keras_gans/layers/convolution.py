"""Convolutions that are fast on CPUs."""

from __future__ import annotations

from typing import Any

from keras import layers, ops

from keras_gans import engine

Tensor = Any


class GroupedConv2D(layers.Conv2D):
    """Grouped convolution that keeps the size and is fast on a CPU, too."""

    def call(self, inputs: Tensor) -> Tensor:
        """Convolve each group of channels separately."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        x = engine.grouped_conv(inputs, kernel)
        return self.activation(x + self.bias if self.use_bias else x)


class FoldedConv2D(layers.Conv2D):
    """Convolution of stride 2 over images that trains fast on a CPU.

    CPUs are slow at the gradient of a strided convolution for inputs of 1 or 3
    channels. This layer folds 2x2 pixels into one pixel with four times the channels,
    and folds the kernel likewise. The folded convolution has stride 1 and computes the
    same sums. For odd or unknown sizes, or if `fold_strides` is off (see
    `keras_gans.engine.kernels`), the layer is an ordinary convolution. The kernel must
    have a side of at least 2 pixels.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Apply the convolution; padding is "same"."""
        _, height, width, _ = inputs.shape
        odd = not (height and width) or height % 2 or width % 2
        if odd or not engine.current_kernels().fold_strides:
            return super().call(inputs)
        before, more = _margins(self.kernel_size[0])
        x = ops.pad(inputs, ((0, 0), (before, more), (before, more), (0, 0)))
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))
        x = ops.conv(x, _folded(self.kernel, x.dtype), padding="valid")
        return self.activation(x + self.bias if self.use_bias else x)


class FoldedConv2DTranspose(layers.Conv2DTranspose):
    """Transposed convolution of stride 2 to images that trains fast on a CPU.

    It folds pixels and kernel as `FoldedConv2D` does. At inference it is an ordinary
    transposed convolution, so that an export contains a single operation.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Apply the convolution; padding is "same"."""
        _, height, width, _ = inputs.shape
        folds = training and height and width and engine.current_kernels().fold_strides
        if not folds:
            return super().call(inputs)
        before, _ = _margins(self.kernel_size[0])
        x = ops.conv_transpose(inputs, _folded(self.kernel, inputs.dtype), 1, "valid")
        _, rows, columns, channels = x.shape
        x = ops.reshape(x, (-1, rows, columns, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, 2 * rows, 2 * columns, channels // 4))
        size = (ops.shape(x)[0], 2 * height, 2 * width, channels // 4)
        # The gradient of ops.slice is faster than that of x[...].
        x = ops.slice(x, (0, before, before, 0), size)
        return self.activation(x + self.bias if self.use_bias else x)


def _margins(kernel_size: int) -> tuple[int, int]:
    """Return the "same" padding before and after, for a folded kernel and stride 2."""
    before = (kernel_size - 2) // 2
    return before, kernel_size + kernel_size % 2 - 2 - before


def _folded(kernel: Tensor, dtype: str) -> Tensor:
    """Fold a kernel [k, k, n, m] to [(k + 1) // 2, (k + 1) // 2, 4 n, m]."""
    odd = (0, kernel.shape[0] % 2)
    kernel = ops.pad(ops.cast(kernel, dtype), (odd, odd, (0, 0), (0, 0)))
    half, channels, filters = kernel.shape[0] // 2, *kernel.shape[2:]
    kernel = ops.reshape(kernel, (half, 2, half, 2, channels, filters))
    kernel = ops.transpose(kernel, (0, 2, 1, 3, 4, 5))
    return ops.reshape(kernel, (half, half, 4 * channels, filters))

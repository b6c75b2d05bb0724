"""Residual generators of image translation: their initial weights."""

import keras
import numpy as np
import pytest

from harness import smoke_model
from keras_gans import engine
from keras_gans.networks import translator


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("width, blocks", [(16, 4), (8, 9)])
def test_signals_keep_their_size_without_normalization(width, blocks, upsampling):
    keras.utils.set_random_seed(0)
    network = translator.generator(
        (32, 32, 3), (32, 32, 3), width, blocks, "none", upsampling
    )
    kinds = keras.layers.Conv2D, keras.layers.Conv2DTranspose
    outputs = [layer.output for layer in network.layers if isinstance(layer, kinds)]
    assert len(outputs) == 6 + 2 * blocks
    maps = keras.Model(network.input, [*outputs, network.output])
    noise = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("f")
    *maps, images = map(keras.ops.convert_to_numpy, maps({"condition": noise}))
    for made in maps:
        assert 0.2 < np.std(made) < 5, np.std(made)
    assert 0.1 < np.std(images) < 0.9


def test_initial_weights_follow_the_rule_of_he():
    """The variance is 2 / (inputs of a unit), equation 10 of He et al. 2015."""
    network = translator.generator((32, 32, 3), (32, 32, 3), 32, 2, "none")
    kernels = [w for w in network.weights if w.path.endswith("kernel")]
    times = 1 / 2, 1, 1, 1, 1 / 2, 1, 1 / 2, 4, 4, 1 / 2  # of 2 / inputs of the kernel
    for kernel, gain in zip(kernels, times, strict=True):
        transposed = "transpose" in kernel.path
        inputs = np.prod(kernel.shape[:2]) * kernel.shape[3 if transposed else 2]
        found = np.var(keras.ops.convert_to_numpy(kernel))
        assert found == pytest.approx(gain * 2 / inputs, rel=0.1), kernel.path


def test_first_gradients_of_cut_are_not_extreme():
    model, source = smoke_model("cut", ["generator.norm=none"])
    model.compile(*(keras.optimizers.SGD(0.0) for _ in "gd"))
    call = engine.train_function(model, [1])
    logs = call(iter(source.stream(0)))
    assert float(logs["g_gradient_norm"][0]) < 100

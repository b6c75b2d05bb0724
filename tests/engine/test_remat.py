"""Gradient checkpointing: the same training steps in less memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from harness import RATES, UNLIKE, smoke_model, trained
from keras_gans import engine, strategies
from keras_gans.engine.remat import remat


def test_second_derivatives_are_those_of_the_function():
    """The segment w x^3 has the right first and second derivatives."""
    w, x = keras.Variable(2.0), tf.constant(3.0)

    def cubed(x):
        return [w * x * x * x]

    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, w.value])
        with tf.GradientTape() as inner:
            inner.watch(x)
            (y,) = engine.rematerialize(cubed, [x], [w])
        slope = inner.gradient(y, x)  # 3 w x^2
    assert (float(y), float(slope)) == (54.0, 54.0)
    assert float(outer.gradient(slope, x)) == 36.0  # 6 w x
    assert float(outer.gradient(slope, w.value)) == 27.0  # 3 x^2


@pytest.mark.parametrize(
    "name, more, devices",
    [
        ("dcgan", [], "one_device"),  # batch statistics
        pytest.param(
            *("wgan_gp", [], "one_device"),  # second derivatives
            marks=pytest.mark.second,
        ),
        pytest.param("lsgan", [], "mirrored", marks=pytest.mark.second),
    ]
    + [
        pytest.param(name, more, "one_device", marks=mark)
        for name, more, mark in (
            ("cyclegan", [], pytest.mark.slow),  # networks inside networks
            ("gan", [], pytest.mark.slow),  # dropout
            ("r3gan", ["train.accumulate=2"], pytest.mark.slow),
            ("sngan", [], pytest.mark.slow),  # power iterations
            ("stylegan2", [], pytest.mark.release),
            ("biggan", [], pytest.mark.release),
        )
    ],
)
def test_steps_are_those_that_keep_everything(name, more, devices):
    overrides = [*UNLIKE.get(name, []), *more] if name != "gan" else more
    rate = RATES.get(name, 0.02)
    strategy = strategies.make_team(devices).strategy
    kept = trained(name, overrides, strategy, rate)
    again = trained(name, [*overrides, "train.remat=true"], strategy, rate)
    for key in kept:
        np.testing.assert_allclose(kept[key], again[key], atol=1e-5, err_msg=key)


def test_convolutions_run_twice_and_little_is_kept():
    """The gradient's graph holds each convolution twice; values and shapes stay."""

    def convolutions(model):
        @tf.function
        def gradient(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                logits = model.discriminator({"images": images}, training=True)
            return tape.gradient(logits, images)

        graph = gradient.get_concrete_function(tf.zeros((2, 28, 28, 1))).graph
        forward = [op for op in graph.get_operations() if op.type == "Conv2D"]
        return gradient, len(forward)

    model, _ = smoke_model("lsgan", ["discriminator.dropout=0.0"])
    images = keras.random.normal((2, 28, 28, 1), seed=0)
    plain, once = convolutions(model)
    expected = plain(images)
    outputs = model.discriminator.output.shape
    remat(model.discriminator)
    again, twice = convolutions(model)
    assert once and twice == 2 * once
    np.testing.assert_allclose(expected, again(images), atol=1e-6)
    symbolic = model.discriminator({"images": keras.Input((28, 28, 1))})
    assert symbolic.shape == outputs and ops.shape(symbolic)[1:] == outputs[1:]

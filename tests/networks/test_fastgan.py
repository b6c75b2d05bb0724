"""FastGAN: its blocks against NumPy, its losses and its image sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans.errors import UserError
from keras_gans.layers import resampling, spectral
from keras_gans.networks import fastgan, freeze

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def kernels(model):
    """Return the normalized kernels W / (u' W v) of the convolutions, in order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, spectral.SNConv2D):
            kernel, u, v = (w.numpy() for w in layer.weights)
            u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
            found.append(kernel / (v @ kernel.reshape(-1, kernel.shape[-1]) @ u))
    return found


def test_excitation_is_what_numpy_computes():
    source, x = keras.Input((16, 16, 3)), keras.Input((8, 8, 5))
    model = keras.Model([source, x], fastgan.excite(source, x, size=4))
    pictures, maps = normal(2, 16, 16, 3), normal(2, 8, 8, 5)
    expected = np.zeros_like(maps)
    whole, one = kernels(model)
    assert (whole.shape, one.shape) == ((4, 4, 3, 5), (1, 1, 5, 5))
    for n in range(2):
        pooled = np.zeros((4, 4, 3))
        for i in range(4):
            for j in range(4):
                pooled[i, j] = pictures[n, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean(
                    axis=(0, 1)
                )
        hidden = np.array([(pooled * whole[..., o]).sum() for o in range(5)])
        gate = sigmoid((hidden * sigmoid(hidden)) @ one[0, 0])
        assert np.ptp(gate) > 1e-3
        expected[n] = maps[n] * gate
    np.testing.assert_allclose(model([pictures, maps]), expected, atol=1e-5)


def test_doubling_is_nearest_and_gated():
    inputs = keras.Input((3, 3, 4))
    model = keras.Model(inputs, fastgan.up(inputs, 2))
    x = normal(2, 3, 3, 4)
    [kernel] = kernels(model)
    padded = np.pad(
        x.repeat(2, axis=1).repeat(2, axis=2), ((0, 0), (1, 1), (1, 1), (0, 0))
    )
    y = np.zeros((2, 6, 6, 4))
    for i in range(6):
        for j in range(6):
            patch = padded[:, i : i + 3, j : j + 3, :, None]
            y[:, i, j] = (patch * kernel).sum(axis=(1, 2, 3))
    y = (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + 1e-5)
    expected = y[..., :2] * sigmoid(y[..., 2:])
    np.testing.assert_allclose(model(x, training=True), expected, atol=1e-4)


def test_halving_is_the_mean_of_two_ways():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, fastgan.down(inputs, 5))
    x = normal(2, 8, 8, 3)
    [strided, same, one] = sorted(kernels(model), key=lambda k: -k.shape[0])
    plain = np.zeros((2, 4, 4, 5))

    def finish(y):
        y = (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + 1e-5)
        return np.where(y > 0, y, 0.2 * y)

    def convolve(x, kernel, stride):
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        size = len(kernel)
        y = np.zeros_like(plain)
        for i in range(4):
            for j in range(4):
                a, b = i * stride, j * stride
                patch = padded[:, a : a + size, b : b + size, :, None]
                y[:, i, j] = (patch * kernel).sum(axis=(1, 2, 3))
        return finish(y)

    y = convolve(convolve(x, strided, 2), same, 1)
    shortcut = finish(x.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4)) @ one[0, 0])
    expected = (y + shortcut) / 2
    np.testing.assert_allclose(model(x, training=True), expected, atol=1e-4)


def test_quarter_is_the_corner_asked_for():
    x = normal(4, 6, 4, 2)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    expected = np.stack([x[0, :3, :2], x[1, :3, 2:], x[2, 3:, :2], x[3, 3:, 2:]])
    np.testing.assert_array_equal(resampling.quarter(x, corners), expected)


@pytest.fixture(scope="module")
def model_and_pictures():
    model, source = smoke_model("fastgan", ['hparams.augment=""'])
    return model, next(iter(source.stream(0)))["images"].numpy()


def test_losses_are_the_hinge_and_the_distance_of_what_is_redrawn(model_and_pictures):
    model, real = model_and_pictures
    model.seeds.begin_step()
    corner = model.draw_corners(len(real)).numpy()
    assert set(corner.ravel()) == {0.0, 1.0}
    model.seeds.begin_step()
    terms = {k: v.numpy() for k, v in model.d_losses({"images": real}).items()}

    small = real.reshape(len(real), 32, 2, 32, 2, 1).mean(axis=(2, 4))
    inputs = {"images": real, "small": small, "corner": corner}
    seen = model.discriminator(inputs, training=True)
    np.testing.assert_allclose(
        terms["real"], np.maximum(0, 1 - seen["logits"]), atol=1e-4
    )
    targets = {"whole": small, "small": small, "quarter": np.zeros_like(small)}
    for n, (lower, right) in enumerate(corner.astype(int)):
        rows, columns = (slice(32 * k, 32 * k + 32) for k in (lower, right))
        targets["quarter"][n] = real[n, rows, columns]
    missed = sum(
        np.abs(targets[name] - seen[name].numpy()).mean(axis=(1, 2, 3))
        for name in targets
    )
    np.testing.assert_allclose(terms["reconstruction"], missed, atol=1e-4)


def test_generated_pictures_bring_their_own_small_ones(model_and_pictures):
    model, real = model_and_pictures
    fakes = model.fakes({"images": real})
    assert fakes["images"].shape == real.shape
    assert fakes["small"].shape == (len(real), 32, 32, 1)
    shrunk = model.shrink(fakes["images"])
    assert np.abs(fakes["small"] - shrunk).max() > 0.01  # from another output of G
    seen = model.discriminator.get_layer("critic")(fakes, training=True)
    model.seeds.begin_step()
    np.testing.assert_allclose(
        model.score(fakes, {}), seen["logits"], rtol=1e-4, atol=1e-4
    )


def test_only_real_pictures_are_redrawn(model_and_pictures):
    model, real = model_and_pictures
    decoders = [
        weight
        for layer in model.discriminator.layers
        if layer.name != "critic"
        for weight in layer.trainable_weights
    ]
    with tf.GradientTape(persistent=True) as tape:
        terms = model.d_losses({"images": real})
    values = [w.value for w in decoders]
    assert decoders
    assert all(g is None for g in tape.gradient(terms["fake"], values))
    assert all(g is not None for g in tape.gradient(terms["reconstruction"], values))


@pytest.mark.parametrize(
    "side, logits, small, gates",
    [
        (28, 121 + 16, 14, (0, 0)),
        (32, 50, 16, (0, 0)),
        (96, 162, 48, (1, 1)),
        pytest.param(256, 50, 128, (3, 3), marks=pytest.mark.second),
        pytest.param(512, 50, 128, (4, 3), marks=pytest.mark.second),
    ],
)
def test_sizes(side, logits, small, gates):
    """Check the shapes of inputs and outputs, and the numbers of gates.

    `gates` counts the gates of the generator (4-pixel maps gate 64-pixel maps, and so
    on) and of the critic (64-pixel maps gate 8-pixel maps, and so on).
    """
    shape = (side, side, 3)
    generator = fastgan.generator(shape, latent_dim=4, width=8)
    critic = fastgan.discriminator(shape, width=2).get_layer("critic")
    stages = generator.get_layer("stages")
    assert generator.output.shape[1:] == shape
    assert stages.output["small"].shape[1:] == critic.input["small"].shape[1:]
    assert critic.input["small"].shape[1:] == (small, small, 3)
    assert critic.output["logits"].shape[1] == logits
    found = [
        sum(getattr(layer, "activation", None) is keras.activations.silu for layer in n)
        for n in (stages.layers, critic.layers)
    ]
    assert tuple(found) == gates


def test_what_it_cannot_do_is_said():
    with pytest.raises(UserError, match=r"28, 64, 96, 128, 256 or 512\), got 14"):
        fastgan.generator((14, 14, 1))
    with pytest.raises(UserError, match="takes no classes, got 10"):
        fastgan.discriminator((64, 64, 1), num_classes=10)
    with pytest.raises(UserError, match="recon_weight: expected at least 0"):
        smoke_model("fastgan", ["hparams.recon_weight=-1"])
    with pytest.raises(UserError, match="batch normalization"):
        smoke_model("fastgan", ["hparams.r1_weight=1"])


def test_layers_inside_the_critic_are_frozen_one_by_one():
    network = fastgan.discriminator((64, 64, 1), width=2)
    freeze.freeze(network, 3)
    critic = network.get_layer("critic")
    inside = [layer.trainable for layer in critic.layers if layer.weights]
    assert inside == [False] * 3 + [True] * (len(inside) - 3)
    assert all(layer.trainable for layer in network.layers)

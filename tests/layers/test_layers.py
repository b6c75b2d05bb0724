"""Layers, compared with computations in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as keras_layers

from harness import smoke_model
from keras_gans import engine
from keras_gans.layers import attention, dropout, normalization, spectral
from keras_gans.layers import convolution as layers
from keras_gans.networks import dcgan, stylegan2

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def spectral_layers():
    return [
        (spectral.SNDense(7), normal(3, 5)),
        (spectral.SNConv2D(6, 3, strides=2, padding="same"), normal(2, 8, 8, 4)),
        (spectral.SNEmbedding(9, 5), np.array([1, 3, 3], np.int32)),
    ]


@pytest.mark.parametrize("layer, x", spectral_layers())
def test_spectral_norm_of_the_weight_is_one(layer, x):
    layer(x)
    for _ in range(200):
        layer.iterate()
    kernel = layer.normalized_kernel().numpy()
    matrix = kernel.reshape(-1, kernel.shape[-1])
    assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-4)
    weight = layer.trainable_weights[0].numpy()
    sigma = np.linalg.svd(weight.reshape(matrix.shape), compute_uv=False)[0]
    np.testing.assert_allclose(kernel, weight / sigma, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layer, x", spectral_layers())
def test_spectral_normalisation_is_the_plain_layer_on_that_weight(layer, x):
    layer(x)
    plain = (
        type(layer)
        .__mro__[2]
        .from_config({k: v for k, v in layer.get_config().items() if k != "name"})
    )
    plain(x)
    plain.set_weights([layer.normalized_kernel(), *layer.get_weights()[1:-2]])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer, x", spectral_layers())
def test_spectral_gradient_knows_sigma(layer, x):
    """W and 2 W give the same outputs, so that the gradient is orthogonal to W."""
    layer(x)
    for _ in range(200):
        layer.iterate()
    weight = layer.trainable_weights[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x) ** 3 + layer(x))
    gradient = tf.convert_to_tensor(tape.gradient(loss, weight.value)).numpy()
    assert np.linalg.norm(gradient) > 1e-2
    cosine = (gradient * weight.numpy()).sum()
    cosine /= np.linalg.norm(gradient) * np.linalg.norm(weight.numpy())
    assert abs(cosine) < 1e-4
    before = layer(x).numpy()
    weight.assign(2 * weight.numpy())
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-6)


def test_one_power_iteration_for_each_update_and_none_for_a_call():
    model, source = smoke_model("sngan_ring")
    batch = next(iter(source.stream(0)))
    real = batch["images"]
    layer = model.discriminator.layers[2]
    assert isinstance(layer, spectral.SNDense)
    weight, u = layer.get_weights()[0], layer.get_weights()[2]
    model.score(real, batch), model.d_losses(batch)
    np.testing.assert_array_equal(layer.get_weights()[2], u)
    model.update(model.players[0], batch)
    v = weight @ u
    v /= np.linalg.norm(v)
    expected = v @ weight
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(layer.get_weights()[2], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.get_weights()[3], v, rtol=1e-4, atol=1e-6)


def test_spectral_norm_is_right_with_averaged_vectors():
    """Averaged unit vectors are shorter; the normalized weight must not change."""
    layer = spectral.SNDense(7)
    x = normal(3, 5)
    layer(x)
    expected = layer(x).numpy()
    kernel, bias, u, v = layer.get_weights()
    layer.set_weights([kernel, bias, 0.3 * u, 0.5 * v])
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_attention_starts_as_identity_and_then_looks_at_all_places():
    layer = attention.SelfAttention()
    x = normal(2, 4, 6, 16)
    np.testing.assert_array_equal(layer(x), x)
    layer.gamma.assign(0.7)

    def conv(convolution, maps):
        return maps @ convolution.normalized_kernel().numpy()[0, 0]

    def pool(maps):
        return maps.reshape(2, 2, 2, 3, 2, -1).max(axis=(2, 4)).reshape(2, 6, -1)

    queries = conv(layer._query, x).reshape(2, 24, 2)
    scores = queries @ pool(conv(layer._key, x)).transpose(0, 2, 1)
    shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    seen = shares @ pool(conv(layer._value, x))
    expected = x + 0.7 * conv(layer._out, seen.reshape(2, 4, 6, 8))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_conditional_batch_normalisation_reads_gain_and_bias_off_the_class():
    layer = normalization.ConditionalBatchNormalization(
        lambda channels: keras_layers.Embedding(3, channels, "zeros")
    )
    x, labels = 5 * normal(8, 4, 4, 2) + 3, np.array([0, 1, 2, 0, 1, 2, 0, 1], "int32")
    y = layer(x, labels, training=True)
    mean, std = x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / std, rtol=1e-3, atol=1e-4)
    gain, bias = normal(3, 2), normal(3, 2)
    layer.gain.set_weights([gain])
    layer.bias.set_weights([bias])
    y = layer(x, labels, training=True)
    gains = (1 + gain)[labels][:, None, None]
    expected = (x - mean) / std * gains + bias[labels][:, None, None]
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)


def test_conditional_batch_normalisation_uses_moving_statistics_at_inference():
    layer = normalization.ConditionalBatchNormalization(
        lambda channels: spectral.SNDense(channels, use_bias=False)
    )
    x, condition = normal(8, 4, 4, 2), normal(8, 5)
    layer(x, condition, training=True)
    one = layer(x[:1], condition[:1], training=False)
    np.testing.assert_allclose(layer(x, condition)[:1], one, rtol=1e-4, atol=1e-5)


def test_minibatch_stddev_is_one_number_for_each_group():
    x = normal(8, 3, 3, 5)
    y = stylegan2.MinibatchStdDev(4)(x).numpy()
    np.testing.assert_array_equal(y[..., :5], x)
    for start in (0, 1):  # rows 0, 2, 4, 6 are a group
        expected = np.sqrt(x[start::2].var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(y[start::2, ..., 5], expected, rtol=1e-4)
    same = stylegan2.MinibatchStdDev(4)(np.repeat(x[:1], 4, axis=0)).numpy()
    assert same[..., 5].max() < 1e-3
    assert stylegan2.MinibatchStdDev(4)(x[:3]).shape == (3, 3, 3, 6)  # one group of 3


def test_pixel_norm_leaves_a_mean_square_of_one():
    x = 7 * normal(2, 3, 3, 16)
    y = normalization.PixelNorm()(x).numpy()
    np.testing.assert_allclose((y**2).mean(axis=-1), 1, rtol=1e-4)
    np.testing.assert_allclose(y / x, np.broadcast_to((y / x)[..., :1], x.shape), 1e-4)


@pytest.mark.second
def test_network_with_attention_and_classes_exports_its_average():
    """Averaging keeps the spectral norms of the layers close to 1."""
    model, source = smoke_model("sagan")
    for batch in source.stream(0).take(3):
        model.train_step(batch)
    for layer in model.ema_generator._flatten_layers():
        if isinstance(layer, spectral.SpectralNormalization):
            kernel = layer.normalized_kernel().numpy()
            norm = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2)
            assert 0.9 < norm < 3
    assert keras.ops.isfinite(model.ema_generator.weights[0]).numpy().all()


def values_and_gradients(layer, x, **call):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **call)
        loss = tf.reduce_sum(tf.sin(y))
    return [y, *tape.gradient(loss, [x, *layer.trainable_weights])]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_folded_layers_are_the_plain_ones(size, channels):
    options = {"strides": 2, "padding": "same", "bias_initializer": "ones"}
    for name, filters, x, call in (
        ("Conv2D", 5, normal(2, 8, 12, channels), {}),
        ("Conv2D", 5, normal(2, 7, 12, channels), {}),
        ("Conv2DTranspose", channels, normal(2, 4, 6, 5), {"training": True}),
        ("Conv2DTranspose", channels, normal(2, 4, 6, 5), {}),
    ):
        layer = getattr(layers, f"Folded{name}")(filters, size, **options)
        plain = getattr(keras_layers, name)(filters, size, **options)
        layer.build(x.shape)
        plain.build(x.shape)
        plain.set_weights(layer.get_weights())
        pairs = zip(
            values_and_gradients(layer, x, **call),
            values_and_gradients(plain, x),
            strict=True,
        )
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_generator_has_plain_transposed_convolutions_at_inference():
    model = dcgan.generator((28, 28, 1), latent_dim=8, width=4, kernel_size=4)
    ops = {}
    for training in (True, False):
        graph = tf.function(lambda x, t=training: model({"latents": x}, training=t))
        graph = graph.get_concrete_function(tf.TensorSpec((None, 8))).graph
        ops[training] = [op.type for op in graph.get_operations()]
    assert ops[False].count("Conv2DBackpropInput") == 2
    folding = {"Pad", "PadV2", "Slice", "Transpose"}
    assert folding & set(ops[True]) and not folding & set(ops[False])


def test_dropout_without_a_rate_keeps_all():
    with engine.computing(part=(0, 2)):
        x = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(dropout.Dropout(0.0)(x, training=True), x)
    with pytest.raises(ValueError, match="noise_shape"):
        dropout.Dropout(0.5, noise_shape=(None, 1))
    same = dropout.Dropout.from_config(dropout.Dropout(0.5, seed=3).get_config())
    assert same.rate == 0.5 and same.seed == 3

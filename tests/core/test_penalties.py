"""Gradient penalties, and the variants that use them, against exact values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans.core import penalties
from keras_gans.errors import UserError
from keras_gans.recipes import config

A = np.array([3.0, -1.0, 0.5, 2.0], np.float32)
IMAGES = np.random.default_rng(0).normal(size=(6, 2, 2, 1)).astype(np.float32)


def linear(x):
    return tf.reshape(x, (-1, 4)) @ A[:, None]


def cubic(x):
    """Sum of x^3 over each image, with |grad|^2 = sum (3 x^2)^2."""
    return tf.reduce_sum(tf.reshape(x, (-1, 4)) ** 3, axis=1, keepdims=True)


def test_linear_critic_has_the_norm_of_its_weight():
    np.testing.assert_allclose(
        penalties.squared_gradient_norm(linear, tf.constant(IMAGES)),
        np.full(6, (A**2).sum()),
        rtol=1e-6,
    )
    expected = (np.linalg.norm(A) - 1) ** 2  # norm above 1
    actual = penalties.two_sided(linear, tf.constant(IMAGES))
    np.testing.assert_allclose(actual, np.full(6, expected), rtol=1e-5)
    short = penalties.two_sided(lambda x: 0.1 * linear(x), tf.constant(IMAGES))
    expected = (0.1 * np.linalg.norm(A) - 1) ** 2  # norm below 1
    np.testing.assert_allclose(short, np.full(6, expected), rtol=1e-5)


def test_penalty_is_of_each_example_and_over_all_its_values():
    squares = (3 * IMAGES.reshape(6, 4) ** 2) ** 2
    actual = penalties.squared_gradient_norm(cubic, tf.constant(IMAGES))
    np.testing.assert_allclose(actual, squares.sum(axis=1), rtol=1e-5)
    twice = np.concatenate([IMAGES, IMAGES])
    again = penalties.squared_gradient_norm(cubic, tf.constant(twice))
    np.testing.assert_allclose(again, np.tile(actual, 2), rtol=1e-6)


def test_two_sided_gradient_is_finite_where_the_critic_is_flat():
    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        penalty = penalties.two_sided(lambda v: 0.0 * cubic(v), x)
    np.testing.assert_allclose(penalty, 1.0, rtol=1e-5)
    assert np.isfinite(tape.gradient(penalty, x)).all()


def test_points_between_lie_on_the_segments():
    real, fake = IMAGES[:3], IMAGES[3:]
    u = np.array([0.0, 0.25, 1.0], np.float32)
    expected = (1 - u)[:, None, None, None] * real + u[:, None, None, None] * fake
    np.testing.assert_allclose(
        penalties.between(real, fake, u), expected, rtol=1e-5, atol=1e-6
    )


def test_orthogonal_counts_the_angles_and_not_the_lengths():
    kernel = np.array([[2.0, 0.0], [0.0, 5.0], [0.0, 0.0]], np.float32)
    assert float(penalties.orthogonal(kernel)) == 0
    kernel = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)  # columns: 1*2 + 3*4
    assert float(penalties.orthogonal(kernel)) == pytest.approx(2 * 14.0**2)


@pytest.mark.parametrize("shape", [(3, 3, 2, 5), (4, 60), (1, 1, 7, 30)])
def test_orthogonal_of_tall_and_of_wide_kernels(shape):
    """The kernel of a convolution is reshaped to (height * width * in, out)."""
    kernel = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    matrix = kernel.reshape(-1, shape[-1]).astype(float)
    gram = matrix.T @ matrix
    np.fill_diagonal(gram, 0)
    weights = tf.Variable(kernel)
    with tf.GradientTape() as tape:
        actual = penalties.orthogonal(weights)
    assert float(actual) == pytest.approx((gram**2).sum(), rel=1e-4)
    found = tape.gradient(actual, weights).numpy().reshape(matrix.shape)
    np.testing.assert_allclose(found, 4 * matrix @ gram, rtol=1e-3, atol=1e-2)


def replay(model, *draws):
    """Repeat the random draws of a step, in the same order."""
    model.seeds.begin_step()
    return [draw() for draw in draws]


def test_wgan_gp_penalises_between_its_fakes_and_the_real_images():
    model, source = smoke_model("wgan_gp", ["generator.normalization=none"])
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    num = len(labels)
    model.seeds.begin_step()
    terms = model.d_losses(batch)
    _, u, latents = replay(
        model,
        lambda: model.draw_latents(num),
        lambda: model.draw_weights(num),
        lambda: model.draw_latents(num),
    )
    fake = model.generator({"latents": latents})
    u = u.numpy()[:, None, None, None]
    at = tf.constant(real.numpy() + u * (fake.numpy() - real.numpy()))
    with tf.GradientTape() as tape:
        tape.watch(at)
        score = model.discriminator({"images": at})
    norms = np.sqrt((tape.gradient(score, at).numpy() ** 2).sum(axis=(1, 2, 3)))
    assert model.hparams.gp_weight == 10
    np.testing.assert_allclose(terms["penalty"], 10 * (norms - 1) ** 2, rtol=1e-4)


def test_interpolation_weights_are_uniform_and_one_for_each_example():
    model, _ = smoke_model("wgan_gp")
    u = model.draw_weights(4000).numpy()
    assert u.shape == (4000,) and len(np.unique(u)) > 3900
    assert 0 <= u.min() and u.max() <= 1
    deciles = np.histogram(u, 10, (0, 1))[0]
    assert np.abs(deciles - 400).max() < 80  # four standard deviations


def test_dragan_penalises_around_the_real_images_alone():
    model, source = smoke_model("dragan", ["generator.normalization=none"])
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    model.seeds.begin_step()
    terms = model.d_losses(batch)
    _, noise = replay(
        model,
        lambda: model.draw_latents(len(labels)),
        lambda: keras.random.normal(real.shape, seed=model.seeds),
    )
    at = real + model.hparams.noise_stddev * noise
    with tf.GradientTape() as tape:
        tape.watch(at)
        score = model.discriminator({"images": at})
    norms = np.sqrt((tape.gradient(score, at).numpy() ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(
        terms["penalty"], model.hparams.gp_weight * (norms - 1) ** 2, rtol=1e-4
    )
    assert terms["real"].shape[0] == len(labels)  # the original terms remain


def test_r1_is_half_gamma_times_the_norm_at_real_images_of_any_variant():
    model, source = smoke_model("lsgan", ["hparams.r1_weight=3.0"])
    for layer in model.discriminator.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
    batch = next(iter(source.stream(0)))
    real = batch["images"]
    with tf.GradientTape() as tape:
        tape.watch(real)
        score = model.discriminator({"images": real})
    norms = (tape.gradient(score, real).numpy() ** 2).sum(axis=(1, 2, 3))
    actual = model.regularizers(batch)
    np.testing.assert_allclose(actual["r1"], 1.5 * norms, rtol=1e-4)
    logs = model.update(model.players[0], batch)
    assert float(logs["r1"]) == pytest.approx(1.5 * norms.mean(), rel=1e-4)


@pytest.mark.parametrize(
    "name, overrides",
    [
        ("wgan_gp", ["discriminator.normalization=batch"]),
        ("dragan", ["discriminator.normalization=batch"]),
        ("dcgan", ["hparams.r1_weight=1.0"]),
    ],
)
def test_penalties_refuse_batch_normalisation(name, overrides):
    with pytest.raises(UserError, match="set discriminator.normalization=none"):
        smoke_model(name, overrides)


def test_wgan_clips_every_weight_after_each_update_of_the_critic():
    # Without batch normalization, whose moving averages would not be clipped.
    plain = "discriminator.normalization=none"
    model, source = smoke_model("wgan", ["hparams.clip=0.003", plain])
    batch = next(iter(source.stream(0)))
    assert any(np.abs(w).max() > 0.003 for w in model.discriminator.get_weights())
    generator = [v.numpy() for v in model.generator.trainable_variables]
    model.update(model.players[0], batch)
    weights = model.discriminator.get_weights()
    assert max(np.abs(w).max() for w in weights) == pytest.approx(0.003)
    for before, v in zip(generator, model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, v)


def test_d_steps_update_the_discriminator_on_pictures_of_its_own_each_time():
    model, source = smoke_model("lsgan", ["hparams.d_steps=3"])
    seen = []
    update = model.update

    def spy(player, batch):
        if player.name == "d":
            seen.append(batch["images"].numpy())
        return update(player, batch)

    model.update = spy
    batch = next(iter(source.stream(0)))
    model.train_step(batch)
    assert [len(part) for part in seen] == [16, 16, 16]
    together = np.sort(np.concatenate(seen).reshape(48, -1), axis=0)
    np.testing.assert_array_equal(
        together, np.sort(batch["images"].numpy().reshape(48, -1), axis=0)
    )
    assert int(model.d_optimizer.iterations) == 3
    assert int(model.g_optimizer.iterations) == 1
    assert int(model.step) == 1


def test_a_schedule_lasts_for_all_updates_of_its_own_optimizer():
    recipe = config.load_config("wgan_gp", ["train.steps=70", "hparams.d_steps=4"])
    assert recipe.optimizers["d"]["learning_rate"]["decay_steps"] == 280
    assert recipe.optimizers["g"]["learning_rate"]["decay_steps"] == 70

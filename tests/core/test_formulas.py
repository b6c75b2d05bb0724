"""Losses, updates and terms of variants, compared with their formulas in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans import engine
from keras_gans.core import augment, losses
from keras_gans.core.gan import BaseGAN
from keras_gans.core.hparams import Hparams
from keras_gans.engine import ema
from keras_gans.errors import UserError

PLAIN = ["generator.normalization=none", "discriminator.dropout=0.0"]
LOGITS = np.array([[-3.0, 0.5], [0.0, 2.0]], np.float32)
PROBABILITY = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
FORMULAS = {
    losses.log_loss_real: -np.log(PROBABILITY),
    losses.log_loss_fake: -np.log(1 - PROBABILITY),
    losses.minimax_generator: np.log(1 - PROBABILITY),
    losses.non_saturating_generator: -np.log(PROBABILITY),
    losses.least_squares_real: (LOGITS - 1) ** 2 / 2,
    losses.least_squares_fake: LOGITS**2 / 2,
    losses.least_squares_generator: (LOGITS - 1) ** 2 / 2,
    losses.wasserstein_real: -LOGITS,
    losses.wasserstein_fake: LOGITS,
    losses.wasserstein_generator: -LOGITS,
    losses.hinge_real: np.maximum(0, 1 - LOGITS),
    losses.hinge_fake: np.maximum(0, 1 + LOGITS),
}


@pytest.mark.parametrize("loss", FORMULAS, ids=lambda loss: loss.__name__)
def test_loss_is_the_formula_for_each_example(loss):
    np.testing.assert_allclose(loss(LOGITS), FORMULAS[loss], rtol=1e-5)


@pytest.mark.parametrize("loss", FORMULAS, ids=lambda loss: loss.__name__)
def test_loss_and_gradient_are_finite_at_extreme_logits(loss):
    logits = tf.constant([-100.0, 100.0])
    assert np.isfinite(loss(logits)).all()
    assert np.isfinite(engine.value_and_gradient(loss, logits)[1]).all()


def test_discriminator_at_one_half_pays_two_log_two():
    zero = np.zeros(4, np.float32)
    total = losses.log_loss_real(zero) + losses.log_loss_fake(zero)
    np.testing.assert_allclose(total, 2 * np.log(2), rtol=1e-6)


def test_relativistic_losses_pair_real_and_fake_row_by_row():
    fake = np.array([[1.0, -0.5], [-2.0, 0.25]], np.float32)
    sigmoid = 1 / (1 + np.exp(-(LOGITS - fake).astype(np.float64)))
    d = losses.relativistic_discriminator(LOGITS, fake)
    g = losses.relativistic_generator(LOGITS, fake)
    np.testing.assert_allclose(d, -np.log(sigmoid), rtol=1e-5)
    np.testing.assert_allclose(g, -np.log(1 - sigmoid), rtol=1e-5)
    extreme = losses.relativistic_generator(np.array([100.0]), np.array([-100.0]))
    assert np.isfinite(extreme).all()


def test_minimax_gradient_vanishes_where_non_saturating_does_not():
    # If D wins (l -> -inf): d log(1 - s(l)) = -s(l), d(-log s(l)) = s(l) - 1
    logits = tf.constant([-10.0])
    sigmoid = 1 / (1 + np.exp(10.0))
    for loss, expected in (
        (losses.minimax_generator, -sigmoid),
        (losses.non_saturating_generator, sigmoid - 1),
    ):
        np.testing.assert_allclose(
            engine.value_and_gradient(loss, logits)[1], [expected], rtol=1e-4
        )


def test_gradient_of_a_linear_score_is_its_weight_and_differentiable():
    weight = tf.Variable([[2.0], [-1.0], [0.5]])
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 3)), tf.float32)
    with tf.GradientTape() as tape:
        grads = engine.value_and_gradient(lambda v: v @ weight, x)[1]
        penalty = tf.reduce_mean(tf.reduce_sum(grads**2, axis=1))
    np.testing.assert_allclose(grads, np.tile([[2.0, -1.0, 0.5]], (4, 1)))
    # The penalty is |w|^2, whose derivative is 2w.
    np.testing.assert_allclose(penalty, 5.25)
    np.testing.assert_allclose(tape.gradient(penalty, weight), 2 * weight.numpy())


def test_minimize_steps_on_the_sum_of_the_means_of_the_terms():
    w, other = keras.Variable([1.0, 2.0]), keras.Variable([5.0])
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build([w])
    x = np.array([[1.0, 0.0], [3.0, 4.0]], np.float32)

    def terms():
        return {
            "a": keras.ops.sum(w * x, axis=1),  # [batch]
            "b": keras.ops.square(w)[None] * other,  # [1, 2]: terms may have any shape
        }

    logs = engine.minimize([terms], [w], optimizer)
    assert float(logs["a"]) == pytest.approx((1 + 11) / 2)
    assert float(logs["b"]) == pytest.approx(5 * (1 + 4) / 2)
    # d/dw: the mean of x over the batch, plus 5 * 2w / 2.
    gradient = np.array([2.0, 2.0]) + 5 * np.array([1.0, 2.0])
    np.testing.assert_allclose(w, np.array([1.0, 2.0]) - 0.1 * gradient, rtol=1e-6)
    assert float(logs["gradient_norm"]) == pytest.approx(np.linalg.norm(gradient))
    assert other.numpy() == [5.0]


def test_adam_on_an_embedding_is_adam_on_the_dense_gradient():
    """Gradient rows of repeated labels are summed before Adam squares them."""
    labels = np.array([0, 2, 2, 2, 1, 0])
    factors = np.array([[3.0], [1.0], [-2.0], [5.0], [1.0], [-2.5]], np.float32)
    table = keras.layers.Embedding(4, 2, keras.initializers.Constant(1.0))
    table.build(None)
    [weight] = table.trainable_variables
    optimizer = keras.optimizers.Adam(0.1, clipnorm=4.0)
    optimizer.build([weight])
    logs = engine.minimize(
        [lambda: {"a": table(labels) * factors}], [weight], optimizer
    )
    dense = np.zeros((4, 2), np.float32)
    np.add.at(dense, labels, np.repeat(factors, 2, axis=1) / 12)  # mean of 12 values
    assert float(logs["gradient_norm"]) == pytest.approx(np.linalg.norm(dense))
    other = keras.Variable(np.ones((4, 2), np.float32))
    reference = keras.optimizers.Adam(0.1, clipnorm=4.0)
    reference.apply([tf.constant(dense)], [other])
    np.testing.assert_allclose(weight, other, rtol=1e-6)


def _tiny(ema_decay=0.9, latents="normal"):
    def generator():
        z = keras.Input((3,), name="latents")
        x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(z))
        return keras.Model({"latents": z}, keras.layers.Reshape((2, 2, 1))(x))

    def discriminator():
        x = keras.Input((2, 2, 1), name="images")
        logits = keras.layers.Dense(1)(keras.layers.Flatten()(x))
        return keras.Model({"images": x}, logits)

    return BaseGAN(generator, discriminator, Hparams(latents, ema_decay), seed=7)


def test_average_follows_its_recurrence_batch_statistics_included():
    model = _tiny()
    rng = np.random.default_rng(0)
    expected = model.ema_generator.get_weights()
    for step in range(1, 200, 40):
        model.generator.set_weights(
            [rng.normal(size=w.shape) for w in model.generator.get_weights()]
        )
        model.step.assign(step)
        decay = ema.early(0.9, model.step)
        ema.update(model.ema_generator, model.generator, decay)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = [
            decay * e + (1 - decay) * w
            for e, w in zip(expected, model.generator.get_weights(), strict=True)
        ]
        for e, a in zip(expected, model.ema_generator.get_weights(), strict=True):
            np.testing.assert_allclose(a, e, atol=1e-5)


def test_latents_have_their_law_and_are_fresh_in_each_draw_and_step():
    for law, std in (("normal", 1.0), ("uniform", 1 / np.sqrt(3))):
        model = _tiny(latents=law)
        a, b = model.draw_latents(4000).numpy(), model.draw_latents(4000).numpy()
        model.step.assign_add(1)
        model.seeds.begin_step()
        c = model.draw_latents(4000).numpy()
        for x in (a, b, c):
            assert abs(x.mean()) < 0.03 and abs(x.std() - std) < 0.03
        assert law == "normal" or np.abs(a).max() <= 1
        for x, y in ((a, b), (a, c), (b, c)):
            assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.03
        model.step.assign(0)
        model.seeds.begin_step()
        np.testing.assert_array_equal(model.draw_latents(4000), a)


def test_instruments_are_means_of_probabilities():
    model = _tiny()
    model.log_scores(tf.constant([[0.0], [100.0]]), tf.constant([[-100.0], [1.0]]))
    passing = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(model.scores, [0.75, passing / 2, 0.5], atol=1e-6)


def test_cgan_minimises_the_conditional_game():
    """The terms follow the formula, with the labels of the real batch."""
    model, source = smoke_model("cgan", PLAIN)
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    model.seeds.begin_step()
    terms = {k: np.array(v) for k, v in model.d_losses(batch).items()}
    model.seeds.begin_step()
    latents = model.draw_latents(len(labels))
    fake = model.generator({"latents": latents, "labels": labels})
    logits = {
        k: model.discriminator({"images": x, "labels": labels}).numpy()
        for k, x in (("real", real), ("fake", fake))
    }
    np.testing.assert_allclose(terms["real"], np.log1p(np.exp(-logits["real"])), 1e-4)
    np.testing.assert_allclose(terms["fake"], np.log1p(np.exp(logits["fake"])), 1e-4)
    # The outputs of both networks depend on the class.
    other = (labels + 1) % 10
    assert not np.allclose(model.generator({"latents": latents, "labels": other}), fake)
    moved = model.discriminator({"images": real, "labels": other}).numpy()
    assert not np.allclose(moved, logits["real"])


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_acgan_names_the_class_of_real_and_of_generated_images():
    model, source = smoke_model("acgan", PLAIN)
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    assert set(model.discriminator.input) == {"images"}  # the class is no input
    model.seeds.begin_step()
    d_terms = model.d_losses(batch)
    model.seeds.begin_step()
    g_terms = model.g_losses(batch)
    model.seeds.begin_step()
    latents = model.draw_latents(len(labels))
    fake = model.generator({"latents": latents, "labels": labels})
    on_real, on_fake = (model.discriminator({"images": x}) for x in (real, fake))
    rows = np.arange(len(labels))
    expected = {
        "real": np.log1p(np.exp(-on_real["logits"])),
        "fake": np.log1p(np.exp(on_fake["logits"])),
        "real_class": -log_softmax(on_real["classes"])[rows, labels],
        "fake_class": -log_softmax(on_fake["classes"])[rows, labels],
    }
    assert d_terms.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(d_terms[name], value, rtol=1e-4)
    assert g_terms.keys() == {"adversarial", "class"}
    np.testing.assert_allclose(g_terms["class"], expected["fake_class"], rtol=1e-4)
    np.testing.assert_allclose(
        g_terms["adversarial"], np.log1p(np.exp(-on_fake["logits"])), rtol=1e-4
    )


@pytest.mark.parametrize("distortion", [0.0, 0.3])
def test_infogan_reads_its_own_codes_back_off_generated_images(distortion):
    options = "hparams.info_weight=0.5", f"hparams.distortion={distortion}"
    model, source = smoke_model("infogan", [*PLAIN, *options])
    batch = next(iter(source.stream(0)))
    labels = batch.get("labels")
    num = len(labels)
    terms = {}
    for name, losses_fn in (("d", model.d_losses), ("g", model.g_losses)):
        model.seeds.begin_step()
        terms[name] = losses_fn(batch)
    model.seeds.begin_step()
    draws = keras.random.uniform((num,), seed=model.seeds).numpy()
    categories = np.floor(10 * draws).astype(np.int32)
    assert len(set(categories)) > 5 and not (categories == labels.numpy()).all()
    latents = model.draw_latents(num)
    assert np.abs(latents).max() <= 1  # codes and noise from U(-1, 1)
    fake = model.generator({"latents": latents, "labels": tf.constant(categories)})
    on_fake = model.discriminator({"images": fake})
    category = -log_softmax(on_fake["classes"])[np.arange(num), categories]
    # Negative log-likelihood of a normal distribution, without its constant.
    errors = on_fake["codes"].numpy() - latents.numpy()[:, -2:]
    continuous = (errors**2).sum(axis=1) / 2
    np.testing.assert_allclose(terms["g"]["category"], category / 2, 1e-4)
    if distortion:  # Q learns from distorted images; `distort` draws next
        fake = augment.distort(fake, model.seeds, distortion)
        moved = model.discriminator({"images": fake})["classes"]
        category = -log_softmax(moved)[np.arange(num), categories]
        assert np.abs(category - 2 * terms["g"]["category"]).max() > 1e-3
    np.testing.assert_allclose(terms["d"]["category"], category / 2, 1e-4)
    for player in ("d", "g"):
        np.testing.assert_allclose(terms[player]["continuous"], continuous / 2, 1e-4)
    assert terms["d"].keys() == {"real", "fake", "category", "continuous"}
    assert terms["g"].keys() == {"adversarial", "category", "continuous"}


def test_hinge_models_minimise_the_hinge_and_biggan_its_angles():
    model, source = smoke_model("biggan")
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    model.seeds.begin_step()
    d_terms = model.d_losses(batch)
    model.seeds.begin_step()
    fake = model.fakes(batch)
    real_logits, fake_logits = (
        model.discriminator({"images": x, "labels": labels}).numpy()
        for x in (real, fake)
    )
    np.testing.assert_allclose(d_terms["real"], np.maximum(0, 1 - real_logits), 1e-3)
    np.testing.assert_allclose(d_terms["fake"], np.maximum(0, 1 + fake_logits), 1e-3)
    model.seeds.begin_step()
    g_terms = model.g_losses(batch)
    np.testing.assert_allclose(g_terms["adversarial"], -fake_logits, 1e-3, 1e-4)
    expected = 0.0
    for weight in model.generator.trainable_variables:
        if weight.path.endswith("kernel"):
            matrix = weight.numpy().reshape(-1, weight.shape[-1])
            gram = matrix.T @ matrix
            expected += (gram**2).sum() - (np.diag(gram) ** 2).sum()
        else:  # no penalty for biases, gains and class embeddings
            assert weight.path.endswith(("bias", "gamma", "beta", "embeddings"))
    assert model.hparams.orthogonal_weight == 1e-4
    assert float(g_terms["orthogonal"]) == pytest.approx(1e-4 * expected, rel=1e-3)


def test_options_out_of_range_are_refused():
    for name, option in (
        ("gan", "d_steps=0"),
        ("gan", "r1_weight=-1.0"),
        ("gan", "ada_target=2.0"),
        ("gan", "ada_images=0"),
        ("gan", "augment=colour"),
        ("gan", "augment=ada,cutout"),
        ("wgan", "clip=-0.1"),
        ("wgan_gp", "gp_weight=-1.0"),
        ("dragan", "noise_stddev=-1.0"),
        ("infogan", "categories=1"),
        ("infogan", "distortion=2.0"),
        ("biggan", "orthogonal_weight=-1.0"),
        ("acgan", "g_class_weight=-1.0"),
    ):
        key = option.split("=")[0]
        with pytest.raises(UserError, match=rf"\[hparams\] {key}: "):
            smoke_model(name, [f"hparams.{option}"])

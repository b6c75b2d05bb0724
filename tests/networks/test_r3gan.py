"""R3GAN: its networks against NumPy and the paper, its losses and schedules."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans import engine
from keras_gans.engine import ema, optimizers
from keras_gans.engine import tensorflow as engine_tensorflow
from keras_gans.errors import UserError
from keras_gans.layers import resampling
from keras_gans.networks import r3gan
from keras_gans.recipes import build, config

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x)


def convolve(x, kernel, groups=1):
    """Compute a grouped convolution in NumPy; zero padding keeps the size."""
    size, _, per_group, out = kernel.shape
    batch, height, width, _ = x.shape
    around = size // 2
    padded = np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
    result = np.zeros((batch, height, width, out))
    for o in range(out):
        first = o // (out // groups) * per_group
        for i in range(height):
            for j in range(width):
                patch = padded[:, i : i + size, j : j + size, first : first + per_group]
                result[:, i, j, o] = (patch * kernel[..., o]).sum(axis=(1, 2, 3))
    return result


def of_block(channels, group_size, num_blocks=6):
    inputs = keras.Input((5, 5, channels))
    return keras.Model(inputs, r3gan.block(inputs, group_size, num_blocks))


def test_block_is_what_numpy_computes():
    model = of_block(channels=4, group_size=2)
    weights = [normal(*w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    w1, b1, w2, b2, w3 = weights
    assert w1.shape == (1, 1, 4, 8) and w2.shape == (3, 3, 2, 8)
    x = normal(2, 5, 5, 4)
    y = lrelu(convolve(x, w1) + b1)
    y = lrelu(convolve(y, w2, groups=4) + b2)
    expected = x + convolve(y, w3)
    np.testing.assert_allclose(
        model(x), expected, rtol=1e-5, atol=1e-5 * expected.max()
    )


def test_block_begins_as_the_identity_with_fixups_gains():
    model = of_block(channels=256, group_size=32, num_blocks=16)
    x = normal(2, 5, 5, 256)
    np.testing.assert_array_equal(model(x), x)
    w1, b1, w2, b2, w3 = model.get_weights()
    gain = np.sqrt(2 / 1.04) / 2  # 16^(-1/4)
    assert w1.std() == pytest.approx(gain / np.sqrt(256), rel=0.02)
    assert w2.std() == pytest.approx(gain / np.sqrt(9 * 32), rel=0.02)
    assert not w3.any() and not b1.any() and not b2.any()


# Settings of the paper and of its code.
PRESETS = [  # side, classes, width, max_width, group_size, weights of G and of D
    (32, 0, 768, 768, 16, 20_732_160, 20_683_776),
    (32, 10, 768, 768, 16, 20_781_952, 21_280_512),
    (64, 0, 384, 768, 16, 22_429_824, 22_381_440),
    (256, 0, 96, 768, 16, 23_057_952, 23_009_568),
    (32, 1000, 1536, 1536, 32, 82_914_304, 86_548_992),
]


@pytest.mark.parametrize("side, classes, width, most, group, g_size, d_size", PRESETS)
def test_presets_have_the_papers_numbers_of_weights(
    side, classes, width, most, group, g_size, d_size
):
    shared = {"width": width, "max_width": most, "group_size": group}
    for make, size in ((r3gan.generator, g_size), (r3gan.discriminator, d_size)):
        with keras.StatelessScope():  # does not initialize the weights
            assert make((side, side, 3), classes, **shared).count_params() == size


@pytest.mark.second
@pytest.mark.parametrize("name", ["r3gan_m", "r3gan_l"])
def test_larger_sizes_have_the_papers_widths_and_train(name):
    small, large = config.load_config("r3gan"), config.load_config(name)
    assert (small.model, small.networks) == (large.model, large.networks)
    for table in ("generator", "discriminator"):
        assert small.keywords[table].keys() == large.keywords[table].keys()
    side, _, width, most, group, *_ = PRESETS[1 if name == "r3gan_m" else 3]
    keywords = large.keywords["generator"]
    shape = keywords["width"], keywords["max_width"]
    assert (*shape, keywords["group_size"]) == (width, most, group)
    assert large.data.image_size in (0, side)
    smoke, other = (config.load_config(n, smoke=True) for n in (name, "r3gan"))
    assert smoke.keywords == other.keywords
    model, source = smoke_model(name, ["data.batch_size=4"])
    logs = model.train_step(next(iter(source.stream(0))))
    assert all(np.isfinite(value) for value in logs.values())


def test_halving_is_the_filter_1331():
    x = normal(2, 6, 6, 3)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((2, 3, 3, 3))
    for i in range(4):
        for j in range(4):
            weight = (1, 3, 3, 1)[i] * (1, 3, 3, 1)[j] / 64
            expected += weight * padded[:, i : i + 6 : 2, j : j + 6 : 2]
    np.testing.assert_allclose(
        resampling.blur(x, strides=2), expected, rtol=1e-4, atol=1e-6
    )


def test_groups_must_divide_the_channels():
    with pytest.raises(UserError, match="expected a divisor of 24, twice the channels"):
        r3gan.generator((28, 28, 1), width=12, group_size=16)


def test_grouped_convolution_and_both_its_gradients():
    """Compare with one convolution per group; the second gradient is that of R1."""
    x = tf.constant(normal(2, 5, 6, 12))
    kernel = tf.constant(normal(3, 3, 4, 18))

    def one_by_one(x, kernel):
        pairs = zip(tf.split(x, 3, -1), tf.split(kernel, 3, -1), strict=True)
        return tf.concat([tf.nn.conv2d(a, b, 1, "SAME") for a, b in pairs], -1)

    def found(conv):
        with tf.GradientTape(persistent=True) as outer:
            outer.watch([x, kernel])
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = conv(x, kernel)
                total = tf.reduce_sum(tf.sin(y))
            squares = tf.reduce_sum(tape.gradient(total, x) ** 2)
        of = x, kernel
        return [y, *outer.gradient(total, of), *outer.gradient(squares, of)]

    for one, two in zip(
        found(engine_tensorflow._group_by_group), found(one_by_one), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)
    # If native gradients are reported, they exist. The smoke run covers the rest.
    if engine_tensorflow.has_grouped_gradients(tf.float32):
        assert all(v is not None for v in found(engine.grouped_conv))


def norms_of(model, images, labels):
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model.discriminator({"images": images, "labels": labels})
    gradient = tape.gradient(logits, images).numpy()
    return logits.numpy(), (gradient**2).sum(axis=(1, 2, 3))


def opened(model):
    """Replace all-zero weights with random ones, so that no block is the identity."""
    for weight in model.trainable_variables:
        if not weight.numpy().any():
            weight.assign(0.1 * normal(*weight.shape))


def test_losses_are_of_pairs_with_both_penalties():
    model, source = smoke_model("r3gan", ["hparams.r1_weight=3.0"])
    opened(model)
    batch = next(iter(source.stream(0)))
    real, labels = batch["images"], batch.get("labels")
    model.seeds.begin_step()
    terms = model.d_losses(batch)
    model.seeds.begin_step()
    fake = model.fakes(batch)
    real_logits, r1 = norms_of(model, real, labels)
    fake_logits, r2 = norms_of(model, fake, labels)
    assert r1.std() > 0 and r2.std() > 0
    np.testing.assert_allclose(terms["r1"], 1.5 * r1, rtol=1e-4)
    np.testing.assert_allclose(terms["r2"], 1.5 * r2, rtol=1e-4)
    pairs = np.log1p(np.exp(fake_logits - real_logits))  # image i with image i
    np.testing.assert_allclose(terms["pairs"], pairs, rtol=1e-4)
    model.seeds.begin_step()
    terms = model.g_losses(batch)
    np.testing.assert_allclose(
        terms["pairs"], np.log1p(np.exp(real_logits - fake_logits)), rtol=1e-4
    )
    assert not model.regularizers(batch)  # the penalties are not added twice


def test_lazy_penalties_are_as_large_as_all_of_them():
    model, source = smoke_model("r3gan", ["hparams.r1_every=3"])
    each, _ = smoke_model("r3gan")
    batch = next(iter(source.stream(0)))
    real = batch["images"]
    for step in range(4):
        found = []
        for m in (model, each):
            m.step.assign(step)
            m.seeds.begin_step()
            terms = m.d_losses(batch)
            gamma = float(m.gamma(real))
            found.append([np.mean(terms[k]) / gamma for k in ("r1", "r2", "pairs")])
        (r1, r2, pairs), (all_r1, all_r2, all_pairs) = found
        times = 3 if step % 3 == 0 else 0
        np.testing.assert_allclose(
            [r1, r2], [times * all_r1, times * all_r2], rtol=1e-4
        )
        np.testing.assert_allclose(pairs, all_pairs, rtol=1e-4)


def test_rule_for_gamma_is_near_the_papers_settings():
    for side, batch, paper in ((64, 256, 2.0), (256, 256, 150.0), (32, 512, 0.05)):
        model, _ = smoke_model("r3gan")
        gamma = float(model.gamma(tf.zeros((batch, side, side, 1))))
        assert paper / 3 < gamma < 3 * paper
    assert gamma == pytest.approx(2 * 0.5**3 * 256 / 512)


def test_schedules_are_half_cosines_over_the_burn_in():
    changes = [
        "hparams.burn_in=40",
        "hparams.r1_weight=2.0",
        "hparams.ema_decay=0.99",
        "hparams.augment=ada",
        "hparams.augment_probability=0.4",
    ]
    model, source = smoke_model("r3gan", changes)
    batch = next(iter(source.stream(0)))
    real = batch["images"]
    for step in (0, 10, 40, 100):
        model.step.assign(step)
        for optimizer in (model.g_optimizer, model.d_optimizer):
            optimizer.iterations.assign(step)
        falling = (1 + np.cos(np.pi * min(step / 40, 1))) / 2
        assert float(model.gamma(real)) == pytest.approx(0.2 + 1.8 * falling)
        half_life = np.log(0.5) / np.log(0.99) * (1 - falling)
        decay = 0.5 ** (1 / half_life) if half_life else 0
        assert float(model.current_ema_decay()) == pytest.approx(decay, rel=1e-5)
        seen = []
        score = type(model).score

        def note(*args, score=score, seen=seen, model=model):
            seen.append(float(model.augment.probability.value))
            return score(model, *args)

        model.score = note
        model.d_losses(batch)
        model.g_losses(batch)
        del model.score
        assert len(seen) == 4
        np.testing.assert_allclose(seen, 0.4 * (1 - falling), atol=1e-6)
        for optimizer in (model.g_optimizer, model.d_optimizer):
            beta = 0.99 + (0.9 - 0.99) * falling
            assert float(optimizer.beta_2) == pytest.approx(beta, rel=1e-6)
            rate = 2.5e-4 + (1e-3 - 2.5e-4) * falling
            assert float(optimizer.learning_rate) == pytest.approx(rate, rel=1e-5)


def test_burn_in_is_the_whole_run_unless_it_is_said():
    recipe = config.load_config("r3gan", ["train.steps=77"])
    assert recipe.hparams.burn_in == 77
    assert recipe.optimizers["d"]["beta_2"]["decay_steps"] == 77
    recipe = config.load_config("r3gan", ["train.steps=77", "hparams.burn_in=7"])
    assert recipe.optimizers["g"]["learning_rate"]["decay_steps"] == 7


def test_average_is_the_generator_while_its_half_life_is_0():
    model, _ = smoke_model("r3gan")
    model.generator.set_weights([normal(*w.shape) for w in model.generator.weights])
    ema.update(model.ema_generator, model.generator, model.current_ema_decay())
    for a, b in zip(model.ema_generator.weights, model.generator.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_adam_with_a_scheduled_beta_2_is_adams_formula():
    schedule = keras.optimizers.schedules.CosineDecay(0.9, 4, alpha=1.1)
    adam = optimizers.ScheduledAdam(schedule, learning_rate=0.1, beta_1=0.5)
    weight = keras.Variable(normal(3))
    adam.build([weight])
    w, m, v = weight.numpy().astype(float), 0.0, 0.0
    for t in range(1, 7):
        g = normal(3)
        beta = 0.99 - 0.09 * (1 + np.cos(np.pi * min((t - 1) / 4, 1))) / 2
        m, v = 0.5 * m + 0.5 * g, beta * v + (1 - beta) * g**2
        rate = 0.1 * np.sqrt(1 - beta**t) / (1 - 0.5**t)
        w = w - rate * m / (np.sqrt(v) + 1e-7)
        adam.apply([tf.constant(g)], [weight])
        np.testing.assert_allclose(weight, w, rtol=1e-4)


def test_only_known_numbers_may_follow_a_schedule():
    schedule = '{class_name="CosineDecay", initial_learning_rate=0.1}'
    with pytest.raises(UserError, match="beta_1: it cannot follow a schedule"):
        config.load_config("dcgan", [f"g_optimizer.beta_1={schedule}"])
    recipe = config.load_config("dcgan", [f"g_optimizer.beta_2={schedule}"])
    assert build.make_optimizer(recipe.optimizers["g"]).beta_2 is not None


def test_classes_can_be_left_out():
    model, _ = smoke_model("r3gan", ["hparams.conditional=false"])
    assert not model.conditional and "labels" not in model.discriminator.input
    with pytest.raises(UserError, match='expected 0 unless augment = "ada"'):
        config.load_config("r3gan", ["hparams.augment_probability=0.3"])

"""DiffAugment and ADA: their effect on images, and the probability of ADA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans.core import augment
from keras_gans.core.hparams import Hparams
from keras_gans.networks import interface

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (64, 16, 16, 3)).astype(np.float32)


def make(words, **options):
    return augment.make(
        Hparams(augment=words, **options), keras.random.SeedGenerator(0)
    )


def test_color_changes_brightness_saturation_and_contrast_of_each_picture():
    y = make("color")(IMAGES).numpy()
    shift = y.mean(axis=(1, 2, 3)) - IMAGES.mean(axis=(1, 2, 3))
    assert np.abs(shift).max() <= 0.5 and shift.std() == pytest.approx(0.289, abs=0.06)
    # The rest is a gain of gray values in [0.5, 1.5], and a gain of colors in [0, 3].

    def grey(x):
        return (x - x.mean(axis=(1, 2, 3), keepdims=True)).mean(axis=3)

    def colour(x):
        return x - x.mean(axis=3, keepdims=True)

    for part, low, high in ((grey, 0.5, 1.5), (colour, 0.0, 3.0)):
        gains = part(y) / part(IMAGES)
        spread = np.ptp(gains.reshape(64, -1), axis=1)
        assert np.median(spread) < 1e-2  # one gain per image
        gain = np.median(gains.reshape(64, -1), axis=1)
        assert low <= gain.min() and gain.max() <= high
        assert len(np.unique(gain.round(4))) > 55  # a different gain for each image


def test_translation_moves_by_whole_pixels_and_fills_with_zeros():
    y = make("translation")(IMAGES).numpy()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found = []
    for before, after in zip(padded, y, strict=True):
        places = [
            (r, c)
            for r in range(5)
            for c in range(5)
            if np.allclose(before[r : r + 16, c : c + 16], after, atol=1e-6)
        ]
        assert len(places) == 1  # shifted by up to 16 / 8 pixels
        found += places
    assert {r for r, _ in found} == {c for _, c in found} == set(range(5))


def test_cutout_zeroes_a_square_of_half_the_side():
    y = make("cutout")(IMAGES).numpy()
    holes = (y == 0).all(axis=3)
    np.testing.assert_array_equal(y[~holes], IMAGES[~holes])
    for hole in holes:
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == len(rows) * len(columns)  # a rectangle
        assert 4 <= len(rows) <= 8 and 4 <= len(columns) <= 8  # cropped by the border
    assert max(h.sum() for h in holes) == 64


@pytest.mark.parametrize("words", ["color,translation,cutout", "ada"])
def test_draws_differ_from_call_to_call_and_gradients_run_through(words):
    layer = make(words)
    if words == "ada":
        layer.probability.assign(0.9)
    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    gradient = tape.gradient(y, x).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    assert not np.allclose(layer(x), y)


def test_ada_does_nothing_at_probability_zero():
    np.testing.assert_allclose(make("ada")(IMAGES), IMAGES, atol=1e-5)


@pytest.mark.parametrize(
    "matrix, expected",
    [
        (augment._scale(tf.constant([-1.0]), tf.ones(1)), IMAGES[:, :, ::-1]),
        (
            augment._rotation(tf.constant([np.pi / 2])),
            np.rot90(IMAGES, -1, (1, 2)),  # y points down: a clockwise quarter turn
        ),
        (
            augment._shift(tf.constant([2 * 3 / 16]), tf.constant([0.0])),
            np.concatenate([IMAGES[:, :, 3:0:-1], IMAGES[:, :, :-3]], axis=2),
        ),
    ],
    ids=["flip", "quarter", "shift"],
)
def test_ada_geometry_is_exact_for_whole_pixels(matrix, expected):
    matrices = tf.repeat(matrix, 64, axis=0)
    actual = augment._resample(tf.constant(IMAGES), matrices)
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_distortion_is_of_the_size_it_says():
    """The pixels hold their own coordinates, from which the distortion is measured."""
    side, amount = 64, 0.3
    at = (2 * np.arange(side, dtype=np.float32) + 1 - side) / side
    x, y = np.meshgrid(at, at)
    images = np.tile(np.stack([x, y], -1)[None], (500, 1, 1, 1))
    seeds = keras.random.SeedGenerator(0)
    found = augment.distort(tf.constant(images), seeds, amount).numpy()
    rows = slice(24, 40)  # the center, unaffected by the borders
    places = np.stack([x, y, np.ones_like(x)], -1)[rows, rows].reshape(-1, 3)
    parts = []
    for picture in found[:, rows, rows].reshape(500, -1, 2):
        matrix, residual, *_ = np.linalg.lstsq(places, picture, rcond=None)
        assert residual.max() < 1e-6  # affine
        # The fitted map is the inverse of shift, scaling, shear and rotation.
        linear, shift = matrix[:2].T, np.linalg.solve(matrix[:2].T, matrix[2])
        (c, s), length = linear[:, 0] * (1, -1), np.linalg.norm(linear[:, 0])
        angle = np.arctan2(s, c)
        turn = np.array(
            [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        )
        sheared, up = turn.T @ linear[:, 1]
        parts.append([angle, -sheared / up, 1 / length - 1, 1 / up - 1, *shift])
    parts = np.array(parts) / (amount * np.array([1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 4]))
    assert np.abs(parts).max() < 1.001
    np.testing.assert_allclose(parts.min(axis=0), -1, atol=0.05)
    np.testing.assert_allclose(parts.max(axis=0), 1, atol=0.05)
    assert np.abs(np.corrcoef(parts.T) - np.eye(6)).max() < 0.2  # drawn independently


def test_ada_resampling_is_linear_with_its_true_adjoint():
    """<A x, y> = <x, A' y>, where A' is the gradient."""
    layer = make("ada")
    layer.probability.assign(1.0)
    matrices = layer._geometry(tf.constant(IMAGES))
    x, y = tf.constant(IMAGES), tf.constant(RNG.normal(size=IMAGES.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        product = tf.reduce_sum(augment._resample(x, matrices) * y)
    adjoint = tf.reduce_sum(x * tape.gradient(product, x))
    assert float(product) == pytest.approx(float(adjoint), rel=1e-3)
    constant = augment._resample(tf.ones_like(x), matrices)
    np.testing.assert_allclose(constant, 1, atol=1e-5)


def test_ada_applies_each_operation_as_often_as_it_says():
    layer = make("ada")
    values = tf.zeros(4000)
    for probability in (0.0, 0.3, 1.0):
        layer.probability.assign(probability)
        share = float(tf.reduce_mean(layer._sometimes(tf.ones(4000), values)))
        assert share == pytest.approx(probability, abs=0.035)


def test_ada_colour_turns_hues_about_the_axis_of_greys():
    layer = make("ada")
    layer.probability.assign(1.0)
    y = layer._color(tf.constant(IMAGES)).numpy()
    # The colors of each image change by an affine map, which is fitted here.
    for before, after in zip(IMAGES, y, strict=True):
        x = np.concatenate([before.reshape(-1, 3), np.ones((256, 1))], axis=1)
        matrix, residual, *_ = np.linalg.lstsq(x, after.reshape(-1, 3), rcond=None)
        assert residual.max() < 1e-4
        linear = matrix[:3].T
        greys = linear @ np.ones(3)
        np.testing.assert_allclose(greys, greys[0], rtol=1e-3, atol=1e-3)
        # Orthogonal to the gray axis: a rotation times saturation and contrast.
        plane = linear - np.outer(greys, np.ones(3)) / 3
        gains = np.linalg.svd(plane, compute_uv=False)
        assert gains[0] == pytest.approx(gains[1], rel=1e-2)
        assert gains[2] < 1e-2


def test_ada_gates_each_step_of_its_pipeline_once():
    layer = make("ada")
    layer.probability.assign(0.3)
    num, p = 8000, 0.3
    images = tf.ones((num, 16, 16, 3)) * tf.constant([0.5, -0.25, 0.75])
    still = layer._geometry(images).numpy()
    same = (np.abs(still - np.eye(3)) < 1e-6).all(axis=(1, 2)).mean()
    # Half of the flips, a quarter of the quarter turns and a 16th of the shifts change
    # nothing: shifts are round(U(-2, 2)) on both axes. Two rotations share one gate.
    none = (1 - p / 2) * (1 - p * 3 / 4) * (1 - p * 15 / 16) * (1 - p) ** 4
    assert same == pytest.approx(none, abs=0.015)  # four standard deviations
    coloured = layer._color(images).numpy()
    same = (np.abs(coloured - images) < 1e-4).all(axis=(1, 2, 3)).mean()
    # Brightness, contrast, hue, saturation; half of the luma flips change nothing.
    assert same == pytest.approx((1 - p / 2) * (1 - p) ** 4, abs=0.02)


def test_ada_probability_follows_the_sign_of_the_discriminator():
    layer = make("ada", ada_images=1000)
    batch = tf.ones((50, 1))
    steps = []
    for logits in [batch] * 8 + [-batch] * 8:
        layer.steer(logits)
        steps.append(float(layer.probability.numpy()))
    # Every 4 updates by 4 * 50 / 1000: up while r_t = 1 > 0.6, down while r_t = -1.
    up = [0, 0, 0, 0.2, 0.2, 0.2, 0.2, 0.4]
    down = [0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2, 0.0]
    np.testing.assert_allclose(steps, up + down, atol=1e-6)
    mixed = tf.constant([[1.0], [1.0], [1.0], [-1.0]])  # r_t = 0.5: below the target
    for _ in range(4):
        layer.steer(mixed)
    assert float(layer.probability) == 0  # never below 0


def test_augmentation_reaches_real_and_fake_in_both_updates(monkeypatch):
    model, source = smoke_model("lsgan", ["hparams.augment=cutout"])
    batch = next(iter(source.stream(0)))
    seen, call = [], interface.run

    def spy(network, inputs, batch):
        if network is model.discriminator:
            seen.append(inputs["images"].numpy())
        return call(network, inputs, batch)

    monkeypatch.setattr(interface, "run", spy)
    model.d_losses(batch), model.g_losses(batch)
    assert len(seen) == 3  # real and fake for D, fake for G
    for images in seen:
        assert ((images == 0).mean(axis=(1, 2, 3)) > 0.05).all()


@pytest.mark.parametrize("words", ["ada", "color,translation,cutout"])
def test_any_variant_takes_an_augmentation_and_keeps_its_state(words):
    model, source = smoke_model(
        "cgan", [f"hparams.augment={words}", "hparams.ada_images=64"]
    )
    for batch in source.stream(0).take(4):
        logs = model.train_step(batch)
    assert all(np.isfinite(v) for v in logs.values())
    assert ("augment_probability" in logs) == (words == "ada")
    from keras_gans.storage import checkpoint

    kept = [k for k in checkpoint.named_variables(model) if k.startswith("augment/")]
    assert len(kept) == (3 if words == "ada" else 0)

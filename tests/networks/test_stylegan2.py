"""StyleGAN2: layers against NumPy, path lengths, style mixing and truncation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from harness import smoke_model
from keras_gans import engine, sample
from keras_gans.core import penalties
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import SampleOptions, SamplerError
from keras_gans.networks import stylegan2
from keras_gans.recipes import config
from keras_gans.sampling import keras_sampler as building
from keras_gans.sampling import load

# Tests that share one smoke run, on one worker.
GROUP = pytest.mark.xdist_group("stylegan2")
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def modulated(x, style, weights, affine, bias, demodulate):
    """Equations 1 to 3, with one kernel per image; zero padding keeps the size."""
    scales = style @ affine / np.sqrt(len(affine)) + bias
    size, _, channels, filters = weights.shape
    weights = weights / np.sqrt(size * size * channels)
    around = size // 2
    padded = np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
    result = np.zeros((*x.shape[:3], filters))
    for n in range(len(x)):
        kernel = weights * scales[n][:, None]  # w'_ijk = s_i w_ijk
        if demodulate:
            kernel = kernel / np.sqrt((kernel**2).sum(axis=(0, 1, 2)) + 1e-6)
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                patch = padded[n, i : i + size, j : j + size]
                result[n, i, j] = np.einsum("abc,abcd->d", patch, kernel)
    return result


@pytest.mark.parametrize("size, demodulate", [(3, True), (1, False)])
def test_modulation_of_the_maps_is_that_of_the_kernels(size, demodulate):
    layer = stylegan2.ModulatedConv2D(5, size, demodulate)
    x, style = normal(2, 6, 6, 3), normal(2, 4)
    layer(x, style)
    assert layer._affine.bias.numpy() == pytest.approx(1)  # scales start around 1
    weights, affine, bias = normal(size, size, 3, 5), normal(4, 3), normal(3)
    layer.kernel.assign(weights)
    layer._affine.set_weights([affine, bias])
    expected = modulated(x, style, weights, affine, bias, demodulate)
    np.testing.assert_allclose(layer(x, style), expected, rtol=1e-4, atol=1e-5)


def test_doubling_convolution_is_transposed_and_filtered():
    layer = stylegan2.ModulatedConv2D(2, 3, demodulate=False, doubles=True)
    x, style = normal(1, 4, 4, 3), np.zeros((1, 4), np.float32)  # all scales are 1
    layer(x, style)
    kernel = layer.kernel.numpy() / np.sqrt(27)
    spread = np.zeros((1, 9, 9, 2))
    for i in range(4):
        for j in range(4):
            stamp = np.einsum("c,abcd->abd", x[0, i, j], kernel)
            spread[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += stamp
    padded = np.pad(spread, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((1, 8, 8, 2))
    for i in range(4):
        for j in range(4):
            weight = 4 * (1, 3, 3, 1)[i] * (1, 3, 3, 1)[j] / 64
            expected += weight * padded[:, i : i + 8, j : j + 8]
    np.testing.assert_allclose(layer(x, style), expected, rtol=1e-4, atol=1e-5)


def test_demodulated_maps_keep_their_size():
    layer = stylegan2.ModulatedConv2D(64, 3)
    y = layer(normal(4, 8, 8, 64), 3 * normal(4, 16)).numpy()[:, 1:-1, 1:-1]
    assert y.std() == pytest.approx(1, rel=0.05)


def test_equalised_layers_divide_by_the_root_of_the_fan_in():
    dense = stylegan2.EqualizedDense(500, rate=0.01)
    x = normal(200, 100)
    assert dense(x).numpy().std() == pytest.approx(1, rel=0.03)
    assert dense.kernel.numpy().std() == pytest.approx(100, rel=0.03)
    dense.bias.assign(np.full(500, 7.0))
    expected = 0.01 * (x @ dense.kernel.numpy() / 10 + 7)
    np.testing.assert_allclose(dense(x), expected, rtol=1e-3, atol=1e-4)
    conv = stylegan2.EqualizedConv2D(300, 3)
    y = conv(normal(2, 8, 8, 50)).numpy()[:, 1:-1, 1:-1]
    assert y.std() == pytest.approx(1, rel=0.05)
    assert conv.kernel.numpy().std() == pytest.approx(1, rel=0.03)


def test_path_length_of_a_linear_generator():
    """For images = A w, with w summed over layers, J' y is A' y in each layer."""
    matrix, styles, y = normal(12, 5), normal(3, 4, 5), normal(3, 2, 6, 1)

    def synthesize(w):
        return tf.reshape(tf.reduce_sum(w, 1) @ matrix.T, (-1, 2, 6, 1))

    lengths = penalties.path_lengths(synthesize, tf.constant(styles), y)
    expected = np.linalg.norm(y.reshape(3, 12) @ matrix, axis=1) / np.sqrt(12)
    np.testing.assert_allclose(lengths, expected, rtol=1e-5)


def test_path_penalty_is_of_the_distance_from_an_average():
    penalty = penalties.PathLength()
    step = keras.Variable(0, dtype="int32")
    mean = 0.0
    for number in range(4):
        step.assign(number)
        lengths = np.abs(normal(6)) + 1
        found = penalty.penalty(lambda v=lengths: tf.constant(v), step, 2, lengths)
        if number % 2 == 0:
            np.testing.assert_allclose(found, (lengths - mean) ** 2, rtol=1e-5)
            mean += 0.01 * (lengths.mean() - mean)
        else:
            np.testing.assert_allclose(found, np.zeros(6), atol=1e-7)
        assert float(penalty.mean) == pytest.approx(mean, rel=1e-5)


def test_lazy_r1_comes_in_every_so_many_steps_and_makes_up_for_the_rest():
    model, source = smoke_model("stylegan2", ["hparams.r1_every=3"])
    batch = next(iter(source.stream(0)))
    real = batch["images"]
    eager = penalties.squared_gradient_norm(lambda x: model.score(x, batch), real)
    for step in range(5):
        model.step.assign(step)
        expected = (step % 3 == 0) * 3 * model.hparams.r1_weight / 2 * eager
        found = model.regularizers(batch)["r1"]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)
    assert eager.numpy().min() > 0


def test_styles_are_mixed_from_a_layer_on():
    model, _ = smoke_model("stylegan2", ["hparams.mixing=0.75"])
    draws = model.draw_mixing(4000).numpy()
    count = draws.shape[1]
    assert set(np.unique(draws)) == {0, 1}
    assert (np.diff(draws, axis=1) >= 0).all()  # zeros, then ones
    assert not draws[:, 0].any()
    assert draws[:, -1].mean() == pytest.approx(0.75, abs=0.03)
    starts = np.bincount((draws == 0).sum(axis=1), minlength=count + 1)[1:count]
    assert np.abs(starts / starts.sum() - 1 / (count - 1)).max() < 0.04


def sampled(sampler, **options):
    latents = sampler.latents(range(3), SampleOptions(seed=1))
    return sampler.generate(latents, sampler.labels(3, [0, 1, 2]), options)


def test_truncation_moves_styles_towards_their_mean_layer_by_layer():
    layer = stylegan2.Truncation()
    styles, psi = normal(3, 4, 5), np.tile([0.0, 0.3, 0.7, 1.0], (3, 1))
    layer(styles, psi.astype(np.float32))
    mean = normal(5)
    layer.mean.assign(mean)
    expected = mean + psi[..., None] * (styles - mean)
    actual = layer(styles, psi.astype(np.float32))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@GROUP
@pytest.mark.second
def test_mixing_truncation_and_noise_do_what_they_say_in_every_export(smoke_run):
    workdir = smoke_run("stylegan2")
    keras_sampler = load.load(str(workdir))
    generator = keras_sampler.model.ema_generator
    for layer in generator.get_layer("synthesis").layers:
        if isinstance(layer, stylegan2.AddNoise):
            assert layer.gain.numpy() != 0  # the gain has been trained
    for source in ("", "export/saved_model", "export/generator.tflite"):
        sampler = load.load(str(workdir / source))
        labels = sampler.labels(3, [0, 1, 2])
        other = sampler.latents(range(3), SampleOptions(seed=2))
        count = sampler.info["inputs"]["mix"]["shape"][0]
        plain = sampled(sampler)
        swapped = sampled(sampler, mixed_latents=other, mix=1.0)
        expected = sampler.generate(other, labels)
        np.testing.assert_allclose(swapped, expected, atol=1e-4)
        late = (np.arange(count) >= count - 1).astype(np.float32)
        mixed = sampled(sampler, mixed_latents=other, mix=late)
        assert np.abs(mixed - plain).max() > 1e-3
        assert np.abs(mixed - expected).max() > 1e-3
        mean = sampled(sampler, truncation=0.0)
        np.testing.assert_allclose(mean, mean[:1].repeat(3, 0), atol=1e-5)
        assert np.abs(sampled(sampler, noise=0.0) - plain).max() > 1e-5
        pictures = sampler.sample(3, [0, 1, 2], seed=1, mix=(2, count - 1))
        exact = np.round((mixed + 1) * 127.5)
        assert np.abs(pictures - exact).max() <= 1


@GROUP
@pytest.mark.second
def test_mixed_pictures_are_shifted_as_well(smoke_run, tmp_path):
    path = str(smoke_run("stylegan2") / "export/generator.tflite")
    sampler = load.load(path)
    # Mixing from layer 0 on takes all styles from the other seed.
    mixed = sampler.sample(3, seed=1, shift=0.5, mix=(2, 0)).astype(int)
    expected = sampler.sample(3, seed=2, shift=0.5).astype(int)
    assert np.abs(mixed - expected).max() <= 1
    walks = []
    for name, seed, more in (("a.png", 1, ["--mix=2:0"]), ("b.png", 2, [])):
        out = str(tmp_path / name)
        args = [f"--source={path}", f"--seed={seed}", "--shift=-1,1", "--num=4"]
        assert sample.main([*args, f"--out={out}", "--label=3", *more]) == 0
        walks.append(np.asarray(Image.open(out)).astype(int))
    assert np.abs(walks[0] - walks[1]).max() <= 1
    args = [path, "--num=3", "--seed=1", "--mix=2:0", "--noise=0", "--truncation=0.5"]
    assert sampler_lib.main([*args, f"--out={tmp_path / 'c.png'}"]) == 0
    drawn = sampler.sample(3, seed=2, noise=0.0, truncation=0.5)
    sheet = np.asarray(Image.open(tmp_path / "c.png")).astype(int)
    assert np.abs(sheet - sampler_lib.grid(drawn)[..., 0].astype(int)).max() <= 1


@GROUP
@pytest.mark.second
def test_styles_options_out_of_range_are_said(smoke_run):
    sampler = load.load(str(smoke_run("stylegan2") / "export/generator.tflite"))
    count = sampler.info["inputs"]["mix"]["shape"][0]
    for options, message in (
        ({"truncation": [0.5, 0.5]}, f"expected one number, or {count}, got 2"),
        ({"truncation": 1.5}, "expected 0 to 1, got 1.5"),
        ({"noise": -1.0}, "noise: expected 0 to 1"),
        ({"mix": (0, count)}, f"expected layer 0 to {count - 1}, got {count}"),
    ):
        with pytest.raises(SamplerError, match=message):
            sampler.sample(2, **options)


def test_generator_without_noise_has_none_to_change():
    model, source = smoke_model("stylegan2", ["generator.noise=false"])
    assert "noise" not in model.generator.input
    recipe = config.load_config("stylegan2", ["generator.noise=false"], smoke=True)
    info = building.generator_info(model, recipe, source.info)
    sampler = building.KerasSampler(model, info)
    assert sampler.sample(2, 0).shape == (2, 28, 28, 1)
    with pytest.raises(SamplerError, match="was trained without noise"):
        sampler.sample(2, 0, noise=0.5)


def test_mean_style_follows_those_of_training():
    model, source = smoke_model("stylegan2")
    batch = next(iter(source.stream(0)))
    [mean] = [w for w in model.generator.weights if w.path.endswith("mean_style/mean")]
    before = mean.numpy()
    styles = model.styles(batch, training=True).numpy()
    expected = before + 0.005 * (styles.mean(axis=(0, 1)) - before)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-7)
    model.styles(batch, training=False)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-7)


def test_doubling_is_bilinear():
    x = normal(1, 4, 4, 2)
    y = engine.double(x, "bilinear").numpy()
    inner = 0.75 * (0.75 * x[:, 1, 1] + 0.25 * x[:, 1, 0]) + 0.25 * (
        0.75 * x[:, 0, 1] + 0.25 * x[:, 0, 0]
    )
    np.testing.assert_allclose(y[:, 2, 2], inner, rtol=1e-5)

"""Simple maps of condition images, the baselines of a translation."""

import numpy as np
import pytest

from keras_gans import data
from keras_gans.evaluation import simple_maps, translation


@pytest.fixture(scope="module")
def clothes():
    """64 images of clothes on white, float32 in [-1, 1]."""
    source = data.open_source(data.DataOptions("fashion", batch_size=1))
    return -(source.images[:64].astype(np.float32) / 127.5 - 1)


def reference(condition, real):
    batches = (
        {"images": real[i : i + 16], "condition": condition[i : i + 16]}
        for i in range(0, len(real), 16)
    )
    return translation.Reference(batches, len(real), True, "pairs", "")


@pytest.mark.parametrize("factor", [0.75, 0.85, 1.0, 1.25])
def test_scale_is_found(factor, clothes):
    real = np.clip(simple_maps.scale(clothes, factor), -1, 1)
    assert real.shape == clothes.shape
    maps, numbers, stream = translation.fit_maps(reference(clothes, real))
    # A side of 28 pixels has no finer steps than 1/28.
    assert numbers["scaled"] == pytest.approx(factor, abs=0.03)
    assert np.abs(maps["scaled"](clothes) - real).mean() < 0.01
    assert sum(len(batch["images"]) for batch in stream) == len(real)


@pytest.mark.parametrize("exponent", [0.25, 1.0, 2.0])
def test_exponent_is_found_and_colors_become_gray(exponent, clothes):
    gray = (clothes + 1) / 2
    real = 2 * gray**exponent - 1
    colors = np.repeat(clothes, 3, axis=-1)
    maps, numbers, _ = translation.fit_maps(reference(colors, real))
    assert numbers == {"toned": exponent, "scaled": numbers["scaled"]}
    # The weights of the luminance add up to 0.9999.
    assert np.abs(maps["toned"](colors) - real).mean() < 2e-3


def test_content_is_scaled_about_the_center():
    image = np.ones((1, 20, 20, 1), np.float32)
    image[0, 5:15, 5:15] = -1
    half = simple_maps.scale(image, 0.5)[0, ..., 0]
    assert half.shape == (20, 20)
    assert (half[8:12, 8:12] < -0.9).all() and (half[:6] > 0.9).all()
    double = simple_maps.scale(image, 1.5)[0, ..., 0]
    assert (double[4:16, 4:16] < -0.9).all() and (double[0] > 0.9).all()


def test_smaller_condition_images_are_enlarged():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)
    maps, numbers, _ = translation.fit_maps(reference(real[:, ::2, ::2], real))
    assert maps["scaled"](real[:2, ::2, ::2]).shape == (2, 16, 16, 3)
    assert set(numbers) == {"scaled", "toned"}

"""`show`: a sheet of images."""

import numpy as np
import pytest

import keras_gans


def test_small_images_are_enlarged_without_smoothing():
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), np.uint8)
    sheet = keras_gans.show(images, columns=3)
    assert sheet.mode == "L" and max(sheet.size) >= 512
    scale = -(-512 // (3 * 28))
    array = np.asarray(sheet)
    assert array.shape == (2 * (28 * scale + 2) + 2, 3 * (28 * scale + 2) + 2)
    first = array[2 : 2 + 28 * scale, 2 : 2 + 28 * scale]
    np.testing.assert_array_equal(first[::scale, ::scale], images[0, ..., 0])
    assert set(np.unique(first)) <= set(np.unique(images[0]))
    small = keras_gans.show(images, scale=1)
    np.testing.assert_array_equal(np.asarray(small)[2:30, 2:30], images[0, ..., 0])


def test_floats_and_single_images():
    image = np.linspace(-1, 1, 600 * 600 * 3).reshape(600, 600, 3)
    sheet = keras_gans.show(image)
    assert sheet.mode == "RGB" and sheet.size == (604, 604)
    assert sheet.getpixel((2, 2)) == (0, 0, 0)
    assert sheet.getpixel((601, 601)) == (255, 255, 255)


def test_titles_stand_above_their_images():
    images = np.zeros((4, 28, 28, 1), np.uint8)
    plain = keras_gans.show(images, columns=2, scale=3)
    sheet = keras_gans.show(images, 2, ["a", "b", "", "a title that is too long"], 3)
    assert sheet.width == plain.width and sheet.height == plain.height + 2 * 14
    array = np.asarray(sheet)
    rows = 14 + 2 + 3 * 28
    for i, written in enumerate([True, True, False, True]):
        top, left = 2 + i // 2 * rows, 2 + i % 2 * 86
        area = array[top : top + 14, left : left + 84]
        assert (area.min() < 128) == written, i
        assert not array[top + 14 : top + 14 + 84, left : left + 84].any()


@pytest.mark.parametrize(
    "images, options, line",
    [
        (np.zeros((4, 28, 28), np.uint8), {}, r"got \[4, 28, 28\]"),
        (np.zeros((0, 8, 8, 1), np.uint8), {}, "expected the shape"),
        (np.full((1, 8, 8, 1), 255.0), {}, "values in .-1, 1., got 255"),
        (np.full((1, 8, 8, 1), np.nan), {}, "got nan"),
        (np.zeros((1, 8, 8, 1), int), {}, "got int64"),
        (np.zeros((2, 8, 8, 1)), {"titles": ["a"]}, "one for each of 2 images, got 1"),
        (np.zeros((2, 8, 8, 1)), {"columns": 0}, "columns: expected 1 or more"),
        (np.zeros((2, 8, 8, 1)), {"scale": 0}, "scale: expected 1 or more"),
    ],
)
def test_mistakes_are_one_line(images, options, line):
    with pytest.raises(keras_gans.UserError, match=line):
        keras_gans.show(images, **options)

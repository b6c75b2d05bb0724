"""Notes at the start of a run: few images, and palettes of label maps."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from keras_gans.data.options import DataInfo
from keras_gans.errors import UserError
from keras_gans.recipes.config import load_config
from keras_gans.training import advice, label_maps

AUGMENT, FLIP = "hparams.augment=color,translation,cutout", "data.horizontal_flip=true"
# Recipe, options, number of images, words of the note (None: no note), words it lacks.
FEW = [
    ("dcgan", [], 300, ["300 images are few", "--model=fastgan", AUGMENT, FLIP], []),
    ("dcgan", [], 500, None, []),
    ("dcgan", [], 0, None, []),
    ("fastgan", [], 300, ["300 images, a number that fastgan is made for"], ["few"]),
    ("fastgan", [], 1000, ["1,000 images, a number"], ["try"]),
    ("fastgan", [], 1001, None, []),
    (
        "fastgan",
        [],
        99,
        ["99 images are few", FLIP, "--init_from"],
        ["--model", AUGMENT],
    ),
    (
        *("fastgan", ["data.horizontal_flip=true", "train.init_from='w'"], 50),
        *(["50 images are few, and the discriminator may memorize them"], ["try"]),
    ),
    ("dcgan", ["hparams.augment='ada'", "hparams.r1_weight=0.1"], 9, [FLIP], [AUGMENT]),
    ("dcgan", ["data.horizontal_flip=true"], 9, [AUGMENT], [FLIP]),
    ("cgan", [], 48, ["48 images are few", AUGMENT], ["fastgan"]),
    ("esrgan", [], 300, None, []),
    ("pix2pix", [], 30, None, []),
    ("cyclegan", [], 30, None, []),
]


@pytest.mark.parametrize("name, options, number, words, others", FEW)
def test_advice_is_what_the_recipe_does_not_follow(
    name, options, number, words, others
):
    config = load_config(name, options)
    translates = name in ("esrgan", "pix2pix", "cyclegan")
    info = DataInfo(
        (64, 64, 3),
        class_names=("a", "b") if name == "cgan" else (),
        num_examples=number,
        condition_shape=(64, 64, 3) if translates else (),
    )
    notes = advice.on_few_images(config, info)
    assert len(notes) == (words is not None)
    assert all(word in notes[0] for word in words or ())
    assert not any(word in notes[0] for word in others)


def test_points_get_no_advice():
    config = load_config("wgan_gp_ring", [])
    assert advice.on_few_images(config, DataInfo((1, 1, 2), num_examples=9)) == ()


GRAY = [[0, 0, 0], [90, 90, 90], [255, 255, 255]]
# Values of the maps, palette of the recipe, palette of the run, words of the note.
PALETTES = {
    "class numbers": (range(12), None, list(range(12)), "12 labels, 0 to 11"),
    "numbers with void": (
        [0, 1, 2, 255],
        None,
        [0, 1, 2, 255],
        "4 labels, 0, 1, 2, 255",
    ),
    "masks of 0 and 1": ([0, 1], None, [0, 1], "2 labels, 0, 1"),
    "numbers from 7": ([7, 8, 11, 13], None, [7, 8, 11, 13], "4 labels"),
    "many numbers": (range(150), None, list(range(150)), "150 labels, 0 to 149"),
    "black on white": ([0, 255], None, [0, 255], None),
    "smooth outlines": (range(256), None, [0, 255], "254 are not in"),
    "own palette": ([0, 1, 2], [0, 1, 2], [0, 1, 2], None),
    "own palette, one missing": ([0, 1, 2, 3], [0, 1, 2], [0, 1, 2], "1 are not in"),
    "empty palette": ([0, 90, 255], [], [0, 90, 255], "3 labels, 0, 90, 255"),
    "colors": ([[9, 0, 0], [0, 200, 0]], None, [[0, 200, 0], [9, 0, 0]], "2 labels"),
    "palette file": ("P", None, [[0, 0, 200], [200, 0, 0]], "2 labels"),
}


def maps(root, values):
    """Write label maps that hold all values, and photographs."""
    for folder in ("maps", "photos"):
        (root / folder).mkdir()
    rng = np.random.default_rng(0)
    colors = np.array([0, 1] if isinstance(values, str) else list(values), np.uint8)
    for i in range(3):
        order = rng.permutation(np.arange(150 * i, 150 * i + 256) % len(colors))
        pixels = colors[order].reshape(16, 16, *colors.shape[1:])
        image = Image.fromarray(pixels)
        if isinstance(values, str):
            image = Image.fromarray(pixels, "P")
            image.putpalette([200, 0, 0, 0, 0, 200])
        image.save(root / f"maps/{i}.png")
        photo = rng.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(photo).save(root / f"photos/{i}.png")
    return f"pairs:{root}/maps,{root}/photos"


def recipe(root, values, palette, name="spade"):
    options = [f"data.dataset={maps(root, values)}", "data.image_size=16"]
    if palette is not None:
        options += [f"{n}.palette={palette}" for n in ("generator", "discriminator")]
    return load_config(name, options)


@pytest.mark.parametrize("name", PALETTES)
def test_palettes_fit_the_label_maps(name, tmp_path):
    values, palette, expected, words = PALETTES[name]
    config = recipe(tmp_path, values, palette)
    chosen, notes = label_maps.choose_palette(config, None)
    for network in ("generator", "discriminator"):
        assert chosen.keywords[network]["palette"] == expected
    changed = expected != config.keywords["generator"]["palette"]
    assert chosen.data.label_maps == changed
    assert (chosen == config) != changed
    assert [words in note for note in notes] == [True] * (words is not None)
    # A resumed run gets the same recipe.
    assert label_maps.choose_palette(config, None)[0].to_toml() == chosen.to_toml()


@pytest.mark.parametrize(
    "values, palette, words",
    [
        ([0, 1, 2], [100, 200], "(0 to 2) get the same label, 100"),
        ([200, 201], [0, 255], "(200, 201) get the same label, 255"),
        ([0, 5], [[0]], None),
        ([7], [], "2 to 256 colors, got 1"),
        ([[i, j, 0] for i in range(20) for j in range(20)], [], "got more than 256"),
        ([0, 9], [5], None),
    ],
)
def test_palettes_that_learn_nothing_are_refused(values, palette, words, tmp_path):
    config = recipe(tmp_path, values, palette)
    if words is None:  # other checks report the palette
        assert label_maps.choose_palette(config, None) == (config, ())
        return
    with pytest.raises(UserError) as error:
        label_maps.choose_palette(config, None)
    assert words in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    "values, noted",
    [
        (range(12), True),
        ([0, 1], True),
        ([0, 1, 255], True),
        ([0, 255], False),
        (range(0, 256, 5), False),
        (range(100), False),
        ([[1, 2, 3], [2, 3, 4]], True),
        ([[1, 2, 3], [200, 3, 4]], False),
    ],
)
def test_nearly_black_condition_images_are_noted(values, noted):
    colors = np.array(list(values), np.uint8)
    pictures = colors.reshape(1, 1, len(colors), -1)
    pix2pix, spade = load_config("pix2pix", []), load_config("spade", [])
    notes = label_maps.note_class_numbers(pix2pix, pictures)
    assert len(notes) == noted and all("nearly black" in note for note in notes)
    assert label_maps.note_class_numbers(spade, pictures) == ()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "palette", [list(range(150)), [0, 255], GRAY, [0, 1], [[1, 2, 3], [1, 2, 4]]]
)
def test_labels_are_exact_at_every_precision(policy, palette):
    import keras

    from keras_gans.networks.spade import Labels

    colors = np.array(palette, np.float32).reshape(len(palette), -1)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        labels = Labels(palette, colors.shape[1])(colors[None, None] / 127.5 - 1)
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(np.array(labels)[0, 0], np.eye(len(palette)))


def test_the_recipe_itself_is_not_changed(tmp_path):
    config = recipe(tmp_path, range(12), None)
    before = dataclasses.replace(config, keywords=dict(config.keywords))
    label_maps.choose_palette(config, None)
    assert config == before

"""Translation models: data sets, losses and networks."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from harness import SHARED_DATA, smoke_model, variables_of
from keras_gans import data, engine, evaluate, strategies, train
from keras_gans.core import losses
from keras_gans.core.image_pool import ImagePool
from keras_gans.data import DataOptions, conditions
from keras_gans.engine import optimizers
from keras_gans.errors import UserError
from keras_gans.evaluation import translation
from keras_gans.layers.any_size import PadToMultiple
from keras_gans.layers.normalization import InstanceNormalization
from keras_gans.networks import patchgan, rrdb, spade, translator, unet
from keras_gans.recipes import build, config

MODELS = ["pix2pix", "cyclegan", "cut", "spade", "esrgan"]


def numbered(folder, names, side=8, value=0, mode="RGB"):
    """Write images of one gray level each: value, value + 10, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        colour = (value + 10 * i,) * (3 if mode == "RGB" else 1)
        Image.new(mode, (side, side), colour).save(folder / f"{name}.png")


def first(source, seed=0, step=0):
    batch = next(iter(source.stream(seed, step)))
    return [batch[name].numpy() for name in ("images", "condition")]


def levels(x):
    """8-bit value of the first pixel of each image."""
    return np.round((x[:, 0, 0, 0] + 1) * 127.5).astype(int)


@pytest.fixture
def two_folders(tmp_path):
    numbered(tmp_path / "a", "pqrst", value=0, mode="L")
    numbered(tmp_path / "b", "pqrsu", value=100)
    return tmp_path


def test_pairs_go_by_name_and_stay_together(two_folders):
    folders = f"pairs:{two_folders}/a,{two_folders}/b"
    options = DataOptions(folders, 4, image_size=8, channels=3)
    source = data.open_source(options)
    assert source.info.image_shape == (8, 8, 3)
    assert source.info.condition_shape == (8, 8, 1)
    assert source.info.num_examples == 4
    assert any("2 files have no partner" in note for note in source.notes)
    for step in range(3):
        made, given = first(source, step=step)
        np.testing.assert_array_equal(levels(made), levels(given) + 100)
    back = dataclasses.replace(options, direction="b_to_a", channels=1)
    other = data.open_source(back)
    assert other.info.image_shape == (8, 8, 1)
    made, given = first(other)
    np.testing.assert_array_equal(levels(made) + 100, levels(given))
    # streamed from disk, the batches are the same
    streamed = data.open_source(dataclasses.replace(options, cache_mib=0))
    for one, two in zip(first(source), first(streamed), strict=True):
        np.testing.assert_array_equal(one, two)


def test_both_halves_of_a_picture_are_a_pair(tmp_path):
    both = np.zeros((8, 16, 3), np.uint8)
    both[:, :8], both[:, 8:] = 40, 200
    Image.fromarray(both).save(tmp_path / "x.png")
    options = DataOptions(f"pairs:{tmp_path}", 1, image_size=8)
    made, given = first(data.open_source(options))
    assert levels(made) == 200 and levels(given) == 40
    other = dataclasses.replace(options, direction="b_to_a")
    made, given = first(data.open_source(other))
    assert levels(made) == 40 and levels(given) == 200


def test_cut_and_mirror_are_the_same_for_both(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("p", "q"):
        picture = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
        for kind in "ab":
            (tmp_path / kind).mkdir(exist_ok=True)
            picture.save(tmp_path / kind / f"{name}.png")
    options = DataOptions(
        f"pairs:{tmp_path}/a,{tmp_path}/b",
        16,
        image_size=16,
        random_crop=8,
        horizontal_flip=True,
    )
    made, given = first(data.open_source(options))
    assert made.shape == (16, 16, 16, 3)
    np.testing.assert_array_equal(made, given)
    assert len({x.tobytes() for x in made}) > 8  # crops and flips differ
    again, _ = first(data.open_source(options))
    np.testing.assert_array_equal(made, again)


def test_unpaired_pictures_come_in_orders_of_their_own(two_folders):
    options = DataOptions(f"unpaired:{two_folders}/a,{two_folders}/b", 5, image_size=8)
    source = data.open_source(options)
    assert source.info.condition_shape == (8, 8, 1)
    apart = 0
    for step in range(4):
        made, given = first(source, step=step)
        assert sorted(levels(made)) == [100, 110, 120, 130, 140]
        assert sorted(levels(given)) == [0, 10, 20, 30, 40]
        apart += (levels(made) != levels(given) + 100).sum()
    assert apart > 5
    for one, two in zip(first(source, step=3), (made, given), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_cycle_gan_sets_of_tfds(direction, cache_mib, monkeypatch):
    import tensorflow_datasets as tfds

    asked = []
    with tfds.testing.mock_data(num_examples=9):
        whole = tfds.core.DatasetBuilder.as_dataset

        def noted(self, split, **kwargs):
            asked.append(split)
            return whole(self, split=split, **kwargs)

        monkeypatch.setattr(tfds.core.DatasetBuilder, "as_dataset", noted)
        name = "tfds:cycle_gan/horse2zebra"
        how = {"direction": direction, "cache_mib": cache_mib}
        options = DataOptions(name, 4, image_size=16, **how)
        source = data.open_source(options)
        made, given = first(source)
    assert made.shape == given.shape == (4, 16, 16, 3)
    assert source.info.condition_shape == (16, 16, 3) and source.info.num_classes == 0
    order = ["trainA", "trainB"] if direction == "a_to_b" else ["trainB", "trainA"]
    # The condition images are read first.
    assert list(dict.fromkeys(asked)) == order
    assert set(asked) == {"trainA", "trainB"}


def test_derived_conditions():
    picture = np.full((1, 16, 16, 3), -1.0, np.float32)
    picture[:, :, 8:] = 1.0
    outline = conditions.derive(picture, "outline")
    assert outline.shape == (1, 16, 16, 1)
    np.testing.assert_array_equal(outline[0, :, 7:9], -1.0)
    np.testing.assert_array_equal(np.delete(outline, [7, 8], axis=2), 1.0)
    flat = np.full((1, 16, 16, 3), 0.25, np.float32)
    small = conditions.derive(flat, "small4")
    assert small.shape == (1, 4, 4, 3)
    np.testing.assert_allclose(small, 0.25, atol=1 / 255)
    steps = (small + 1) * 127.5
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)  # 8-bit values
    red = np.stack([np.ones((1, 4, 4)), -np.ones((1, 4, 4)), -np.ones((1, 4, 4))], -1)
    grey = conditions.derive(red.astype(np.float32), "grey")
    np.testing.assert_allclose(grey, 2 * 0.299 - 1, atol=1 / 127)


def test_derived_and_unpaired(tmp_path):
    options = DataOptions("outline:fashion", 32, image_size=32, held_out=40)
    source = data.open_source(options)
    assert source.info.num_classes == 0 and source.info.num_examples == 4960
    made, given = first(source)
    np.testing.assert_array_equal(conditions.derive(made, "outline"), given)
    apart = data.open_source(dataclasses.replace(options, unpaired=True))
    made, given = first(apart)
    own = conditions.derive(made, "outline")
    assert (own != given).any(axis=(1, 2, 3)).mean() > 0.9
    made, given = first(apart.held_out)  # held-out images stay paired
    np.testing.assert_array_equal(conditions.derive(made, "outline"), given)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason=f"no real data in {SHARED_DATA}")
def test_real_pairs_side_by_side(tmp_path):
    shutil.unpack_archive(SHARED_DATA / "facades.tar", tmp_path)
    folder = f"pairs:{tmp_path}/facades/train"
    options = DataOptions(folder, 2, image_size=64, direction="b_to_a")
    made, given = first(data.open_source(options))
    # The label maps are far more saturated than the photographs.
    assert np.ptp(given, axis=3).mean() > 2 * np.ptp(made, axis=3).mean()


@pytest.mark.parametrize(
    "options, line",
    [
        ({"dataset": "pairs:{0}/a,{0}/none"}, "no folder '{0}/none'"),
        ({"dataset": "pairs:{0}/a,{0}/other"}, "in '{0}/a' and '{0}/other', got none"),
        ({"dataset": "pairs:{0}/a"}, "image_size: expected the side of one half"),
        ({"dataset": "pairs:a,b,c"}, "expected two folders, or one"),
        ({"dataset": "unpaired:{0}/a"}, "expected two folders: A,B"),
        ({"dataset": "grey:pairs:{0}/a,{0}/b"}, "has its own condition images"),
        ({"dataset": "fashion", "unpaired": True}, "'fashion' has no condition images"),
        ({"dataset": "fashion", "direction": "b_to_a"}, "has no A and B images"),
        ({"dataset": "grey:fashion"}, "are grayscale already"),
        ({"dataset": "outline:ring"}, "holds points"),
        ({"dataset": "pairs:{0}/a,{0}/a"}, "expected two different folders"),
        ({"dataset": "pairs:{0}/twice,{0}/b"}, "have the same name; rename one"),
        ({"dataset": "folder:cycle_gan/x"}, "no folder 'cycle_gan/x'"),
        ({"dataset": "digits", "label_maps": True}, "label_maps: expected pairs"),
        ({"dataset": "tfds:cycle_gan/x", "split": "all"}, "expected train or test"),
        ({"dataset": "unpaired:{0}/a,{0}/b", "held_out": 2}, "has no pairs; move"),
        (
            {"dataset": "small4:fashion", "image_size": 30},
            "image_size: expected a multiple of 4",
        ),
    ],
)
def test_mistakes_in_data_are_one_line(two_folders, options, line):
    numbered(two_folders / "other", "xyz")
    numbered(two_folders / "twice", "p")
    shutil.copy(two_folders / "twice/p.png", two_folders / "twice/p.jpg")
    options = {"batch_size": 2} | options
    options["dataset"] = options["dataset"].format(two_folders)
    with pytest.raises(UserError) as caught:
        data.open_source(DataOptions(**options))
    assert line.format(two_folders) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--model=pix2pix", "--set=data.dataset=fashion"], "has no condition images"),
        (["--model=dcgan", "--set=data.dataset=outline:fashion"], "from noise"),
        (["--model=pix2pix", "--set=hparams.latents=uniform"], "takes no latents"),
        (["--model=pix2pix", "--set=data.dataset=small4:fashion"], "--model=esrgan"),
        (["--model=esrgan", "--set=data.dataset=outline:fashion"], None),
        (["--model=cyclegan", "--set=discriminator.conditional=true"], "conditional:"),
        (["--model=spade", "--set=generator.palette=[3]"], "two or more colors"),
        (["--model=cut", "--set=hparams.temperature=0"], "temperature: expected more"),
        (["--model=cut", "--set=train.evaluate_every=5"], "got one that translates"),
        (["--model=pix2pix", "--set=data.unpaired=true"], "expects pairs of images"),
        (["--model=cut", "--set=discriminator.conditional=true"], "conditional: expec"),
        (["--model=esrgan", "--set=discriminator.conditional=true"], "differ in size"),
        (["--model=pix2pix", "--set=hparams.augment=color"], "augment: expected"),
        (["--model=spade", "--set=hparams.augment=cutout"], 'expected "" for spade'),
        (["--model=cyclegan", "--set=hparams.r1_weight=1"], "r1_weight: expected 0"),
    ],
)
def test_mistakes_in_recipes_are_one_line(arguments, line, tmp_path, capsys):
    workdir = tmp_path / "run"
    status = train.main(
        [*arguments, "--smoke", f"--workdir={workdir}", "--export=none"]
    )
    if line is None:
        assert status == 0  # condition images may be as large as the images
        return
    assert status == 2
    err = capsys.readouterr().err
    assert line in err and err.count("\n") == 1
    assert not workdir.exists()


def test_patch_nce_is_the_equation():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(2, 3, 5, 4))
    found = losses.patch_nce(queries.astype("f"), keys.astype("f"), 0.3).numpy()
    for picture in range(3):
        for i in range(5):
            own = np.exp(queries[picture, i] @ keys[picture, i] / 0.3)
            others = sum(
                np.exp(queries[picture, i] @ keys[picture, j] / 0.3)
                for j in range(5)
                if j != i
            )
            expected = -np.log(own / (own + others))
            assert found[picture, i] == pytest.approx(expected, rel=1e-4)
    with tf.GradientTape() as tape:
        q, k = (tf.Variable(x.astype("f")) for x in (queries, keys))
        loss = tf.reduce_sum(losses.patch_nce(q, k, 0.3))
    into_queries, into_keys = tape.gradient(loss, [q, k])
    assert into_keys is None and np.abs(into_queries).max() > 0
    extreme = losses.patch_nce(100 * q, 100 * k, 0.07)
    assert np.isfinite(extreme).all()


def test_feature_matching_is_the_mean_distance_and_real_ones_get_no_gradient():
    rng = np.random.default_rng(0)
    real, fake = (tf.Variable(x.astype("f")) for x in rng.normal(size=(2, 3, 4, 5, 2)))
    with tf.GradientTape() as tape:
        found = losses.feature_matching(real, fake)
    expected = [np.abs(a - b).mean() for a, b in zip(real, fake, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    into_real, into_fake = tape.gradient(found, [real, fake])
    assert into_real is None
    np.testing.assert_allclose(into_fake, np.sign(fake - real) / 40, rtol=1e-5)


def test_relativistic_average_is_the_equations():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 4, 3, 3, 1))

    def d(a, b):  # equation 1
        return 1 / (1 + np.exp(-(a - b.mean())))

    f = [real.astype("f"), fake.astype("f")]
    above = losses.relativistic_average(*f)
    below = losses.relativistic_average_below(*f[::-1])
    np.testing.assert_allclose(above, -np.log(d(real, fake)), rtol=1e-5)
    np.testing.assert_allclose(below, -np.log(1 - d(fake, real)), rtol=1e-5)
    # A constant added to all logits cancels.
    np.testing.assert_allclose(
        losses.relativistic_average(f[0] + 5, f[1] + 5), above, atol=1e-5
    )
    assert np.isfinite(losses.relativistic_average(100 * f[0], -100 * f[1])).all()


def seeds_of(step):
    return engine.StepSeed(0, step)


@pytest.mark.parametrize(
    "size, batch",
    [
        (5, 2),
        *(
            pytest.param(*sizes, marks=pytest.mark.second)
            for sizes in ((6, 2), (7, 3), (4, 4))
        ),
    ],
)
def test_pool_is_the_buffer_of_the_paper(size, batch):
    """Compare the pool with a list that is updated image by image."""
    step = keras.Variable(0, dtype="int32")
    pool = ImagePool(size, (1, 1, 1), seeds_of(step), "pool")
    rng = np.random.default_rng(0)
    kept, shown_now, shown_earlier = [], 0, 0
    for n in range(300):
        step.assign(n)
        pool._seeds.begin_step()
        made = rng.normal(size=(batch, 1, 1, 1)).astype("f")
        shown = pool(made).numpy()
        for new, seen in zip(made.ravel(), shown.ravel(), strict=True):
            if len(kept) < size:  # until the pool is full, it adds and shows all images
                assert seen == new
                kept.append(new)
            elif seen == new:
                shown_now += 1
            else:  # an earlier image is shown and replaced by the new image
                shown_earlier += 1
                kept[kept.index(seen)] = new
        assert sorted(kept) == sorted(pool.pictures.numpy().ravel()[: len(kept)])
    assert shown_earlier / (shown_now + shown_earlier) == pytest.approx(0.5, abs=0.08)


def test_pool_below_a_batch_is_refused():
    pool = ImagePool(2, (1, 1, 1), seeds_of(keras.Variable(0, dtype="int32")), "p")
    with pytest.raises(UserError, match="pool_size: expected 0, or at least the 3"):
        pool(np.ones((3, 1, 1, 1), "f"))


def test_pool_of_nothing_shows_what_comes_and_keeps_gradients_out():
    pool = ImagePool(0, (1, 1, 1), seeds_of(keras.Variable(0, dtype="int32")), "p")
    made = tf.Variable(np.ones((3, 1, 1, 1), "f"))
    with tf.GradientTape() as tape:
        shown = pool(made)
    np.testing.assert_array_equal(shown, made)
    assert tape.gradient(shown, made) is None


@pytest.mark.second
def test_resume_is_exact_with_the_pool(tmp_path):
    args = ["--model=cyclegan", "--smoke", "--export=none", "--set=hparams.pool_size=3"]
    args += ["--set=train.steps=6", "--set=train.keep_checkpoints=9"]
    args += ["--set=data.batch_size=2"]
    assert train.main([*args, f"--workdir={tmp_path / 'whole'}"]) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    for step in (4, 6):
        (tmp_path / f"parts/checkpoints/step_{step:08d}.npz").unlink()
    assert train.main([*args, f"--workdir={tmp_path / 'parts'}"]) == 0
    ends = [
        np.load(tmp_path / name / "checkpoints/step_00000006.npz")
        for name in ("whole", "parts")
    ]
    assert {"image_pool/000", "condition_pool/000", "image_pool/001"} <= set(
        ends[0].files
    )
    assert np.abs(ends[0]["image_pool/000"]).max(axis=(1, 2, 3)).min() > 0  # full
    for name in ends[0].files:
        assert ends[0][name].tobytes() == ends[1][name].tobytes(), name


def receptive_field(depth, side):
    """Width and height, in pixels, of the receptive field of the middle logit."""
    network = patchgan.discriminator(
        (side, side, 1),
        (side, side, 1),
        width=1,
        depth=depth,
        norm="none",
        conditional=False,
    )
    for weight in network.weights:
        weight.assign(np.ones(weight.shape))  # so that no two paths cancel
    picture = tf.Variable(np.ones((1, side, side, 1), "f"))
    with tf.GradientTape() as tape:
        logits = network({"images": picture})
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(middle, picture).numpy()[0, :, :, 0]) > 0
    return seen.any(axis=0).sum(), seen.any(axis=1).sum()


@pytest.mark.parametrize("depth, pixels", [(3, 70), (2, 34), (1, 16)])
def test_patchgan_sees_what_its_name_says(depth, pixels):
    assert receptive_field(depth, 160) == (pixels, pixels)


def test_patchgan_of_the_paper_has_its_parameters():
    network = patchgan.discriminator((256, 256, 3), (256, 256, 3))
    convolutions = [(6, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
    expected = sum(16 * a * b for a, b in convolutions)
    expected += 64 + 1 + 2 * (128 + 256 + 512)  # biases; gains and biases of the norms
    assert sum(np.prod(w.shape) for w in network.trainable_weights) == expected
    assert network.output.shape == (None, 30, 30, 1)


def test_unet_of_the_paper_goes_down_to_one_pixel_and_has_its_channels():
    network = unet.generator((256, 256, 3), (256, 256, 3))
    down = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    up = [x for x in network.layers if isinstance(x, keras.layers.Conv2DTranspose)]
    down = [x for x in down if x not in up]
    assert [x.filters for x in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [x.filters for x in up] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert [x.input.shape[-1] for x in up[1:]] == [1024] * 4 + [512, 256, 128]
    dropouts = [x for x in network.layers if isinstance(x, keras.layers.Dropout)]
    assert [x.rate for x in dropouts] == [0.5] * 3


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("networks", [unet, translator])
def test_options_of_the_networks(networks, norm, upsampling):
    options = {"blocks": 1} if networks is translator else {}
    network = networks.generator(
        (16, 16, 3), (16, 16, 1), width=2, norm=norm, upsampling=upsampling, **options
    )
    made = network({"condition": np.zeros((2, 16, 16, 1), "f")})
    assert made.shape == (2, 16, 16, 3)
    kinds = {type(layer).__name__ for layer in network.layers}
    assert ("Conv2DTranspose" in kinds) == (upsampling == "transposed")
    assert ("BatchNormalization" in kinds) == (norm == "batch")
    assert ("InstanceNormalization" in kinds) == (norm == "instance")


def test_resized_maps_show_no_checkerboard():
    """A 3x3 transposed convolution of stride 2 overlaps unevenly; resizing does not."""
    shades = {}
    for upsampling in ("transposed", "resize"):
        x = keras.Input((None, None, 1))
        maps = patchgan.enlarged(x, 1, 3, upsampling, use_bias=False)
        network = keras.Model(x, maps)
        for weight in network.weights:
            weight.assign(np.ones(weight.shape))
        made = network(np.ones((1, 8, 8, 1), "f")).numpy()[0, 4:12, 4:12, 0]
        shades[upsampling] = np.ptp(made)
    assert shades["resize"] == 0 and shades["transposed"] > 0


def test_instance_normalisation_is_of_each_picture_and_channel():
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, (2, 5, 7, 3))
    found = InstanceNormalization()(x.astype("f")).numpy()
    mean = x.mean(axis=(1, 2), keepdims=True)
    expected = (x - mean) / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_mirrors_and_leaves_what_fits():
    x = np.arange(15, dtype="f").reshape(1, 3, 5, 1)
    found = PadToMultiple(4)(x).numpy()[0, :, :, 0]
    expected = np.pad(x[0, :, :, 0], ((0, 1), (0, 3)), mode="symmetric")
    np.testing.assert_array_equal(found, expected)
    far = PadToMultiple(16)(x).numpy()[0, :, :, 0]  # padding larger than the image
    expected = np.pad(x[0, :, :, 0], ((0, 13), (0, 11)), mode="symmetric")
    np.testing.assert_array_equal(far, expected)
    np.testing.assert_array_equal(PadToMultiple(1)(x), x)


@pytest.mark.parametrize("name", MODELS)
def test_any_size_goes_through_a_generator(name):
    model, source = smoke_model(name)
    channels = source.info.condition_shape[-1]
    scale = source.info.image_shape[0] // source.info.condition_shape[0]
    rng = np.random.default_rng(0)
    picture = rng.uniform(-1, 1, (1, 21, 34, channels)).astype("f")
    made = model({"condition": picture})
    assert made.shape == (1, scale * 21, scale * 34, source.info.image_shape[-1])
    if model.bidirectional:
        assert model.translate(made, backward=True).shape == picture.shape


def test_spade_is_the_equation_place_by_place():
    rng = np.random.default_rng(0)
    maps, labels = keras.Input((4, 5, 3)), keras.Input((4, 5, 2))
    network = keras.Model([maps, labels], spade.spade(maps, labels, hidden=6))
    for weight in network.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    x = rng.normal(1.0, 2.0, (2, 4, 5, 3))
    m = np.eye(2)[rng.integers(0, 2, (2, 4, 5))]
    found = network([x.astype("f"), m.astype("f")], training=True).numpy()
    shared, gamma, beta = (
        w.numpy().astype(float) for w in network.trainable_weights[::2]
    )
    biases = [w.numpy() for w in network.trainable_weights[1::2]]

    def convolve(values, kernel, bias):
        padded = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
        out = np.zeros((*values.shape[:3], kernel.shape[-1]))
        for i in range(values.shape[1]):
            for j in range(values.shape[2]):
                patch = padded[:, i : i + 3, j : j + 3]
                out[:, i, j] = np.einsum("bhwc,hwco->bo", patch, kernel) + bias
        return out

    h = np.maximum(convolve(m, shared, biases[0]), 0)
    g, b = convolve(h, gamma, biases[1]), convolve(h, beta, biases[2])
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * (1 + g) + b
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_labels_are_the_nearest_colours():
    layer = spade.Labels([[0, 0, 170], [255, 0, 0], [0, 255, 0]], 3)
    picture = np.array([[[[10, 5, 150], [250, 20, 9], [3, 200, 40]]]]) / 127.5 - 1
    found = layer(picture.astype("f")).numpy()
    np.testing.assert_array_equal(found[0, 0], np.eye(3))


def test_dense_block_is_the_papers():
    """Each convolution takes all earlier maps; residuals are scaled by 0.2."""
    network = rrdb.generator((8, 8, 1), (4, 4, 1), width=4, growth=2, blocks=2)
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    seen = [x.input.shape[-1] for x in convolutions]
    assert seen == [1] + [4, 6, 8, 10, 12] * 6 + [4] + [4, 4, 4]
    scales = [x for x in network.layers if isinstance(x, keras.layers.Rescaling)]
    assert [x.scale for x in scales] == [0.2] * 8  # 6 dense blocks, and 2 blocks of 3
    # With zeros in its last convolution, each dense block is the identity.
    for i, layer in enumerate(convolutions[1:31]):
        if i % 5 == 4:
            layer.kernel.assign(np.zeros(layer.kernel.shape))
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype("f")
    inner = keras.Model(network.input, convolutions[31].input)
    scaled = convolutions[0](x)
    for _ in range(2):  # each block of 3 computes x + 0.2 x
        scaled = 1.2 * scaled
    np.testing.assert_allclose(inner({"condition": x}), scaled, rtol=1e-5)


def test_rate_stays_then_falls_to_nothing():
    rate = optimizers.LinearAfter(2.0, decay_steps=10, constant=0.5)
    found = [float(rate(step)) for step in (0, 4, 5, 6, 9, 10, 50)]
    np.testing.assert_allclose(found, [2, 2, 2, 1.6, 0.4, 0, 0], atol=1e-6)


def test_pretraining_leaves_the_game_out():
    model, source = smoke_model("esrgan", ["hparams.pretraining=2"])
    batch = next(iter(source.stream(0)))
    before = model.g_losses(batch)
    assert not np.any(before["above"]) and not np.any(before["below"])
    model.step.assign(2)
    after = model.g_losses(batch)
    assert np.all(after["above"] > 0) and np.all(after["below"] > 0)


@pytest.mark.parametrize(
    "devices, jit_compile",
    [
        ("one_device", False),
        pytest.param("one_device", True, marks=pytest.mark.second),
        pytest.param("mirrored", False, marks=pytest.mark.second),
    ],
)
def test_discriminator_trains_from_the_end_of_pretraining(devices, jit_compile):
    """A call of several steps may hold steps of both phases."""
    team = strategies.make_team(devices)
    recipe = config.load_config("esrgan", ["hparams.pretraining=3"], smoke=True)
    source = data.open_source(recipe.data)
    with team.scope():
        model = build.build_model(recipe, source.info)
        sgd = keras.optimizers.SGD
        model.compile(sgd(0.01), sgd(0.01), jit_compile=jit_compile)
    first = variables_of(model)
    call = engine.train_function(model, [2, 3])
    batches = iter(team.stream(source, 0, 0))
    logs = call(batches)
    early = variables_of(model)
    np.testing.assert_allclose(logs["d_real"], [np.log(2)] * 2, rtol=1e-6)
    assert not np.any(logs["g_above"]) and np.all(logs["g_l1"] > 0)
    np.testing.assert_array_equal(logs["real_score"], 0.5)
    logs = call(batches)
    late = variables_of(model)
    np.testing.assert_array_equal(np.asarray(logs["g_above"]) > 0, [False, True, True])
    for before, after, d_moves in ((first, early, False), (early, late, True)):
        moved = {k.split("/")[0] for k in after if (after[k] != before[k]).any()}
        assert "generator" in moved and ("discriminator" in moved) == d_moves


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.second)]
)
def test_fit_has_both_phases(jit_compile):
    model, source = smoke_model("esrgan", ["hparams.pretraining=1"])
    model.compile("sgd", "sgd", jit_compile=jit_compile)
    stream = source.stream(0).take(3)
    first = variables_of(model)
    history = model.fit(stream, steps_per_epoch=1, epochs=3, verbose=0).history
    assert [x > 0 for x in history["g_above"]] == [False, True, True]
    moved = {k for k, v in variables_of(model).items() if (v != first[k]).any()}
    assert "discriminator/000" in moved


@pytest.mark.second
def test_train_on_batch_traces_both_phases_once():
    model, source = smoke_model("esrgan", ["hparams.pretraining=2"])
    model.compile("sgd", "sgd")
    batches, traced, step = iter(source.stream(0)), [], model.train_step
    model.train_step = lambda batch: traced.append(1) or step(batch)
    logs = [model.train_on_batch(next(batches), return_dict=True) for _ in range(4)]
    assert [row["g_above"] > 0 for row in logs] == [False, False, True, True]
    assert len(traced) == 2


def test_a_graph_for_all_steps_is_refused_where_phases_differ():
    model, source = smoke_model("esrgan", ["hparams.pretraining=2"])
    batch = next(iter(source.stream(0)))
    with pytest.raises(UserError, match="from step 2 on.*train with fit") as error:
        tf.function(model.train_step, autograph=False)(batch)
    assert "\n" not in str(error.value)


def test_schedule_of_a_late_discriminator_counts_its_own_updates():
    recipe = config.load_config(
        "esrgan",
        [
            "hparams.pretraining=2000",
            "train.steps=3000",
            *(
                f"{player}_optimizer.learning_rate={{class_name='LinearAfter', "
                "initial_learning_rate=2e-4, constant=0.5}"
                for player in "gd"
            ),
        ],
    )
    steps = [recipe.optimizers[p]["learning_rate"]["decay_steps"] for p in "gd"]
    assert steps == [3000, 1000]


def test_cut_translates_real_images_for_the_generator_alone():
    """The discriminator needs G(x) alone, if nothing is shared."""
    model, source = smoke_model("cut", ["hparams.identity=true"])
    model.compile("sgd", "sgd", accumulate=2)
    batch = next(iter(source.stream(0)))
    rows, run = [], model.run

    def count(condition):
        rows.append(condition.shape[0])
        return run(condition)

    model.run = count
    num = batch["condition"].shape[0]
    model.d_losses(batch)
    assert rows == [num]
    model.g_losses(batch)
    assert rows == [num, 2 * num]


@pytest.mark.parametrize("order", ["dg", "gd", "g"])
def test_players_may_come_in_any_order(order):
    """Only updates before the generator's see the images of the weights before it."""
    model, source = smoke_model("pix2pix", ["generator.dropout=0.0"])
    by_name = {player.name: player for player in type(model).players}
    own = type("Own", (type(model),), {"players": tuple(by_name[p] for p in order)})
    model.__class__ = own
    batch = next(iter(source.stream(0)))
    shared = {p.name: "made" in part for p, part in model.schedule(batch)}
    assert shared == {"dg": {"d": True, "g": True}, "g": {"g": True}}.get(
        order, {"g": True, "d": False}
    )


def test_cuts_small_network_learns_and_keys_stay():
    model, source = smoke_model("cut")
    batch = next(iter(source.stream(0)))
    given = batch["condition"]
    before = variables_of(model)
    model.train_step(batch)
    after = variables_of(model)
    moved = {k.split("/")[0] for k in after if (after[k] != before[k]).any()}
    assert {"generator", "projector", "discriminator"} <= moved
    # PatchNCE is lower for an image and itself than for an image and its flip.
    at_place, turned = (
        float(tf.reduce_mean(model.nce(given, x))) for x in (given, given[:, ::-1])
    )
    assert at_place < turned


def terms_of(model, player, real, given):
    """Mean of each loss term of a player, "d" or "g"."""
    batch = {"images": tf.constant(real), "condition": tf.constant(given)}
    found = getattr(model, f"{player}_losses")(batch)
    return {name: float(tf.reduce_mean(term)) for name, term in found.items()}


def two_pictures(model):
    rng = np.random.default_rng(0)
    shapes = [(3, *model.discriminator.input["images"].shape[1:])] * 2
    return [rng.uniform(-1, 1, shape).astype("f") for shape in shapes]


def test_losses_of_cyclegan():
    """Compare the terms with NumPy for G(x) = x / 2, F(y) = y / 4 and linear D."""
    model, _ = smoke_model("cyclegan")
    real, given = two_pictures(model)
    model.run_both = lambda source, images: (source / 2, images / 4)
    model.discriminate_way = lambda way, x: x * (2.0 if way == "forward" else 3.0)
    found = terms_of(model, "d", real, given)
    assert found == pytest.approx(
        {
            "real": np.mean((2 * real - 1) ** 2) / 2,
            "fake": np.mean((2 * given / 2) ** 2) / 2,
            "real_source": np.mean((3 * given - 1) ** 2) / 2,
            "fake_source": np.mean((3 * real / 4) ** 2) / 2,
        },
        rel=1e-4,
    )
    found = terms_of(model, "g", real, given)
    assert found == pytest.approx(
        {
            "adversarial": np.mean((2 * given / 2 - 1) ** 2),
            "adversarial_source": np.mean((3 * real / 4 - 1) ** 2),
            "cycle": 10 * np.mean(np.abs(real / 8 - real)),
            "cycle_source": 10 * np.mean(np.abs(given / 8 - given)),
            "identity": 5 * np.mean(np.abs(real / 2 - real)),
            "identity_source": 5 * np.mean(np.abs(given / 4 - given)),
        },
        rel=1e-4,
    )


@pytest.mark.parametrize("name", ["pix2pix", "esrgan", "cut", "spade"])
def test_losses_of_one_generator(name):
    """Compare the terms with NumPy for G(x) = x / 2 and D(x) = x."""
    model, _ = smoke_model(name)
    model.step.assign(10)
    real, given = two_pictures(model)
    fake = given / 2

    def softplus(x):
        return np.log1p(np.exp(x))

    model.run = lambda condition: condition / 2
    model.score = lambda images, batch: images
    model.discriminate = lambda images, batch: {
        "logits": images,
        "logits_half": images[:, ::2, ::2],
        "features_1": 3.0 * images,
        "features_2": images[:, :4],
    }
    small, small_fake = real[:, ::2, ::2], fake[:, ::2, ::2]
    l1 = np.mean(np.abs(real - fake))
    if name == "pix2pix":
        d = {"real": softplus(-real).mean() / 2, "fake": softplus(fake).mean() / 2}
        g = {"adversarial": softplus(-fake).mean(), "l1": 100 * l1}
    elif name == "esrgan":
        above, below = fake.mean() - real, real.mean() - fake
        d = {"real": softplus(above).mean(), "fake": softplus(-below).mean()}
        g = {"above": 5e-3 * softplus(below).mean(), "l1": 10 * l1}
        g["below"] = 5e-3 * softplus(-above).mean()
    elif name == "cut":
        model.nce = lambda pictures, made: tf.stack(
            [tf.reduce_sum(pictures), tf.reduce_sum(made)]
        )
        d = {"real": np.mean((real - 1) ** 2) / 2, "fake": np.mean(fake**2) / 2}
        both = real.sum() + given.sum()  # `given` for x; `real` for the identity term
        g = {"adversarial": np.mean((fake - 1) ** 2), "nce": (both + both / 2) / 2}
    else:
        d = {
            "real": (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 - small).mean())
            / 2,
            "fake": (
                np.maximum(0, 1 + fake).mean() + np.maximum(0, 1 + small_fake).mean()
            )
            / 2,
        }
        part = np.mean(np.abs(real[:, :4] - fake[:, :4]))
        g = {
            "adversarial": -(fake.mean() + small_fake.mean()) / 2,
            "matching": 10 * (3 * l1 + part) / 2,
        }
    assert terms_of(model, "d", real, given) == pytest.approx(d, rel=1e-4)
    assert terms_of(model, "g", real, given) == pytest.approx(g, rel=1e-4)


def test_label_maps_keep_their_colours(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 255], (24, 24)).astype(np.uint8)
    for kind in "ab":
        (tmp_path / kind).mkdir()
        Image.fromarray(labels).save(tmp_path / kind / "x.png")
    options = DataOptions(
        f"pairs:{tmp_path}/a,{tmp_path}/b", 1, image_size=16, label_maps=True
    )
    made, given = first(data.open_source(options))
    assert set(given.ravel()) == {-1.0, 1.0} and len(set(made.ravel())) > 2


def test_chunks_are_of_the_pictures_size():
    options = DataOptions("digits", 4, random_crop=4)
    source = data.open_source(options)
    whole = data.open_source(DataOptions("digits", 4, image_size=32))
    pictures, _ = next(source.chunks(3))
    assert pictures.shape == (3, 28, 28, 1)
    np.testing.assert_array_equal(pictures, next(whole.chunks(3))[0][:, 2:30, 2:30])


def test_comparison_is_the_formulas():
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, (2, 3, 16, 16, 3), np.uint8)
    found = translation.Comparison()
    found.add(real[:2], fake[:2])
    found.add(real[2:], fake[2:])
    result = found.result(16)
    apart = (real.astype(float) - fake) / 255
    psnr = [10 * np.log10(1 / (x**2).mean()) for x in apart]
    assert result["l1"] == pytest.approx(np.abs(apart).mean())
    assert result["psnr"] == pytest.approx(np.mean(psnr))
    # SSIM of a single window, by its definition
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    a, b = (x[0, :11, :11, 0].astype(float) for x in (real, fake))
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (
        (window * a * a).sum() - mean_a**2,
        (window * b * b).sum() - mean_b**2,
    )
    cov = (window * a * b).sum() - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    one = translation.Comparison()
    one.add(real[:1, :11, :11, :1], fake[:1, :11, :11, :1])
    assert one.result(11)["ssim"] == pytest.approx(expected, rel=1e-3)
    same = translation.Comparison()
    same.add(real, real)
    assert same.result(16) == {"l1": 0.0, "psnr": 100.0, "ssim": pytest.approx(1.0)}


@pytest.mark.xdist_group("pix2pix")
def test_evaluate_a_run(smoke_run, capsys):
    workdir = smoke_run("pix2pix")
    capsys.readouterr()
    assert evaluate.main([f"--source={workdir}", "--num=64"]) == 0
    out = capsys.readouterr().out
    assert "the training images themselves" in out
    baselines = "condition image", "mean image", "scaled by", "to the power of"
    for word in ("L1", "PSNR, dB", "SSIM", "KID", *baselines):
        assert word in out
    files = sorted(p.suffix for p in (workdir / "evaluation").iterdir())
    assert files == [".json", ".png"]
    assert evaluate.main([f"--source={workdir}", "--seed=3"]) == 2
    assert "--seed:" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.xdist_group("cyclegan")
def test_evaluate_the_way_back(smoke_run, capsys):
    workdir = smoke_run("cyclegan")
    capsys.readouterr()
    assert evaluate.main([f"--source={workdir}", "--num=40", "--backward"]) == 0
    assert "backward" in capsys.readouterr().out

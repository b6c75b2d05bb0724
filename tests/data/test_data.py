"""Data sources: ranges, order as a function of (seed, step), corrupt images."""

import collections
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from harness import SHARED_DATA
from keras_gans import data
from keras_gans.data import images, pipeline, survey
from keras_gans.errors import UserError

OPTIONS = {"batch_size": 7, "image_size": 8}


def take(dataset, num):
    """First batches as (images, labels); labels are 0 if the data set has none."""
    batches = []
    for batch in dataset.take(num):
        images = batch["images"].numpy()
        labels = batch.get("labels", np.zeros(len(images), np.int32))
        batches.append((images, np.asarray(labels)))
    return batches


def check_stream(name, num_classes, depth, **options):
    """Check the properties that the stream of every source has."""
    stream, info = data.load_data(name, **OPTIONS, **options)
    batches = take(stream, 6)
    assert set(stream.element_spec) == {"images", *["labels"] * (num_classes > 0)}
    for pictures, labels in batches:
        assert pictures.shape == (7, 8, 8, depth) and pictures.dtype == np.float32
        assert labels.shape == (7,) and labels.dtype == np.int32
        assert -1 <= pictures.min() < pictures.max() <= 1
        assert 0 <= labels.min() and labels.max() < max(num_classes, 1)
    assert info.image_shape == (8, 8, depth)
    assert info.num_classes == num_classes == len(info.class_names)
    for start in (0, 1, 5):  # for small data sets, 5 is in a later epoch
        again, _ = data.load_data(name, **OPTIONS, start_step=start, **options)
        for old, new in zip(batches[start:], take(again, 6 - start), strict=True):
            np.testing.assert_array_equal(old[0], new[0])
            np.testing.assert_array_equal(old[1], new[1])
    other, _ = data.load_data(name, **OPTIONS, seed=1, **options)
    assert not all(
        np.array_equal(a[0], b[0]) for a, b in zip(batches, take(other, 6), strict=True)
    )
    return batches, info


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_embedded_sets(name):
    batches, info = check_stream(name, 10, 1)
    assert info.num_examples == 5000 and info.credit
    source = data.open_source(data.DataOptions(name, batch_size=1))
    assert source.images.shape == (5000, 28, 28, 1)
    assert np.bincount(source.labels).tolist() == [500] * 10
    # Labels fit the images: most images are nearest to the mean of their class.
    flat = source.images.reshape(5000, -1) / 255.0
    means = np.stack([flat[source.labels == c].mean(axis=0) for c in range(10)])
    nearest = ((flat[:, None] - means) ** 2).sum(-1).argmin(1)
    assert (nearest == source.labels).mean() > 0.65
    colour = data.open_source(data.DataOptions(name, batch_size=1, channels=3))
    assert colour.images.shape == (5000, 28, 28, 3)
    assert (colour.images == source.images).all()


def test_batches_have_no_thread_that_tunes_them():
    """The thread of autotuning would delay the end of a run."""
    stream, _ = data.load_data("digits", 10)
    assert stream.options().autotune.enabled is False


def test_epoch_holds_every_example_once_and_epochs_differ():
    stream, _ = data.load_data("digits", 500)
    batches = take(stream, 20)
    first, second = (
        [x[0].tobytes() for batch in part for x in batch[0][:, None]]
        for part in (batches[:10], batches[10:])
    )
    source = data.open_source(data.DataOptions("digits", batch_size=1))
    expected = collections.Counter(images.to_float(x).tobytes() for x in source.images)
    assert collections.Counter(first) == collections.Counter(second) == expected
    assert first != second


def test_flip_mirrors_half_of_the_pictures():
    plain = take(data.load_data("fashion", 200)[0], 1)[0][0]
    flipped = take(data.load_data("fashion", 200, horizontal_flip=True)[0], 1)[0][0]
    same = np.array([np.array_equal(a, b) for a, b in zip(plain, flipped, strict=True)])
    mirrored = np.array(
        [np.array_equal(a[:, ::-1], b) for a, b in zip(plain, flipped, strict=True)]
    )
    assert (same | mirrored).all()
    assert 60 < mirrored.sum() < 140


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
def test_folder_with_classes(pictures, cache_mib):
    _, info = check_stream(f"folder:{pictures}", 2, 3, cache_mib=cache_mib)
    assert info.class_names == ("cats", "dogs") and info.num_examples == 5
    check_stream(f"folder:{pictures}", 2, 1, cache_mib=cache_mib, channels=1)


def test_streamed_folder_is_the_cached_one(pictures):
    cached = take(data.load_data(f"folder:{pictures}", **OPTIONS)[0], 3)
    streamed, _ = data.load_data(f"folder:{pictures}", **OPTIONS, cache_mib=0)
    for a, b in zip(cached, take(streamed, 3), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


@pytest.mark.second
def test_program_ends_while_batches_are_made():
    code = (
        "from keras_gans import data\n"
        "stream, _ = data.load_data('outline:digits', 900)\n"  # slow batches
        "batches = iter(stream)\n"
        "print(next(batches)['images'].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0 and "900, 28, 28, 1" in done.stdout


def test_flat_folder_has_no_classes(pictures):
    check_stream(f"folder:{pictures / 'cats'}", 0, 3)


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
def test_corrupt_pictures_are_named_and_left_out(pictures, cache_mib, caplog):
    whole = (pictures / "cats" / "b.jpg").read_bytes()
    (pictures / "cats" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (pictures / "dogs" / "text.png").write_text("no picture")
    (pictures / "dogs" / "empty.webp").write_bytes(b"")
    stream, info = data.load_data(f"folder:{pictures}", **OPTIONS, cache_mib=cache_mib)
    batches = take(stream, 6)
    assert all(np.isfinite(x).all() for x, _ in batches)
    for name in ("half.jpg", "text.png", "empty.webp"):
        assert name in caplog.text
    # On demand, only damage behind the header is found later.
    found = ["3 of 8 files"] if cache_mib else ["2 of 8 files", "so far 1 of 6 files"]
    assert all(text in caplog.text for text in found)
    again, _ = data.load_data(f"folder:{pictures}", **OPTIONS, cache_mib=cache_mib)
    for a, b in zip(batches, take(again, 6), strict=True):
        np.testing.assert_array_equal(a[0], b[0])


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
def test_folder_of_corrupt_pictures_only(tmp_path, cache_mib):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(UserError, match="none of the 1 images of .* can be read"):
        data.load_data(f"folder:{tmp_path}", **OPTIONS, cache_mib=cache_mib)


def test_damaged_exif_is_a_corrupt_picture(pictures, caplog):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = pictures / "cats" / "exif.jpg"
    Image.new("RGB", (20, 20)).save(path, exif=exif)
    content = path.read_bytes()
    start = content.index(b"Exif")
    path.write_bytes(content[: start + 6] + b"II*\0\xff\xff" + content[start + 12 :])
    stream, _ = data.load_data(f"folder:{pictures}", **OPTIONS)
    assert len(take(stream, 1)) == 1  # read or left out, without an error


def test_hidden_folders_are_no_classes(pictures):
    (pictures / ".trash").mkdir()
    shutil.copy(pictures / "cats" / "a.png", pictures / ".trash")
    (pictures / "birds").symlink_to(pictures / "cats")
    _, info = data.load_data(f"folder:{pictures}", **OPTIONS)
    assert info.class_names == ("cats", "dogs") and info.num_examples == 5


def test_streamed_order_does_not_depend_on_the_global_seed(mocked):
    import keras

    orders = []
    for seed in (5, 6):
        keras.utils.set_random_seed(seed)
        stream, _ = data.load_data("tfds:cifar10", **OPTIONS, cache_mib=0)
        orders.append(take(stream, 3))
    for a, b in zip(*orders, strict=True):
        np.testing.assert_array_equal(a[0], b[0])


def test_folder_mistakes(tmp_path, pictures):
    for path, message in (
        (tmp_path / "none", "no folder"),
        (tmp_path / "empty", "no images in"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=message):
            data.load_data(f"folder:{path}", **OPTIONS)
    shutil.copy(pictures / "cats" / "a.png", pictures)
    with pytest.raises(UserError, match="images beside its sub-folders"):
        data.load_data(f"folder:{pictures}", **OPTIONS)
    with pytest.raises(UserError, match="no data set 'digit'; did you mean 'digits'"):
        data.load_data("digit", **OPTIONS)
    with pytest.raises(UserError, match="unexpected keyword argument 'image_sise'"):
        data.load_data("digits", 2, image_sise=3)


def test_pictures_of_one_square_size_need_no_image_size(tmp_path):
    for name in "ab":
        Image.new("RGB", (24, 24), "red").save(tmp_path / f"{name}.png")
    stream, info = data.load_data(f"folder:{tmp_path}", 2)
    assert info.image_shape == (24, 24, 3)
    np.testing.assert_array_equal(take(stream, 1)[0][0][0, 0, 0], [1, -1, -1])


def save(folder, number, size, colour=None):
    """Save images of gray noise or of one color; return their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(number):
        paths.append(str(folder / f"{size[0]}x{size[1]}_{colour}_{i}.png"))
        noise = Image.fromarray(rng.integers(0, 256, size[::-1], np.uint8))
        picture = Image.new("RGB", size, colour) if colour else noise.convert("RGB")
        picture.save(paths[-1])
    return paths


def test_size_and_channels_are_chosen_with_a_reason(tmp_path):
    paths = save(tmp_path, 9, (70, 50)) + save(tmp_path, 1, (20, 20))
    choice = survey.choose(paths)
    assert (choice.image_size, choice.channels) == (28, 1)  # one is 20 x 20
    text = "\n".join(choice.notes)
    assert "image_size 28: the largest up to 64" in text
    assert "channels 1: all images are grayscale" in text
    assert "1 of 10 images are smaller than 28 pixels" in text
    assert "9 of 10 images lose more than a quarter" in text
    paths += save(tmp_path, 1, (60, 60), "teal")
    choice = survey.choose(paths)
    assert (choice.image_size, choice.channels) == (48, 3)
    # Given values are kept, without a note.
    choice = survey.choose(paths[1:9] * 80, image_size=32, channels=3)
    assert (choice.image_size, choice.channels) == (32, 3)
    assert [note.split(":")[0] for note in choice.notes] == [
        "640 of 640 images lose more than a quarter"
    ]


@pytest.mark.parametrize(
    "side, expected", [(96, 96), (128, 128), (100, 64), (512, 64), (16, 16)]
)
def test_square_pictures_of_one_size_keep_it_if_networks_reach_it(
    side, expected, tmp_path
):
    choice = survey.choose(save(tmp_path, 2, (side, side)))
    assert choice.image_size == expected


def test_picture_lying_on_its_side_is_measured_as_it_is_read(tmp_path):
    path, exif = tmp_path / "turned.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 90)).save(path, exif=exif)
    missing = str(tmp_path / "none.png")
    assert survey.measure([str(path), missing]) == [
        (90, 40),
        "No such file or directory",
    ]


def test_run_says_what_was_chosen(tmp_path, capsys):
    from keras_gans import train

    (tmp_path / "pictures").mkdir()
    save(tmp_path / "pictures", 4, (40, 70))
    args = [f"--set=data.dataset=folder:{tmp_path / 'pictures'}", "--export=none"]
    args += ["--model=dcgan", "--smoke", f"--workdir={tmp_path / 'run'}"]
    assert train.main(args) == 0
    out = capsys.readouterr().out
    assert ": image_size 32: the largest up to 64 that nine of ten" in out
    assert ": 4 images are few" in out


def test_reading_a_picture_keeps_what_a_viewer_shows(tmp_path):
    # Wide image: the center is kept.
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (images.read(str(tmp_path / "wide.png"), 10, 3) == 200).all()
    # Transparent image: on a white background.
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (images.read(str(tmp_path / "clear.png"), 8, 1) == 255).all()
    # Image rotated by its EXIF tag.
    left = np.zeros((8, 8, 3), np.uint8)
    left[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    Image.fromarray(left).save(tmp_path / "turned.png", exif=exif)
    turned = images.read(str(tmp_path / "turned.png"), 8, 1)
    assert (turned[:4] == 255).all() and (turned[4:] == 0).all()
    # Image of 16 bits.
    deep = np.full((8, 8), 128 * 256, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert (images.read(str(tmp_path / "deep.png"), 8, 1) == 128).all()


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, ::2] = 255
    small = images.fit(stripes, 16, 1)
    assert np.abs(small.astype(int) - 127)[:, 2:-2].max() <= 3


def test_float_and_uint8_are_inverse():
    levels = np.arange(256, dtype=np.uint8)
    floats = images.to_float(levels)
    assert floats[0] == -1 and floats[-1] == 1
    np.testing.assert_array_equal(images.to_uint8(floats), levels)
    assert images.to_uint8(np.array([-9.0, 9.0])).tolist() == [0, 255]


# TensorFlow Datasets: mocked data always, the real MNIST if its files are present.


@pytest.fixture
def mocked():
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=23):
        yield


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
@pytest.mark.parametrize(
    "name, classes",
    [("cifar10", 10), pytest.param("celeb_a", 0, marks=pytest.mark.second)],
)
def test_tfds_mocked(name, classes, cache_mib, mocked):
    check_stream(f"tfds:{name}", classes, 3, cache_mib=cache_mib)
    check_stream(f"tfds:{name}", classes, 1, cache_mib=cache_mib, channels=1)


def test_next_stretch_of_tfds_is_read_ahead(monkeypatch):
    """Training does not wait for the records of the next stretch."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from keras_gans.data import tfds as tfds_lib

    read, examples = [], tfds_lib.TFDSSource._examples

    def note(label):
        read.append(label)
        return label

    def noted(source):
        def follow(picture, label):
            [label] = pipeline.numpy_function(
                lambda x: [note(x)], [label], [tf.TensorSpec((), tf.int32)]
            )
            return picture, label

        return examples(source).map(follow)

    monkeypatch.setattr(tfds_lib, "SHUFFLE_BUFFER", 100)
    monkeypatch.setattr(tfds_lib.TFDSSource, "_examples", noted)
    with tfds.testing.mock_data(num_examples=250):
        options = data.DataOptions("tfds:cifar10", batch_size=1, cache_mib=0)
        source = data.open_source(options)
        read.clear()
        stream = iter(source.stream(0))
        next(stream)
        deadline = time.monotonic() + 60
        while len(read) < 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        assert len(read) == 200  # records of the first stretch and of the second


def test_tfds_mistakes(tmp_path):
    for name, message in (
        ("mnits", "no such data set in TensorFlow Datasets; did you mean 'mnist'"),
        ("celeb_a", "pass the side in pixels"),
        ("glue/cola", "no image feature"),
    ):
        with pytest.raises(UserError, match=message):
            data.load_data(f"tfds:{name}", 2, data_dir=str(tmp_path))


def seeded(name, source, folder):
    """Fill the download cache of TFDS with local files; return the data_dir."""
    sys.path.insert(0, str(SHARED_DATA))
    try:
        import seed_tfds

        seed_tfds.seed(name, str(source), str(folder))
    finally:
        sys.path.remove(str(SHARED_DATA))
    return str(folder)


@pytest.mark.second
@pytest.mark.skipif(
    not (SHARED_DATA / "mnist").is_dir(), reason="MNIST's files are not at hand"
)
def test_real_mnist(tmp_path):
    data_dir = seeded("mnist", SHARED_DATA / "mnist", tmp_path)
    options = data.DataOptions("tfds:mnist", batch_size=1)
    source = data.open_source(options, data_dir)
    assert source.images.shape == (60000, 28, 28, 1)
    assert source.info.num_classes == 10
    # The embedded digits come from this split, with the same labels.
    embedded = data.open_source(data.DataOptions("digits", batch_size=1))
    known = {x.tobytes(): y for x, y in zip(source.images, source.labels, strict=True)}
    for picture, label in zip(embedded.images, embedded.labels, strict=True):
        assert known[picture.tobytes()] == label
    check_stream("tfds:mnist", 10, 1, data_dir=data_dir, split="test", cache_mib=0)
    with pytest.raises(UserError, match="valid"):
        data.load_data("tfds:mnist", 2, data_dir=data_dir, split="valid")


@pytest.mark.skipif(
    not shutil.os.path.isdir("/usr/share/datasets/fashion-mnist")
    or not SHARED_DATA.is_dir(),
    reason="needs Debian's dataset-fashion-mnist and the seeding script",
)
@pytest.mark.slow  # the builder of MNIST, tested above
def test_real_fashion_mnist(tmp_path):
    folder = "/usr/share/datasets/fashion-mnist"
    data_dir = seeded("fashion_mnist", folder, tmp_path)
    check_stream("tfds:fashion_mnist", 10, 1, data_dir=data_dir, split="test")


@pytest.mark.parametrize("name", ["ring", "grid25"])
def test_points_are_a_function_of_seed_and_step(name):
    source = data.open_source(data.DataOptions(name, batch_size=50))
    assert source.info.image_shape == (1, 1, 2) and not source.info.num_classes
    first = [batch["images"].numpy() for batch in source.stream(3).take(4)]
    later = [batch["images"].numpy() for batch in source.stream(3, 2).take(2)]
    np.testing.assert_array_equal(first[2:], later)
    other = next(iter(source.stream(4)))["images"]
    assert not np.allclose(first[0], other) and not np.allclose(first[0], first[1])
    for option in ({"image_size": 28}, {"channels": 1}, {"horizontal_flip": True}):
        with pytest.raises(UserError, match="holds points, not images"):
            data.open_source(data.DataOptions(name, batch_size=50, **option))


@pytest.mark.parametrize("cache_mib", [1024, 0], ids=["cached", "streamed"])
def test_held_out_pictures_are_not_trained_on(tmp_path, cache_mib):
    for i in range(20):
        Image.new("L", (8, 8), 10 * i).save(tmp_path / f"{i:02d}.png")
    options = dict(batch_size=5, held_out=6, cache_mib=cache_mib)
    source = data.open_source(data.DataOptions(f"folder:{tmp_path}", **options))
    assert source.info.num_examples == 14
    assert source.held_out.info.num_examples == 6

    def seen(source, seed):
        batches = take(source.stream(seed), 14)
        greys = np.concatenate([x[:, 0, 0, 0] for x, _ in batches])
        return set(np.rint((greys + 1) * 127.5).astype(int))

    train, held_out = seen(source, 0), seen(source.held_out, 0)
    assert len(train) == 14 and len(held_out) == 6
    assert train | held_out == {10 * i for i in range(20)}
    assert seen(source.held_out, 1) == held_out  # for any seed


def test_held_out_mistakes(mocked):
    for number, message in ((5000, "fewer than the 5000 images"), (-1, "0 or more")):
        with pytest.raises(UserError, match=message):
            data.open_source(data.DataOptions("digits", 8, held_out=number))
    options = dict(batch_size=8, held_out=3)
    with pytest.raises(UserError, match="'ring' is not read by index"):
        data.open_source(data.DataOptions("ring", **options))
    with pytest.raises(UserError, match="raise data.cache_mib"):
        data.open_source(
            data.DataOptions("tfds:cifar10", cache_mib=0, **options), mocked
        )


@pytest.mark.parametrize(
    "side, number, expected",
    [(64, 25, 8), (64, 250, 8), (64, 1000, 32), (32, 5000, 64), (128, 5000, 16)]
    + [(256, 5000, 8), (28, 0, 64), (64, 0, 64)],
)
def test_batch_size_is_chosen_by_number_and_size(side, number, expected):
    info = data.DataInfo((side, side, 3), num_examples=number)
    assert data.choose_batch_size(info) == expected


def test_chosen_batch_size_is_said_and_taken_for_every_update():
    options = data.DataOptions("digits", batch_size=0)
    source = data.open_source(options, batches_per_step=5)
    assert source.notes == (
        "batch_size 64: chosen for 5000 images of 28 pixels "
        "(data.batch_size=... sets another)",
    )
    [(pictures, _)] = take(source.stream(0), 1)
    assert len(pictures) == 320

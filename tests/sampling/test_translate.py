"""Translation: tiles, files and folders, exports of a fixed and of any size."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import keras_gans
from harness import ROOT, in_tiers
from keras_gans import provenance, sample
from keras_gans.data import images
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SamplerError
from keras_gans.errors import UserError
from keras_gans.export.__main__ import main as export_main
from keras_gans.models.pix2pix import Pix2Pix
from keras_gans.sampling import keras_sampler, load

ONE_RUN = pytest.mark.xdist_group("pix2pix")
NOISE = np.random.default_rng(0)


class Function(BaseSampler):
    """Sampler that applies a function of float32 [1, height, width, channels]."""

    def __init__(self, function, side=16, scale=1, channels=3, **info):
        self.function, self.seen = function, []
        self.info = {
            "name": "function",
            "step": 1,
            "recipe": "",
            "condition_shape": [side, side, channels],
            "image_shape": [scale * side, scale * side, channels],
            **info,
        }

    def run(self, inputs):
        """Apply the function, and record the shape of its input."""
        self.seen.append(inputs["condition"].shape)
        return self.function(inputs["condition"])


def noise(height, width, channels=3):
    return NOISE.integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(
    "size, tile, overlap",
    [
        ((16, 16), 16, 0),
        ((17, 40), 16, 8),
        ((100, 30), 32, 5),
        ((33, 200), 32, 16),
        ((64, 64), 32, None),
        ((5, 90), 16, 3),
    ],
)
def test_tiles_of_what_looks_at_one_pixel_are_the_whole(size, tile, overlap, scale):
    def function(x):
        return np.sin(3 * x).repeat(scale, axis=1).repeat(scale, axis=2)

    picture = noise(*size)
    sampler = Function(function, scale=scale)
    whole = sampler_lib.to_uint8(function(images.to_float(picture[None])))[0]
    made = sampler.translate(picture, tile, overlap)
    np.testing.assert_array_equal(made, whole)
    # Memory is constant: one tile at a time, all of one size, at most `tile`.
    assert len(set(sampler.seen)) == 1 and sampler.seen[0][0] == 1
    assert max(sampler.seen[0][1:3]) <= tile


@pytest.mark.parametrize(
    "scale, expected", [(1, (512, 32)), (2, (256, 16)), (4, (128, 8))]
)
def test_tiles_are_as_large_as_the_memory_of_their_result_allows(scale, expected):
    sampler = Function(lambda x: x, scale=scale)
    assert sampler.tiling(None, None) == expected
    assert sampler.tiling(600, None) == (600, expected[1])
    assert sampler.tiling(None, 20) == (expected[0], 20)


def test_tiles_leave_no_seams():
    """Neither a blur nor a normalization over the whole tile leaves visible seams."""
    rows, columns = np.mgrid[:150, :190] / 150
    smooth = np.cos(5 * rows + 3 * columns**2)[..., None].repeat(3, axis=2)
    picture = sampler_lib.to_uint8(smooth)

    def blur(x):  # zeros beyond the edges of a tile, as in a padded convolution
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return sum(
            padded[:, i : i + x.shape[1], j : j + x.shape[2]]
            for i in range(5)
            for j in range(5)
        ) / np.float32(25)

    inside = slice(2, -2), slice(2, -2)
    tiled = Function(blur).translate(picture, 64, 24)[inside].astype(int)
    whole = Function(blur).translate(picture, 256)[inside].astype(int)
    assert np.abs(tiled - whole).mean() < 1
    step = max(np.abs(np.diff(whole, axis=a)).max() for a in (0, 1))
    for axis in (0, 1):
        assert np.abs(np.diff(tiled, axis=axis)).max() <= step + 4

    def normalize(x):  # as in instance normalization: each tile is shifted
        return 0.5 * x - 0.5 * x.mean(axis=(1, 2), keepdims=True)

    tiled = Function(normalize).translate(picture, 64, 32).astype(int)
    whole = Function(normalize).translate(picture, 256).astype(int)
    step = max(np.abs(np.diff(whole, axis=a)).max() for a in (0, 1))
    assert np.abs(tiled - whole).max() > 20  # tiles differ clearly from the whole
    for axis in (0, 1):
        assert np.abs(np.diff(tiled, axis=axis)).max() <= step + 128 / 32 + 1


def test_starts_cover_a_side_evenly():
    for side in range(20, 200, 7):
        for overlap in (0, 3, 10):
            starts = sampler_lib.tile_starts(side, 20, overlap)
            assert starts[0] == 0 and starts[-1] == side - 20
            steps = np.diff(starts)
            assert not len(steps) or 0 < steps.min() <= steps.max() <= 20 - overlap
            assert not len(steps) or steps.max() - steps.min() <= 1


def test_blend_hands_over_linearly():
    ones, zeros = np.ones((6, 2)), np.zeros((6, 2))
    joined = np.concatenate(list(sampler_lib.blend([zeros, ones], [0, 3])))
    expected = [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    np.testing.assert_allclose(joined, np.stack([expected] * 2, axis=1))


def test_small_pictures_are_mirrored_up_to_the_size_of_training():
    sampler = Function(lambda x: x[:, ::-1])  # flips upside down
    picture = noise(3, 16)
    made = sampler.translate(picture)
    assert sampler.seen == [(1, 16, 16, 3)]
    mirrored = np.concatenate([picture, picture[::-1]] * 3)[:16]
    np.testing.assert_array_equal(made, mirrored[::-1][:3])
    assert Function(np.sign).translate(noise(1, 1)).shape == (1, 1, 3)


def test_mistakes_in_translating_are_named():
    sampler = Function(np.tanh)
    fixed = Function(np.tanh, tile=16)
    latents = Function(np.tanh)
    del latents.info["condition_shape"]
    for call, message in (
        (lambda: sampler.translate(noise(20, 20, 1)), "image: expected uint8"),
        (lambda: sampler.translate(noise(20, 20) / 255), "got float64 [20, 20, 3]"),
        (lambda: sampler.translate(noise(20, 20)[0]), "image: expected uint8"),
        (lambda: sampler.translate(noise(0, 20)), "image: expected uint8"),
        (lambda: sampler.translate(noise(20, 20), 15), "tile: expected at least 16"),
        (lambda: sampler.translate(noise(20, 20), 16, 9), "overlap: expected 0 to 8"),
        (lambda: sampler.translate(noise(20, 20), 16, -1), "overlap: expected 0 to 8"),
        (lambda: fixed.translate(noise(20, 20), 32), "takes only 16x16 pixels"),
        (lambda: sampler.sample(2), "translates images"),
        (lambda: sampler.latents([0]), "translates images"),
        (lambda: latents.translate(noise(20, 20)), "generates images from noise"),
    ):
        with pytest.raises(SamplerError) as caught:
            call()
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_files_become_files_and_folders_folders(tmp_path, capsys):
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    kinds = {"a.png": "RGB", "b.jpg": "L", "c.webp": "RGBA", "d.JPEG": "RGB"}
    for i, (name, mode) in enumerate(kinds.items()):
        Image.fromarray(noise(10 + i, 20)).convert(mode).save(given / name)
    (given / "bad.png").write_bytes((given / "a.png").read_bytes()[:90])
    (given / "notes.txt").write_text("mine")
    sampler = Function(lambda x: -x, channels=1, backward=True)
    sampler_lib.translate_files(sampler, str(given), str(out))
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1 and f"skipped {given / 'bad.png'}: " in shown.err
    assert shown.out == f"wrote 4 of 5 images to {out} (1 could not be read)\n"
    assert sorted(os.listdir(out)) == ["a.png", "b.png", "c.png", "d.png"]
    for name in kinds:
        picture = sampler_lib.read(str(given / name), 1)
        made = np.asarray(Image.open(out / f"{name[0]}.png"))
        assert np.abs(made.astype(int) - (255 - picture[..., 0].astype(int))).max() <= 1
        about = provenance.read(str(out / f"{name[0]}.png"))
        assert about["input"] == name and about["backward"] is True
    # Earlier results are overwritten. A single input file gives the same bytes.
    before = (out / "a.png").read_bytes()
    sampler_lib.translate_files(sampler, str(given), str(out))
    one = tmp_path / "one.png"
    sampler_lib.translate_files(sampler, str(given / "a.png"), str(one))
    assert one.read_bytes() == before == (out / "a.png").read_bytes()


def test_nothing_of_the_users_is_written_over(tmp_path, capsys):
    given, out = tmp_path / "given", tmp_path / "out"
    for folder in (given, out, tmp_path / "empty", tmp_path / "bad"):
        folder.mkdir()
    for name in ("given/a.png", "given/a.jpg", "given/b.png", "out/b.png"):
        Image.fromarray(noise(20, 20)).save(tmp_path / name)
    (tmp_path / "bad" / "c.png").write_text("none")
    (tmp_path / "link.png").symlink_to(given / "a.png")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    sampler = Function(np.tanh)
    for source, target, message in (
        ("given/a.png", "given/a.png", "the same file as --input"),
        ("given/a.png", "link.png", "the same file as --input"),
        ("given", "given", "the same folder as --input"),
        ("given", "new", "would both become"),
        ("given", "x.png", "expected a folder, since --input is"),
        ("given", "out/b.png", "expected a folder, since --input is"),
        ("given", "no/such", "is not a writable folder"),
        ("given/a.png", "x.gif", "expected a name that ends in .png"),
        ("given/a.png", "no/x.png", "is not a writable folder"),
        ("given/none.png", "x.png", "no such file or folder"),
        ("bad/c.png", "x.png", "not an image"),
        ("empty", "new", "no images; expected files that end in .png"),
        ("bad", "new", "none of the images can be read"),
    ):
        with pytest.raises(SamplerError) as caught:
            source, target = str(tmp_path / source), str(tmp_path / target)
            sampler_lib.translate_files(sampler, source, target)
        assert message in str(caught.value) and "\n" not in str(caught.value)
    (given / "a.jpg").unlink()
    with pytest.raises(SamplerError, match="b.png exists and was not written"):
        sampler_lib.translate_files(sampler, str(given), str(out))
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == {k: v for k, v in before.items() if k.name != "a.jpg"}
    assert not (tmp_path / "new").exists()


def test_pictures_are_read_alike_at_any_size(tmp_path):
    path = tmp_path / "a.png"
    picture = Image.fromarray(noise(7, 9)).convert("RGBA")
    picture.putalpha(Image.fromarray(noise(7, 9, 1)[..., 0]))
    picture.save(path)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    turned = tmp_path / "b.jpg"
    picture.convert("RGB").save(turned, exif=exif)
    assert sampler_lib.read(str(path), 3).shape == (7, 9, 3)
    assert sampler_lib.read(str(turned), 1).shape == (9, 7, 1)
    square = picture.crop((0, 0, 7, 7))
    square.save(path)
    found = sampler_lib.read(str(path), 3)
    np.testing.assert_array_equal(images.read(str(path), 7, 3), found)


@pytest.mark.second
@ONE_RUN
def test_workdir_saved_model_and_any_size_tflite_make_the_same(smoke_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(smoke_run("pix2pix"), run)
    assert export_main([f"--workdir={run}", "--size=0", "--to=tflite"]) == 0
    [row] = json.loads((run / "export" / "report.json").read_text())
    assert row["file"] == "generator_any_size.tflite"
    assert row["largest_deviation"] < 1e-4
    names = ["", "export/saved_model", "export/generator_any_size.tflite"]
    ours, *others = (keras_gans.load(str(run / name)) for name in names)
    assert others[1].info["tile"] == 0
    for height, width in ((16, 16), (23, 50), (40, 17), (3, 5)):
        picture = noise(height, width, 1)
        source = images.to_float(picture[None]) if height > 15 else None
        expected = ours.translate(picture, 32, 8).astype(int)
        assert expected.shape == (height, width, 1)
        for other in others:
            apart = np.abs(other.translate(picture, 32, 8) - expected)
            assert apart.max() <= 1 and (apart == 0).mean() > 0.99
            if source is not None:
                apart = other.run({"condition": source}) - ours.run(
                    {"condition": source}
                )
                assert np.abs(apart).max() < 1e-4


@ONE_RUN
def test_fixed_tflite_makes_any_size_by_tiles(smoke_run, tmp_path):
    run = smoke_run("pix2pix")
    ours = load.load(str(run))
    fixed = load.load(str(run / "export" / "generator.tflite"))
    assert fixed.info["tile"] == 16
    for picture in (noise(16, 16, 1), noise(5, 40, 1), noise(33, 20, 1)):
        expected = ours.translate(picture, 16, 8).astype(int)
        assert np.abs(fixed.translate(picture) - expected).max() <= 1
    with pytest.raises(SamplerError, match="takes only 16x16 pixels, got 20x20"):
        fixed.run({"condition": np.zeros((1, 20, 20, 1), np.float32)})


@ONE_RUN
def test_saved_model_makes_pictures_in_plain_tensorflow(smoke_run, tmp_path):
    run = smoke_run("pix2pix")
    files = []
    for i, (mode, kind) in enumerate(
        [("RGB", "PNG"), ("RGBA", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("L", "JPEG")]
    ):
        path = tmp_path / f"{i}.{kind.lower()}"
        picture = Image.fromarray(noise(16 + i, 30, 4)).convert(mode)
        picture.save(path, kind)
        files.append(path)
    np.save(tmp_path / "pictures.npy", noise(2, 20, 24)[..., None])
    code = f"""
import sys
sys.modules["keras_gans"] = sys.modules["keras"] = None  # may not be imported
import numpy as np
import tensorflow as tf
signatures = tf.saved_model.load({str(run / "export/saved_model")!r}).signatures
assert set(signatures) == {{"generate", "serving_default", "translate", "png"}}
pictures = np.load("pictures.npy")
made = signatures["translate"](pictures=tf.constant(pictures))["images"].numpy()
assert made.dtype == np.uint8 and made.shape == pictures.shape
condition = tf.constant(pictures, tf.float32) / 127.5 - 1
for name in ("generate", "serving_default"):
    images = signatures[name](condition=condition)["images"].numpy()
    np.testing.assert_array_equal(np.round((images + 1) * 127.5), made)
np.save("made.npy", made)
files = tf.stack([tf.io.read_file(name) for name in {list(map(str, files))!r}])
for i, png in enumerate(signatures["png"](files=files)["png"].numpy()):
    open(f"made{{i}}.png", "wb").write(png)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    ours = load.load(str(run))
    made = np.load(tmp_path / "made.npy").astype(int)
    for picture, one in zip(np.load(tmp_path / "pictures.npy"), made, strict=True):
        assert np.abs(ours.translate(picture) - one).max() <= 1
    for i, path in enumerate(files):
        found = np.asarray(Image.open(tmp_path / f"made{i}.png")).astype(int)
        expected = ours.translate(sampler_lib.read(str(path), 1))[..., 0]
        # TensorFlow rounds the gray levels of RGB images differently.
        assert np.abs(found - expected).max() <= 3, path
    card = (run / "export/saved_model/assets.extra/README.md").read_text()
    assert "images, the size of the condition image, 1 channel" in card
    assert "trained on 16 x 16" in card


@ONE_RUN
def test_sampler_translates_alone_without_tensorflow(smoke_run, tmp_path):
    shutil.copy(ROOT / "keras_gans" / "device" / "sampler.py", tmp_path)
    tflite = smoke_run("pix2pix") / "export" / "generator.tflite"
    shutil.copy(tflite, tmp_path)
    (tmp_path / "given").mkdir()
    for name, size in (("a.png", (20, 30)), ("b.jpg", (9, 40))):
        Image.fromarray(noise(*size)).save(tmp_path / "given" / name)
    code = """
import sys
for name in ("tensorflow", "keras", "keras_gans", "absl"):
    sys.modules[name] = None  # may not be imported
sys.path.insert(0, ".")
import sampler

def run(*args):
    return sampler.main(["generator.tflite", *args])

assert run("--input=given/a.png", "--out=made.png", "--overlap=4") == 0
assert run("--input=given", "--out=made") == 0
assert run("--input=given/a.png", "--out=x.png", "--label=4") == 2
assert run("--input=given/a.png", "--out=x.png", "--tile=32") == 2
assert run("--out=x.png") == 2
assert run("--benchmark") == 0
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr.count("sampler: ") == 3, done.stderr
    assert "--label is for images generated from noise" in done.stderr
    assert "pass --input=FILE" in done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["milliseconds"] > 0 and found["pictures_per_second"] > 0
    assert sorted(os.listdir(tmp_path / "made")) == ["a.png", "b.png"]
    same = tmp_path / "same.png"
    args = f"--source={tflite}", f"--input={tmp_path / 'given/a.png'}"
    assert sample.main([*args, f"--out={same}", "--overlap=4"]) == 0
    assert same.read_bytes() == (tmp_path / "made.png").read_bytes()
    assert not (tmp_path / "x.png").exists()


@ONE_RUN
@pytest.mark.parametrize(
    "name, args, message",
    [
        ("pix2pix", [], "pix2pix translates images; pass --input"),
        ("pix2pix", ["--interpolate=1"], "pix2pix translates images"),
        ("pix2pix", ["--tile=32"], "--tile is for images to translate; pass"),
        ("pix2pix", ["--backward"], "--backward is for images to translate"),
        ("pix2pix", ["--input=IN", "--num=4"], "--num is for images generated"),
        ("pix2pix", ["--input=IN", "--shift=1"], "--shift is for images generated"),
        ("pix2pix", ["--input=IN", "--tile=8"], "tile: expected at least 16"),
        ("pix2pix", ["--input=IN", "--backward"], "in a single direction"),
        ("pix2pix", ["--input=NONE"], "no such file or folder"),
    ],
)
def test_mistakes_in_sampling(smoke_run, tmp_path, capsys, name, args, message):
    picture, out = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(noise(20, 20)).save(picture)
    args = [arg.replace("=IN", f"={picture}") for arg in args]
    run = smoke_run(name)
    capsys.readouterr()
    assert sample.main([f"--source={run}", f"--out={out}", *args]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and not shown.out
    assert not out.exists()


def test_generators_from_noise_take_no_pictures(smoke_run, tmp_path, capsys):
    picture = tmp_path / "in.png"
    Image.fromarray(noise(20, 20)).save(picture)
    run = smoke_run("cgan")
    args = f"--source={run}", f"--input={picture}", f"--out={tmp_path / 'x.png'}"
    capsys.readouterr()
    assert sample.main([*args]) == 2
    assert "cgan generates images from noise and takes no" in capsys.readouterr().err
    assert sample.main([*args, "--backward"]) == 2
    assert "in a single direction" in capsys.readouterr().err
    assert export_main([f"--workdir={run}", "--size=64"]) == 2
    assert "--size is for translation models" in capsys.readouterr().err


# Largest and mean deviation for a network that has hardly been trained: its
# activations use a small part of their ranges.
WITHIN = {"float16": (5e-3, 1e-3), "dynamic": (0.2, 0.02), "int8": (0.5, 0.08)}


@ONE_RUN
@pytest.mark.parametrize("size", in_tiers([None, 0, 24], [], [24]))
def test_tflite_files_of_every_kind_are_near(smoke_run, tmp_path, capsys, size):
    from ai_edge_litert.interpreter import Interpreter

    run = tmp_path / "run"
    shutil.copytree(smoke_run("pix2pix"), run)
    before = (run / "export" / "generator.tflite").read_bytes()
    kinds = ["float32", *WITHIN]
    args = [f"--workdir={run}", f"--quantize={','.join(kinds)}", "--to=tflite"]
    args += [] if size is None else [f"--size={size}"]
    capsys.readouterr()
    assert export_main(args) == 0
    assert capsys.readouterr().err == ""
    rows = json.loads((run / "export" / "report.json").read_text())
    assert rows[0]["largest_deviation"] < 1e-4
    part = {None: "", 0: "_any_size", 24: "_24"}[size]
    if size is not None:
        assert (run / "export" / "generator.tflite").read_bytes() == before
    for kind, row in zip(kinds, rows, strict=True):
        end = "" if kind == "float32" else f"_{kind}"
        assert row["file"] == f"generator{part}{end}.tflite"
        if end:
            largest, mean = WITHIN[kind]
            assert 0 < row["largest_deviation"] < largest
            assert row["mean_deviation"] < mean and row["bytes"] < rows[0]["bytes"]
        path = str(run / "export" / row["file"])
        loaded = load.load(path)
        assert loaded.info["tile"] == (16 if size is None else size)
        assert loaded.translate(noise(30, 50, 1)).shape == (30, 50, 1)
        names = {
            op["op_name"] for op in Interpreter(model_path=path)._get_ops_details()
        }
        assert not [n for n in names if n.startswith("Flex") or n == "CUSTOM"]


@pytest.mark.second
@ONE_RUN
def test_export_of_pictures_says_mistakes_and_measures(
    smoke_run, tmp_path, capsys, monkeypatch
):
    # One core, so that the benchmark uses one thread only.
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    run = tmp_path / "run"
    shutil.copytree(smoke_run("pix2pix"), run)
    (run / "sources.npz").unlink()
    capsys.readouterr()
    for args, message in (
        (["--quantize=int8"], "--quantize=int8 needs the condition images"),
        (["--size=-1"], "--size=-1: pix2pix cannot take images of this size"),
        (["--to=saved_model", "--size=0"], "--size is for .tflite files only"),
    ):
        assert export_main([f"--workdir={run}", *args]) == 2
        shown = capsys.readouterr()
        assert message in shown.err and shown.err.count("\n") == 1 and not shown.out
    # Without `sources.npz`, the files are measured on smooth random images.
    assert export_main([f"--workdir={run}", "--benchmark"]) == 0
    rows = json.loads((run / "export" / "report.json").read_text())
    assert [row["file"] for row in rows] == ["Keras", "saved_model", "generator.tflite"]
    assert all(row["threads"]["1"]["milliseconds"] > 0 for row in rows)
    assert all(row["largest_deviation"] < 1e-4 for row in rows[1:])


def test_examples_are_smooth_and_differ():
    sampler = Function(np.tanh, side=64)
    pictures = sampler.examples(5)
    assert pictures.shape == (5, 64, 64, 3) and pictures.dtype == np.float32
    assert -1 <= pictures.min() < -0.9 and 0.9 < pictures.max() <= 1
    assert np.abs(np.diff(pictures, axis=1)).max() < 0.1
    assert np.abs(pictures[0] - pictures[1]).max() > 0.5
    assert sampler.examples(2, 20).shape == (2, 20, 20, 3)


@pytest.mark.second
@ONE_RUN
def test_model_that_goes_back_is_exported_in_both_directions(
    smoke_run, tmp_path, monkeypatch, capsys
):
    """A Pix2Pix whose backward translator is the generator without moving average."""
    monkeypatch.setattr(Pix2Pix, "bidirectional", True)
    monkeypatch.setattr(
        Pix2Pix,
        "translator",
        lambda self, backward=False: [self.ema_generator, self.generator][backward],
    )
    run = tmp_path / "run"
    shutil.copytree(smoke_run("pix2pix"), run)
    shutil.rmtree(run / "export")
    assert export_main([f"--workdir={run}", "--quantize=float32,int8"]) == 0
    names = sorted(os.listdir(run / "export"))
    assert names == [
        "generator.tflite",
        "generator_backward.tflite",
        "generator_backward_int8.tflite",
        "generator_int8.tflite",
        "report.json",
        "saved_model",
        "saved_model_backward",
    ]
    rows = {r["file"]: r for r in json.loads((run / "export/report.json").read_text())}
    picture, found = noise(16, 16, 1), {}
    for backward in (False, True):
        expected = load.load(str(run), backward=backward).translate(picture)
        for name in ("saved_model", "generator.tflite"):
            stem, dot, ending = name.partition(".")
            name = stem + "_backward" * backward + dot + ending
            loaded = load.load(str(run / "export" / name))
            assert loaded.info.get("backward", False) == backward
            apart = np.abs(loaded.translate(picture).astype(int) - expected)
            assert apart.max() <= 1
            assert rows[name]["largest_deviation"] < 1e-4
        found[backward] = expected
    assert (found[False] != found[True]).any()
    with pytest.raises(UserError, match="use the export of the other direction"):
        load.load(str(run / "export" / "saved_model"), backward=True)
    Image.fromarray(picture[..., 0]).save(tmp_path / "in.png")
    args = f"--source={run}", f"--input={tmp_path / 'in.png'}", "--backward"
    assert sample.main([*args, f"--out={tmp_path / 'out.png'}"]) == 0
    made = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(made, found[True][..., 0])
    assert provenance.read(str(tmp_path / "out.png"))["backward"] is True


@ONE_RUN
def test_info_turns_with_the_direction(smoke_run, monkeypatch):
    monkeypatch.setattr(Pix2Pix, "bidirectional", True)
    sampler = keras_sampler.load_workdir(str(smoke_run("pix2pix")))
    sampler.info["image_shape"] = [16, 16, 3]
    turned = sampler.turned()
    assert turned.info["condition_shape"] == [16, 16, 3]
    assert turned.info["image_shape"] == [16, 16, 1]
    assert "latent_dim" not in turned.info and "backward" not in sampler.info

"""Invisible mark: its effect on images, and its detection by key."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from harness import smoke_model
from keras_gans import benchmark, data
from keras_gans import watermark as command
from keras_gans.device import sampler as sampler_lib
from keras_gans.export import watermark
from keras_gans.export.__main__ import main as main_of_export
from keras_gans.recipes import config
from keras_gans.sampling import keras_sampler, load


def mark(pictures, key="a key", version=watermark.VERSION):
    """Mark uint8 images in NumPy, as the docstring of the method describes."""
    known = watermark.scheme(pictures.shape[1], key, version)
    x = (pictures - 127.5) * (1 - known.margin / 127.5)
    weights = watermark.LUMINANCE if pictures.shape[-1] == 3 else (1.0,)
    # Each mixture is one long vector, not a separable transform.
    rows = np.einsum("vy,ux->uvyx", known.basis, known.basis)
    rows = rows.reshape(*known.signs.shape, -1)
    vectors = (rows * known.signs[..., None]).sum(1)
    at = (x @ np.array(weights)).reshape(len(x), -1) @ vectors.T / known.step
    nearest = np.round(at - known.dither) + known.dither
    pattern = ((nearest - at) * known.step) @ vectors
    x = x + pattern.reshape(*x.shape[:3], 1)
    return np.clip(np.round(x + 127.5), 0, 255).astype(np.uint8)


def graph(pictures, key="a key"):
    """Mark uint8 images with the operations of the exported graph."""
    known = watermark.scheme(pictures.shape[1], key)
    x = sampler_lib.to_float(pictures)
    made = watermark.mark(x, known, pictures.shape[-1]).numpy()
    return sampler_lib.to_uint8(made)


def noise(num, side, channels):
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (num, 8, 8, channels), np.uint8)
    grow = [Image.fromarray(p.squeeze()).resize((side, side)) for p in smooth]
    return np.stack([np.asarray(g).reshape(side, side, channels) for g in grow])


def jpeg(pictures, quality):
    found = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(file, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(file)).reshape(picture.shape))
    return np.stack(found)


def psnr(one, two):
    error = (one.astype(float) - two.astype(float)) ** 2
    return 10 * np.log10(255**2 / error.mean((1, 2, 3)))


def test_graph_does_what_the_docstring_says():
    for side, channels in ((28, 1), (64, 3), (100, 3)):
        pictures = noise(3, side, channels)
        apart = np.abs(graph(pictures).astype(int) - mark(pictures))
        assert apart.max() <= 1 and (apart > 0).mean() < 0.01


def test_vectors_are_orthonormal():
    for side in (16, 28, 64, 256):
        known = watermark.scheme(side, "a key")
        m = len(known.basis)
        np.testing.assert_allclose(known.basis @ known.basis.T, np.eye(m), atol=1e-12)
        assert known.signs.size == m * m
        np.testing.assert_allclose((known.signs**2).sum(1), 1)


def test_marked_pictures_are_found_and_look_alike():
    white = np.full((1, 64, 64, 3), 255, np.uint8)
    pictures = np.concatenate([noise(20, 64, 3), white, 0 * white])
    marked = graph(pictures)
    assert psnr(pictures, marked).min() > 38
    for picture in range(len(pictures)):
        one = slice(picture, picture + 1)
        assert watermark.detect(marked[one], "a key") < 1e-6
        assert watermark.detect(jpeg(marked[one], 75), "a key") < 1e-6
        assert watermark.detect(marked[one], "another key") > 1e-4
        assert watermark.detect(pictures[one], "a key") > 1e-4


def test_p_is_an_upper_bound_whatever_the_picture():
    """For flat, smooth and real images, p <= alpha for a share of keys up to alpha."""
    digits = data.open_source(data.DataOptions("digits", batch_size=1)).images
    for pictures in (
        digits[:1],
        digits[:9],
        np.zeros_like(digits[:1]),
        noise(2, 28, 1),
    ):
        found = np.array([watermark.detect(pictures, str(key)) for key in range(1500)])
        assert found.max() == 1
        for alpha in (0.5, 0.1, 0.02):
            # Tolerance: three standard errors.
            assert (found <= alpha).mean() <= alpha + 3 * (alpha / 1500) ** 0.5
        assert (found < 0.9).mean() > 0.1  # the bound is not trivial


def resized(pictures, share):
    small = round(share * pictures.shape[1])
    found = []
    for picture in pictures:
        image, way = Image.fromarray(picture.squeeze()), Image.Resampling.LANCZOS
        back = image.resize((small, small), way).resize(image.size, way)
        found.append(np.asarray(back).reshape(picture.shape))
    return np.stack(found)


def test_small_images_have_a_stronger_mark_and_count_together():
    """The docs name these sizes and changes."""
    digits = data.open_source(data.DataOptions("digits", batch_size=1)).images
    digits = digits[np.random.default_rng(0).permutation(5000)[:198]]
    marked = graph(digits)
    assert psnr(digits, marked).min() > 33.5

    def found(pictures, size):
        groups = (pictures[i : i + size] for i in range(0, len(pictures), size))
        return np.mean([watermark.detect(g, "a key") < 1e-6 for g in groups])

    assert found(marked, 1) == 1
    assert found(jpeg(marked, 75), 1) > 0.9
    for changed in (jpeg(marked, 75), jpeg(marked, 50), resized(marked, 0.75)):
        assert found(changed, 9) == 1
    assert found(jpeg(digits, 75), 1) == 0
    assert watermark.detect(jpeg(digits, 75), "a key") > 1e-4


@pytest.mark.parametrize("side", [28, 48, 64])
def test_marks_of_version_1_are_found(side):
    marked = mark(noise(9, side, 1), version=1)
    assert watermark.detect(marked, "a key") < 1e-6
    assert watermark.detect(marked, "a kez") > 1e-4
    strengths = [watermark.distortion(side, version) for version in (1, 2)]
    expected = {28: [5, 15], 48: [5, 80 / 9], 64: [5, 5]}[side]
    np.testing.assert_allclose(strengths, expected)


@pytest.mark.second
def test_exports_mark_what_they_make(smoke_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(smoke_run("cgan"), run)
    capsys.readouterr()
    quantize = "--quantize=float32,float16,int8"
    assert main_of_export([f"--workdir={run}", quantize, "--watermark=a key"]) == 0
    rows = {r["file"]: r for r in json.loads((run / "export/report.json").read_text())}
    assert rows["saved_model"]["largest_deviation"] < 1e-4
    assert rows["generator.tflite"]["largest_deviation"] < 1e-4
    plain = load.load(str(run))
    expected = plain.sample(64, seed=0)
    files = "saved_model", *(f"generator{q}.tflite" for q in ("", "_float16", "_int8"))
    for name in files:
        loaded = load.load(str(run / "export" / name))
        assert loaded.info["watermark"] == watermark.VERSION
        assert "a key" not in json.dumps(loaded.info)
        made = loaded.sample(64, seed=0)
        assert watermark.detect(made[:1], "a key") < 1e-6, name
        assert watermark.detect(made, "a kez") > 1e-4
        if name != "generator_int8.tflite":
            assert psnr(expected, made).min() > 33  # includes float16 rounding
    import tensorflow as tf

    loaded = tf.saved_model.load(str(run / "export/saved_model"))
    drawn = loaded.signatures["sample"](
        num=tf.constant(2), seed=tf.constant(1, tf.int64), label=tf.constant(3)
    )["images"]
    assert watermark.detect(drawn.numpy(), "a key") < 1e-6
    assert (
        "invisible mark"
        in (run / "export/saved_model/assets.extra/README.md").read_text()
    )
    assert "watermark" not in plain.info


@pytest.mark.second
def test_benchmark_measures_the_mark(smoke_run, capsys):
    run = smoke_run("cgan")
    capsys.readouterr()
    assert benchmark.main(["watermark", f"--source={run}", "--num=20"]) == 0
    out = capsys.readouterr().out
    assert "| float32 .tflite | nothing | 100.0% | 100.0% |" in out
    assert "| real images, marked | nothing | 100.0% | 100.0% |" in out
    sides = [line.split(" | ")[0] for line in out.splitlines() if ", 100.0% |" in line]
    assert {"| 16", "| 28"} <= set(sides)
    assert "20 unmarked real images, 100 keys each: p is" in out
    assert "0.00000 below 1e-06" in out and "dB at least" in out
    assert "KID (classifier:digits, against 20 training images" in out
    assert benchmark.main(["watermark"]) == 2
    assert "--source: expected the workdir of a run" in capsys.readouterr().err


def test_command_reads_files_folders_and_sheets(tmp_path, capsys):
    pictures = graph(noise(6, 28, 1))
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, picture in enumerate(pictures):
        sampler_lib.save(picture[None], str(tmp_path / "sheet.png"))
        (folder / f"{i}.png").write_bytes(sampler_lib.encode(picture))
    sheet = sampler_lib.grid(pictures, columns=4)  # two empty places
    (tmp_path / "sheet.png").write_bytes(sampler_lib.encode(sheet))
    large = Image.fromarray(pictures[0].squeeze()).resize((56, 56))
    large.save(tmp_path / "large.png")
    capsys.readouterr()

    def said(*args):
        assert command.main([str(a) for a in args]) == 0
        return capsys.readouterr().out

    assert said(folder, "--key=a key") == said("--key", "a key", folder)
    out = said(folder, "--key=a key")
    assert out.count(", marked") == 7 and "all 6 together: p = " in out
    assert said(folder, "--key=a kez").count("no watermark of this key") == 7
    out = said(tmp_path / "sheet.png", "--key=a key", "--size=28")
    assert out.count("marked") == 1 and "6 images together" in out
    row = sampler_lib.grid(pictures[:2], columns=2)  # one image high
    (tmp_path / "row.png").write_bytes(sampler_lib.encode(row))
    out = said(tmp_path / "row.png", "--key=a key", "--size=28")
    assert "marked" in out and "2 images together" in out
    assert "marked" in said(tmp_path / "large.png", "--key=a key", "--size=28")
    assert "no watermark" in said(tmp_path / "large.png", "--key=a key")


def test_mistakes_are_one_line(smoke_run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (30, 20)).save(tmp_path / "wide.png")
    Image.new("L", (12, 12)).save(tmp_path / "small.png")
    wide, key = tmp_path / "wide.png", "--key=word"
    for main, args, message in (
        (command.main, [], "no image; pass its path"),
        (command.main, [str(wide)], "no key; pass the one"),
        (command.main, [str(wide), key], "expected a square image"),
        (command.main, [str(wide), key, "--size=3"], "--size=3: expected 16"),
        (command.main, [str(tmp_path / "none.png"), key], "No such file"),
        (command.main, [str(tmp_path / "text.png"), key], "text.png: "),
        (command.main, [str(tmp_path / "empty"), key], "no files that end in"),
        (command.main, [str(tmp_path / "small.png"), key], "16 pixels or more"),
        (command.main, [str(tmp_path / "small.png"), "--key="], "key is empty"),
        (
            main_of_export,
            [f"--workdir={smoke_run('cgan')}", "--watermark="],
            "is empty",
        ),
    ):
        capsys.readouterr()
        assert main(args) == 2
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1 and message in err, err


@pytest.mark.parametrize(
    "name, message", [("pix2pix", "images of any size"), ("wgan_gp_ring", "points")]
)
def test_what_cannot_be_marked(name, message):
    model, source = smoke_model(name)
    info = keras_sampler.generator_info(
        model, config.load_config(name, smoke=True), source.info
    )
    with pytest.raises(ValueError, match=message):
        watermark.marked(keras_sampler.KerasSampler(model, info), "a key")

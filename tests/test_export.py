"""Exports stand alone: plain TensorFlow, and LiteRT without TensorFlow."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from keras_gans.export import sampler as sampler_lib
from PIL import Image

from keras_gans import sample


def python(code, **kwargs):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, **kwargs
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_saved_model_loads_in_plain_tensorflow(smoke_run, tmp_path):
    path = smoke_run("cgan") / "export" / "saved_model"
    code = f"""
import json, sys
sys.modules["keras_gans"] = sys.modules["keras"] = None  # may not be imported
import tensorflow as tf
signatures = tf.saved_model.load({str(path)!r}).signatures
latents = tf.constant([[0.5] * 8, [-0.5] * 8])
for name in ("generate", "serving_default"):
    images = signatures[name](latents=latents, labels=tf.constant([4, 4]))["images"]
print(json.dumps(images.numpy().tolist()))
"""
    images = np.array(json.loads(python(code, cwd=tmp_path)))
    latents = np.array([[0.5] * 8, [-0.5] * 8], np.float32)
    expected = sample.load(str(path)).generate(latents, np.array([4, 4], np.int32))
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_sampler_runs_alone_without_tensorflow(smoke_run, tmp_path):
    """The one file, away from the package, beside a .tflite."""
    shutil.copy(ROOT / "export" / "sampler.py", tmp_path)
    tflite = smoke_run("cgan") / "export" / "generator.tflite"
    shutil.copy(tflite, tmp_path)
    code = """
import sys
for name in ("tensorflow", "keras", "keras_gans", "absl"):
    sys.modules[name] = None  # may not be imported
sys.path.insert(0, ".")
import sampler
status = sampler.main(["generator.tflite", "--label=4", "--num=16", "--out=four.png"])
assert status == 0
assert sampler.main(["generator.tflite", "--label=40"]) == 2
assert sampler.main(["none.tflite"]) == 2
"""
    python(code, cwd=tmp_path)
    sample.main([f"--source={tflite}", "--label=4", f"--out={tmp_path / 'same.png'}"])
    four, same = (tmp_path / name for name in ("four.png", "same.png"))
    assert four.read_bytes() == same.read_bytes()


def test_sampling_a_tflite_by_command_loads_no_tensorflow(smoke_run, tmp_path):
    tflite = smoke_run("cgan") / "export" / "generator.tflite"
    code = (
        "import sys; from keras_gans import sample; "
        f"assert sample.main(['--source={tflite}', '--out=x.png']) == 0; "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    python(code, cwd=tmp_path)


def test_exports_describe_themselves(smoke_run, tmp_path):
    workdir = smoke_run("cgan")
    infos = [
        sample.load(str(source)).info
        for source in (
            workdir,
            workdir / "export" / "saved_model",
            workdir / "export" / "generator.tflite",
        )
    ]
    assert infos[0] == infos[1] == infos[2]
    info = infos[0]
    assert info["latent_dim"] == 8 and info["num_classes"] == 10
    assert info["class_names"] == list("0123456789") and info["step"] == 6
    assert "MNIST" in info["data_credit"]
    assert info["recipe"] == (workdir / "config.toml").read_text()


def test_an_average_is_exported_not_the_last_weights(smoke_run):
    sampler = sample.load(str(smoke_run("cgan")))
    latents = sampler.latents(range(4))
    labels = np.zeros(4, np.int32)
    inputs = {"latents": latents, "labels": labels}
    exported = sampler.generate(latents, labels)
    np.testing.assert_allclose(exported, sampler.model.ema_generator(inputs), atol=1e-6)
    assert np.abs(exported - sampler.model.generator(inputs)).max() > 1e-4


def test_latents_depend_on_seed_and_index_alone():
    draw = sampler_lib.draw_latents
    a = draw(3, range(6), 5, "normal")
    np.testing.assert_array_equal(draw(3, [4, 2], 5, "normal"), a[[4, 2]])
    assert not np.allclose(draw(4, range(6), 5, "normal"), a)
    many = draw(0, range(2000), 20, "normal")
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02
    flat = draw(0, range(2000), 20, "uniform")
    assert np.abs(flat).max() <= 1 and abs(flat.std() - 1 / np.sqrt(3)) < 0.02
    # a promise over versions: the stream is Philox's with the key (seed, index)
    stream = np.random.Generator(np.random.Philox(key=np.array([3, 4], np.uint64)))
    np.testing.assert_array_equal(a[4], stream.standard_normal(5, np.float32))


def test_threshold_draws_again_what_lies_beyond_it():
    draw = sampler_lib.draw_latents
    plain = draw(3, range(200), 20, "normal")
    cut = draw(3, range(200), 20, "normal", threshold=0.5)
    assert np.abs(cut).max() <= 0.5
    inside = np.abs(plain) <= 0.5
    np.testing.assert_array_equal(cut[inside], plain[inside])
    # the truncated normal's own law, not a clipped one
    assert cut.std() == pytest.approx(0.2840, abs=0.01)
    assert (np.abs(cut) > 0.49).mean() < 0.05
    np.testing.assert_array_equal(draw(3, [7], 20, "normal", 0.5), cut[[7]])
    for law, threshold in (("uniform", 0.5), ("normal", 0.01), ("normal", np.nan)):
        with pytest.raises(sampler_lib.SamplerError, match="threshold: expected"):
            draw(3, range(2), 5, law, threshold)


def test_codes_of_infogan_are_set_and_swept(smoke_run, tmp_path, capsys):
    workdir = smoke_run("infogan")
    sampler = sample.load(str(workdir / "export" / "generator.tflite"))
    assert sampler.info["num_codes"] == 2 and sampler.info["num_classes"] == 10
    assert sampler.info["class_names"][3] == "code 3"
    latents = sampler.latents(range(4))
    latents[:, -2] = 0.25
    expected = sampler_lib.to_uint8(
        sampler.generate(latents, np.full(4, 3, np.int32))
    ).astype(int)
    actual = sampler.sample(4, labels=3, codes={0: 0.25})
    np.testing.assert_array_equal(actual, expected)
    # a row for each value of the categorical code, a column for each of the other
    out = tmp_path / "codes.png"
    args = [f"--source={workdir}", f"--out={out}"]
    assert sample.main([*args, "--code=1:-2,2", "--num=5"]) == 0
    sheet = np.asarray(Image.open(out)).astype(int)
    assert sheet.shape == (10 * 30 + 2, 5 * 30 + 2)
    latents = np.repeat(sampler.latents([0]), 5, axis=0)
    latents[:, -1] = np.linspace(-2, 2, 5)
    row = sampler_lib.to_uint8(sampler.generate(latents, np.full(5, 7, np.int32)))
    for i, picture in enumerate(row):
        top, left = 2 + 7 * 30, 2 + i * 30
        shown = sheet[top : top + 28, left : left + 28]
        assert np.abs(shown - picture[..., 0].astype(int)).max() <= 1
    for wrong, message in (
        ("--code=2:1", "code 2: infogan has codes 0 to 1"),
        ("--code=0", "expected K:VALUE or K:FROM,TO"),
        ("--code=0:1,2,3", "expected K:VALUE or K:FROM,TO"),
    ):
        capsys.readouterr()
        assert sample.main([*args, wrong]) == 2
        message_shown = capsys.readouterr().err
        assert message in message_shown and message_shown.count("\n") == 1
    with pytest.raises(sampler_lib.SamplerError, match="cgan has no codes"):
        sample.load(str(smoke_run("cgan"))).sample(2, codes={0: 1.0})


def test_points_are_drawn_as_a_scatter():
    points = np.array([[0, 0], [255, 255], [10, 200]], np.uint8).reshape(3, 1, 1, 2)
    sheet = sampler_lib.sheet(points)
    assert sheet.shape == (512, 512, 3)
    dark = {tuple(p) for p in np.argwhere(sheet[..., 0] < 100)}
    corners = {(510, 0), (0, 510), (510 - 400, 20)}  # (row, column), y from below
    assert dark == {(r + i, c + j) for r, c in corners for i in (0, 1) for j in (0, 1)}
    circled = sampler_lib.scatter(points[:1], [(127.5, 127.5, 20)])
    ring = np.argwhere(circled[..., 0] == 230)
    distances = np.hypot(ring[:, 1] - 255, ring[:, 0] - 255)
    assert len(ring) > 100 and np.abs(distances - 40).max() < 1.5


def test_slerp_walks_on_the_sphere():
    start, end = np.array([3.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])
    walk = sampler_lib.slerp(start, end, 4)
    degrees = np.radians([0, 30, 60, 90])
    expected = 3 * np.stack([np.cos(degrees), np.sin(degrees), 0 * degrees], axis=1)
    np.testing.assert_allclose(walk, expected, atol=1e-6)
    np.testing.assert_allclose(sampler_lib.slerp(start, 2 * start, 3)[1], 1.5 * start)


def test_grid_places_pictures_in_rows():
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 2, 3, 1), np.uint8
    )
    sheet = sampler_lib.grid(pictures, columns=3)
    assert sheet.shape == (2 * 4 + 2, 3 * 5 + 2, 1)
    for i in range(5):
        top, left = 2 + i // 3 * 4, 2 + i % 3 * 5
        assert (sheet[top : top + 2, left : left + 3] == i).all()
    assert (sheet[:2] == 255).all() and (sheet[6:8, 12:15] == 255).all()


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    out = tmp_path / "x.png"
    picture = np.zeros((1, 4, 4, 1), np.uint8)
    sampler_lib.save(picture, str(out))
    old = out.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    try:
        sampler_lib.save(picture + 1, str(out))
    except sampler_lib.SamplerError as error:
        assert "No space left" in str(error)
    assert out.read_bytes() == old

"""Exports work alone: in plain TensorFlow, and in LiteRT without TensorFlow."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness import ROOT
from keras_gans import sample
from keras_gans.device import sampler as sampler_lib
from keras_gans.sampling import load


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
    expected = load.load(str(path)).generate(latents, np.array([4, 4], np.int32))
    np.testing.assert_allclose(images, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["cgan", pytest.param("stylegan2", marks=pytest.mark.release)]
)
def test_saved_models_are_layers_of_keras(smoke_run, name):
    """`TFSMLayer` takes the inputs of a SavedModel in one dictionary."""
    import keras

    path = str(smoke_run(name) / "export" / "saved_model")
    layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    sampler = load.load(path)
    inputs = {"latents": np.full((2, 8), 0.5, np.float32), "labels": np.array([4, 2])}
    inputs["labels"] = inputs["labels"].astype(np.int32)
    for key, spec in sampler.info["inputs"].items():
        inputs[key] = np.full((2, *spec["shape"]), spec["default"], np.float32)
    images = layer(inputs)["images"]
    expected = sampler.generate(inputs["latents"], inputs["labels"])
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_sampler_runs_alone_without_tensorflow(smoke_run, tmp_path):
    """`sampler.py` and a .tflite file work without the rest of the package."""
    shutil.copy(ROOT / "keras_gans" / "device" / "sampler.py", tmp_path)
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
        load.load(str(source)).info
        for source in (
            workdir,
            workdir / "export" / "saved_model",
            workdir / "export" / "generator.tflite",
        )
    ]
    assert infos[2].pop("quantization") == "float32"
    assert infos[0] == infos[1] == infos[2]
    info = infos[0]
    assert info["latent_dim"] == 8 and info["num_classes"] == 10
    assert info["class_names"] == list("0123456789") and info["step"] == 6
    assert "MNIST" in info["data_credit"]
    assert info["recipe"] == (workdir / "config.toml").read_text()


def test_an_average_is_exported_not_the_last_weights(smoke_run):
    sampler = load.load(str(smoke_run("cgan")))
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
    # Every version uses the stream of Philox with the key (seed, index).
    stream = np.random.Generator(np.random.Philox(key=np.array([3, 4], np.uint64)))
    np.testing.assert_array_equal(a[4], stream.standard_normal(5, np.float32))


def test_threshold_draws_again_what_lies_beyond_it():
    draw = sampler_lib.draw_latents
    plain = draw(3, range(200), 20, "normal")
    cut = draw(3, range(200), 20, "normal", threshold=0.5)
    assert np.abs(cut).max() <= 0.5
    inside = np.abs(plain) <= 0.5
    np.testing.assert_array_equal(cut[inside], plain[inside])
    # The values follow a truncated normal distribution; they are not clipped.
    assert cut.std() == pytest.approx(0.2840, abs=0.01)
    assert (np.abs(cut) > 0.49).mean() < 0.05
    np.testing.assert_array_equal(draw(3, [7], 20, "normal", 0.5), cut[[7]])
    for law, threshold in (("uniform", 0.5), ("normal", 0.01), ("normal", np.nan)):
        with pytest.raises(sampler_lib.SamplerError, match="threshold: expected"):
            draw(3, range(2), 5, law, threshold)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"seed": -1}, "seed: expected 0 to"),
        ({"seed": 2**64}, "seed: expected 0 to"),
        ({"truncation": [0.5, 1.5]}, "truncation: expected 0 to 1"),
        ({"truncation": np.nan}, "truncation: expected 0 to 1"),
        ({"shift": np.inf}, "shift: expected a finite number"),
        ({"codes": {1: np.nan}}, "code 1: expected a finite number"),
        ({"noise": 1.5}, "noise: expected 0 to 1"),
    ],
)
def test_options_out_of_range_are_said_before_a_generator_is_asked(options, message):
    with pytest.raises(sampler_lib.SamplerError, match=message):
        sampler_lib.SampleOptions(**options)


def test_codes_of_infogan_are_set_and_swept(smoke_run, tmp_path, capsys):
    workdir = smoke_run("infogan")
    sampler = load.load(str(workdir / "export" / "generator.tflite"))
    assert sampler.info["num_codes"] == 2 and sampler.info["num_classes"] == 10
    assert sampler.info["class_names"][3] == "code 3"
    latents = sampler.latents(range(4))
    latents[:, -2] = 0.25
    expected = sampler_lib.to_uint8(
        sampler.generate(latents, np.full(4, 3, np.int32))
    ).astype(int)
    actual = sampler.sample(4, labels=3, codes={0: 0.25})
    np.testing.assert_array_equal(actual, expected)
    # Rows: values of the categorical code. Columns: values of the continuous code.
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
        load.load(str(smoke_run("cgan"))).sample(2, codes={0: 1.0})


def test_points_are_drawn_as_a_scatter():
    points = np.array([[0, 0], [255, 255], [10, 200]], np.uint8).reshape(3, 1, 1, 2)
    sheet = sampler_lib.sheet(points)
    assert sheet.shape == (512, 512, 3)
    dark = {tuple(p) for p in np.argwhere(sheet[..., 0] < 100)}
    corners = {(510, 0), (0, 510), (510 - 400, 20)}  # (row, column); y points up
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


def test_saved_model_draws_by_itself(smoke_run, tmp_path):
    path = smoke_run("cgan") / "export" / "saved_model"
    code = f"""
import sys
sys.modules["keras_gans"] = sys.modules["keras"] = None  # may not be imported
import numpy as np
import tensorflow as tf
signatures = tf.saved_model.load({str(path)!r}).signatures

def draw(name, num, seed, label):
    ask = dict(num=tf.constant(num), seed=tf.constant(seed, tf.int64))
    return signatures[name](**ask, label=tf.constant(label))

images = draw("sample", 12, 3, -1)["images"].numpy()
assert images.shape == (12, 28, 28, 1) and images.dtype == np.uint8
np.testing.assert_array_equal(draw("sample", 5, 3, -1)["images"], images[:5])
assert (draw("sample", 12, 4, -1)["images"].numpy() != images).any(axis=(1, 2, 3)).all()
second = draw("sample", 2, 3, 1)["images"].numpy()  # picture 1, class 1 in both
np.testing.assert_array_equal(second[1], images[1])
assert (second[0] != images[0]).any()
encoded = draw("png", 5, 3, -1)["png"]
for png, image in zip(encoded, images):
    np.testing.assert_array_equal(tf.io.decode_png(png), image)
try:
    draw("sample", 2, 3, 10)
except tf.errors.InvalidArgumentError as error:
    assert "label: expected 0 to 9, or -1 for all classes in turn" in str(error)
else:
    raise AssertionError("a label out of range was drawn")
"""
    python(code, cwd=tmp_path)


def test_drawn_latents_have_their_law(smoke_run, tmp_path):
    """An identity generator returns the latents that the graph draws."""
    import tensorflow as tf

    from keras_gans.export import saved_model

    class Identity:
        def __init__(self, law):
            self.info = {"latent_dim": 50, "latents": law, "num_classes": 0}

        def pictures(self, inputs):
            return inputs["latents"] / 8.0

    for law, spread in (("normal", 1.0), ("uniform", 3**-0.5)):
        pixels = saved_model._sample(Identity(law), 400, tf.constant(1, tf.int64))
        values = (pixels.numpy().astype(float) / 127.5 - 1) * 8
        assert abs(values.mean()) < 0.05 and abs(values.std() - spread) < 0.05
        assert len(np.unique(values.round(3), axis=0)) == 400


def test_points_are_exported_without_png(smoke_run):
    import tensorflow as tf

    path = smoke_run("rsgan_ring") / "export" / "saved_model"
    signatures = tf.saved_model.load(str(path)).signatures
    assert set(signatures) == {"generate", "serving_default", "sample"}


def test_model_card_says_what_it_is(smoke_run):
    folder = smoke_run("cgan") / "export" / "saved_model" / "assets.extra"
    card = (folder / "README.md").read_text()
    assert card.startswith("# cgan\n") and "for\n6 steps" in card
    for text in ("28 x 28", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9", "MNIST by Yann LeCun"):
        assert text in card
    assert (smoke_run("cgan") / "config.toml").read_text().strip() in card


# Upper limits of the largest and the mean deviation, for images in [-1, 1].
WITHIN = {"float16": (5e-3, 1e-3), "dynamic": (0.2, 0.02), "int8": (0.4, 0.03)}


@pytest.mark.parametrize(
    "name",
    [
        "cgan",
        pytest.param("stylegan2", marks=pytest.mark.slow),
        pytest.param("fastgan", marks=pytest.mark.release),
    ],
)
def test_quantised_files_are_smaller_and_near(name, smoke_run, tmp_path, capsys):
    from ai_edge_litert.interpreter import Interpreter

    from keras_gans.export.__main__ import main

    run = tmp_path / "run"
    shutil.copytree(smoke_run(name), run)
    capsys.readouterr()
    asked = ["float32", *WITHIN]
    assert main([f"--workdir={run}", f"--quantize={','.join(asked)}"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and "| generator_int8.tflite |" in out
    rows = {r["file"]: r for r in json.loads((run / "export/report.json").read_text())}
    sampler = load.load(str(run))
    latents = sampler.latents(range(64), sampler_lib.SampleOptions(seed=1))
    labels = sampler.labels(64, None)
    expected = sampler.generate(latents, labels)
    # An untrained stylegan2 exceeds [-1, 1] before clipping: the limits are scaled.
    inputs = sampler.inputs(latents, labels)
    size = max(1.0, np.abs(sampler.model.ema_generator(inputs)).max())
    plain = rows["generator.tflite"]
    assert plain["largest_deviation"] < 1e-4
    for quantization, (largest, mean) in WITHIN.items():
        path = run / "export" / f"generator_{quantization}.tflite"
        row = rows[path.name]
        assert row["bytes"] == path.stat().st_size < plain["bytes"]
        loaded = load.load(str(path))
        assert loaded.info["quantization"] == quantization
        apart = np.abs(loaded.generate(latents, labels) - expected)
        assert apart.max() == pytest.approx(row["largest_deviation"], abs=1e-6)
        assert 0 < apart.max() < largest * size and apart.mean() < mean * size
        interpreter = Interpreter(model_path=str(path))
        operations = {op["op_name"] for op in interpreter._get_ops_details()}
        assert not [n for n in operations if n.startswith("Flex") or n == "CUSTOM"]
        kinds = {t["dtype"] for t in interpreter.get_tensor_details()}
        assert (np.int8 in kinds) == (quantization != "float16")
        assert (np.float16 in kinds) == (quantization == "float16")


@pytest.mark.second
def test_export_command_judges_each_file(smoke_run, tmp_path, capsys):
    from keras_gans.export.__main__ import main

    run = tmp_path / "run"
    shutil.copytree(smoke_run("cgan"), run)
    capsys.readouterr()
    args = [f"--workdir={run}", "--to=tflite", "--quantize=float32,int8"]
    assert main([*args, "--evaluate=40"]) == 0
    assert "| KID | label accuracy |" in capsys.readouterr().out
    plain, small = json.loads((run / "export" / "report.json").read_text())
    assert 0 <= plain["accuracy"] <= 1 and plain["kid"] > 0
    assert small["kid"] == pytest.approx(plain["kid"], rel=0.2)
    assert main([*args, "--evaluate=5"]) == 2
    assert "expected at least 20" in capsys.readouterr().err


@pytest.mark.second
def test_export_command_measures_speed_and_says_mistakes(
    smoke_run, tmp_path, capsys, monkeypatch
):
    from keras_gans.export.__main__ import main

    monkeypatch.setattr("os.cpu_count", lambda: 1)  # measures one thread only
    run = tmp_path / "run"
    shutil.copytree(smoke_run("gan"), run)
    shutil.rmtree(run / "export")
    assert main([f"--workdir={run}", "--to=tflite", "--benchmark"]) == 0
    assert sorted(os.listdir(run / "export")) == ["generator.tflite", "report.json"]
    keras, row = json.loads((run / "export" / "report.json").read_text())
    assert (keras["file"], row["file"]) == ("Keras", "generator.tflite")
    for found in keras["threads"]["1"], row["threads"]["1"]:
        assert found["milliseconds"] > 0 and found["pictures_per_second"] > 0
    assert 10 < found["peak_mib"] < 300  # a process without TensorFlow
    for args, message in (
        ([], "expected the folder of a run"),
        ([f"--workdir={tmp_path}"], "not a run's folder"),
        ([f"--workdir={run}", "--quantize=int4"], "no 'int4'; did you mean 'int8'?"),
        ([f"--workdir={run}", "--to="], "no ''"),
        (
            [f"--workdir={run}", "--to=saved_model", "--quantize=int8"],
            "--quantize is for .tflite files only",
        ),
    ):
        capsys.readouterr()
        assert main(args) == 2
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1 and message in err


def test_sampler_measures_itself(smoke_run, capsys):
    tflite = smoke_run("cgan") / "export" / "generator.tflite"
    capsys.readouterr()  # discards output of the training
    assert sampler_lib.main([str(tflite), "--benchmark"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["milliseconds"] > 0 and found["pictures_per_second"] > 0


def test_pictures_say_where_they_come_from(smoke_run, tmp_path, capsys):
    from keras_gans import provenance

    workdir, out = smoke_run("cgan"), tmp_path / "four.png"
    args = [f"--source={workdir}", "--label=4", "--seed=7", f"--out={out}"]
    assert sample.main(args) == 0
    grid = workdir / "samples" / "step_00000003.png"
    capsys.readouterr()
    assert provenance.main([str(out), str(grid)]) == 0
    drawn, trained = map(json.loads, capsys.readouterr().out.splitlines())
    mark = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert drawn["digital_source_type"] == trained["digital_source_type"] == mark
    assert (drawn["seed"], drawn["label"]) == (7, 4)
    assert drawn["generator"].startswith("cgan-6-")
    assert trained["generator"] == drawn["generator"].replace("-6-", "-3-")
    # Other programs read the mark from the XMP text.
    with Image.open(out) as image:
        assert mark in image.text["XML:com.adobe.xmp"]
    Image.new("L", (4, 4)).save(tmp_path / "other.png")
    for name, message in (
        ("other.png", "records no origin"),
        ("none.png", "No such file"),
    ):
        assert provenance.main([str(tmp_path / name)]) == 2
        assert message in capsys.readouterr().err
    assert provenance.main([]) == 2

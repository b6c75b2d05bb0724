"""Every command: its help, and one line for every mistake."""

import importlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness import ROOT
from keras_gans import sample, train
from keras_gans.device.sampler import SamplerError
from keras_gans.sampling import load

COMMANDS = [
    "train",
    "sample",
    "evaluate",
    "doctor",
    "new",
    "zoo",
    "benchmark",
    "export.saved_model",
    "export.tflite",
    "export.__main__",
    "provenance",
]


def run(command, *args, cwd=None):
    """Run a command as a user does; return (status, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", f"keras_gans.{command}", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    return done.returncode, done.stdout, done.stderr


def fails(main, capsys, *args):
    """Run the command, which must exit with status 2; return its single error line."""
    capsys.readouterr()
    assert main(list(args)) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_it_does_and_every_flag(command, capsys):
    module = importlib.import_module(f"keras_gans.{command}")
    assert module.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert f"python -m keras_gans.{command.removesuffix('.__main__')}" in out
    assert out.startswith(module.__doc__.strip()[:40])
    if command == "train":
        for flag in (
            "model data steps image_size batch_size seed workdir set data_dir export "
            "smoke dry_run strategy resume overwrite"
        ).split():
            assert f"--{flag}\n" in out
    assert "None" not in out and max(map(len, out.splitlines())) < 200


def test_misspelt_model_is_said_before_a_backend_is_loaded(tmp_path):
    code = (
        "import sys; from keras_gans import train; status = train.main(['--model=cgn'])"
        "; print(*{'jax', 'keras', 'tensorflow'} & set(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "\n")
    known = ", ".join(sorted(p.stem for p in (ROOT / "zoo_configs").glob("*.toml")))
    line = f"train: no model 'cgn'; did you mean 'cgan'? Known: {known}\n"
    assert done.stderr == line
    assert not list(tmp_path.iterdir())


def test_answers_to_misspelt_models_load_no_tensorflow():
    code = (
        "import sys; from keras_gans import train; assert train.main(['--model=cgn']) "
        "== 2; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "no model; pass --model=NAME, one of acgan"),
        (["--modle=cgan"], "no flag --modle; did you mean 'model'?"),
        (["--model=cgan", "extra"], "expected only flags, got 'extra'"),
        (["--model=cgan", "--seed=x"], "seed"),
        (["--model=cgan", "--strategy=two"], "strategy"),
        (["--model=cgan", "--export=onnx"], "expected any of saved_model, tflite"),
        (["--model=cgan", "--set=train.stps=3"], "did you mean 'steps'?"),
        (["--model=cgan", "--set=train.steps=x"], "expected int, got 'x' (str)"),
        (["--model=cgan", "--set=data.dataset=digit"], "did you mean 'digits'?"),
        (
            ["--model=cgan", "--set=data.dataset=folder:/no/such"],
            "no folder '/no/such'",
        ),
        (["--model=cgan", "--set=data.dataset=folder:EMPTY"], "no images in"),
        (["--model=cgan", "--set=data.image_size=27"], "4, 5, 6 or 7 doubled"),
        (
            ["--model=cgan", "--set=generator.width=0"],
            "width: expected at least 1 and at most 16384, got 0",
        ),
        (["--model=gan", "--set=generator.latent_dim=-3"], "latent_dim: expected at"),
        (
            ["--model=gan", "--set=discriminator.dropout=1.5"],
            "dropout: expected at lea",
        ),
        (
            ["--model=cgan", "--set=discriminator.depth=-1"],
            "depth: expected at least 0",
        ),
        (
            ["--model=cgan", "--set=generator.init_stddev=-1"],
            "init_stddev: expected at",
        ),
        (
            [
                "--model=gan",
                "--set=g_optimizer.clipnorm=1",
                "--set=g_optimizer.clipvalue=1",
            ],
            "[g_optimizer]: expected one of clipnorm and clipvalue",
        ),
        (["--model=cgan", "--workdir=SITE", "--overwrite"], "not a run's folder"),
        (["--model=cgan", "--workdir=FILE/run"], "FILE' cannot be written to"),
        (["--model=cgan", "--workdir=FILE"], "not a folder"),
        (["--model=cgan", "--workdir=/proc/run"], "--workdir=/proc/run: "),
        (["--model=cgan", "--workdir=OTHER"], "not a run's folder"),
    ],
)
def test_mistakes_in_training(args, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FILE").touch()
    (tmp_path / "OTHER").mkdir()
    (tmp_path / "OTHER" / "thesis.txt").write_text("mine")
    # A foreign folder that also has a config.toml and a folder `export`.
    (tmp_path / "SITE" / "export").mkdir(parents=True)
    (tmp_path / "SITE" / "config.toml").write_text("title = 'site'")
    before = sorted(tmp_path.rglob("*"))
    assert message in fails(train.main, capsys, *args)
    assert sorted(tmp_path.rglob("*")) == before
    if "--workdir=OTHER" in args:  # nor does --overwrite delete foreign files
        fails(train.main, capsys, *args, "--overwrite")
        assert (tmp_path / "OTHER" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "name, expected",
    [("cgan", "cgan needs classes"), ("acgan", '"auxiliary" needs classes')],
)
def test_without_classes_says_what_is_needed(
    tmp_path, capsys, pictures, name, expected
):
    message = fails(
        train.main,
        capsys,
        f"--model={name}",
        "--smoke",
        f"--workdir={tmp_path / 'run'}",
        f"--set=data.dataset=folder:{pictures / 'cats'}",
        "--set=data.image_size=16",
    )
    assert expected in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name, setting, message",
    [
        ("acgan", "discriminator.head=projection", "acgan needs classes"),
        ("acgan", "discriminator.codes=1", "codes: acgan has none"),
        ("cgan", "discriminator.codes=1", 'only head = "auxiliary" predicts codes'),
        ("infogan", "discriminator.head=projection", 'only head = "auxiliary"'),
        ("infogan", "discriminator.codes=0", "got one without"),
        ("infogan", "generator.latent_dim=1", "latent_dim: expected at least"),
        (
            "rsgan_ring",
            "hparams.augment=cutout",
            'expected "" for a data set of points',
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(tmp_path, capsys, name, setting, message):
    workdir = tmp_path / "run"
    args = f"--model={name}", "--smoke", f"--workdir={workdir}", f"--set={setting}"
    assert message in fails(train.main, capsys, *args)
    assert not workdir.exists()


def test_dry_run_prints_a_recipe_that_trains(tmp_path, capsys):
    assert train.main(["--model=gan", "--smoke", "--dry_run"]) == 0
    recipe = tmp_path / "mine.toml"
    recipe.write_text(capsys.readouterr().out)
    args = [f"--model={recipe}", f"--workdir={tmp_path / 'run'}", "--export=none"]
    assert train.main(args) == 0
    assert (tmp_path / "run" / "config.toml").read_text() == recipe.read_text()


@pytest.mark.parametrize(
    "name, args, message",
    [
        ("cgan", ["--label=10"], "label 10: expected 0 to 9"),
        ("cgan", ["--label=-1"], "label -1: expected 0 to 9"),
        ("cgan", ["--label=four"], "label four: expected 0 to 9, or one of 0, 1, 2"),
        ("gan", ["--label=4"], "gan is unconditional and takes no label"),
        ("gan", ["--label=four"], "gan is unconditional and takes no label"),
        ("cgan", ["--num=0"], "expected at least 1, got 0"),
        ("cgan", ["--seed=-1"], "seed: expected 0 to"),
        ("cgan", ["--truncation=1.5"], "truncation: expected 0 to 1, got 1.5"),
        ("cgan", ["--truncation=a"], "--truncation=a: expected a number"),
        ("cgan", ["--truncation=0.5,1"], "truncation: expected one number, got 2"),
        ("cgan", ["--noise=0"], "has no styles"),
        ("cgan", ["--mix=1:2"], "has no styles"),
        ("cgan", ["--mix=1"], "--mix=1: expected SEED:LAYER"),
        ("cgan", ["--shift=1,2,3"], "expected one number or two"),
        ("cgan", ["--shift=much"], "expected one number or two"),
        ("cgan", ["--shift=nan"], "expected one number or two"),
        ("cgan", ["--shift=0,1", "--interpolate=2"], "expected one walk at most"),
        ("cgan", ["--interpolate=2", "--num=1"], "at least 2 frames"),
        ("cgan", ["--out=x.jpg"], "ends in .png"),
        ("cgan", ["--out=none/x.png"], "'none' is not a writable folder"),
        ("cgan", ["--lable=3"], "did you mean 'label'?"),
    ],
)
def test_mistakes_in_sampling(
    name, args, message, smoke_run, tmp_path, capsys, monkeypatch
):
    source = smoke_run(name) / "export" / "generator.tflite"
    monkeypatch.chdir(tmp_path)
    assert message in fails(sample.main, capsys, f"--source={source}", *args)
    assert not list(tmp_path.iterdir())


def test_sources_that_are_none(smoke_run, tmp_path, capsys):
    workdir = smoke_run("cgan")
    content = (workdir / "export" / "generator.tflite").read_bytes()
    (tmp_path / "half.tflite").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.tflite").write_text("no model")
    # The description (a zip) is complete; the model before it is missing.
    start = content.rindex(b"PK\x03\x04")
    (tmp_path / "headless.tflite").write_bytes(b"\0" * 8 + content[start:])
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "saved_model.pb").touch()
    (tmp_path / "young").mkdir()
    for name in ("config.toml", "info.json"):
        (tmp_path / "young" / name).write_bytes((workdir / name).read_bytes())
    for source, message in (
        ("half.tflite", "truncated, or not a .tflite that keras_gans exported"),
        ("text.tflite", "truncated, or not a .tflite that keras_gans exported"),
        ("headless.tflite", "damaged: the model differs from the one"),
        ("none.tflite", "no file"),
        ("none", "got a path that does not exist"),
        ("empty", "expected a workdir, a SavedModel folder or a .tflite"),
        ("foreign", "truncated, or not a SavedModel that keras_gans wrote"),
        ("young", "no checkpoint yet"),
    ):
        args = [f"--source={tmp_path / source}", f"--out={tmp_path / 'x.png'}"]
        assert message in fails(sample.main, capsys, *args), source
    assert not (tmp_path / "x.png").exists()
    assert "--source: expected a generator" in fails(sample.main, capsys)


def test_sampling_writes_grids_and_animations(smoke_run, tmp_path):
    source = f"--source={smoke_run('cgan') / 'export' / 'generator.tflite'}"

    def draw(name, *args):
        out = tmp_path / name
        assert sample.main([source, f"--out={out}", *args]) == 0
        image = Image.open(out)
        frames = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            frames.append(np.asarray(image.convert("L")).astype(int))
        return np.stack(frames)

    grid = draw("a.png", "--label=4", "--num=16", "--seed=3")
    assert grid.shape == (1, 4 * 30 + 2, 4 * 30 + 2)
    sampler = load.load(source.split("=")[1])
    expected = sampler.sample(16, labels=4, seed=3)
    np.testing.assert_array_equal(grid[0, 2:30, 2:30], expected[0, ..., 0])
    np.testing.assert_array_equal(grid[0, 92:120, 92:120], expected[15, ..., 0])

    walk = draw("walk.webp", "--interpolate=1", "--label=4", "--num=9")
    assert walk.shape == (9, 28, 28)
    for frame, seed in ((0, 0), (8, 1)):  # first and last frame: seeds 0 and 1
        end = sampler.sample(1, labels=4, seed=seed)[0, ..., 0]
        assert np.abs(walk[frame] - end).max() <= 1
    steps = np.abs(np.diff(walk, axis=0)).mean(axis=(1, 2))
    assert 0 < steps.max() < np.abs(walk[0] - walk[8]).mean()

    moved = draw("shift.gif", "--shift=-1,1", "--num=5")
    assert len(moved) == 5
    still = sampler.sample(1, labels=0)[0, ..., 0]
    assert np.abs(moved[2] - still).max() <= 4  # the middle frame is not shifted
    shifted = draw("b.png", "--shift=1", "--label=0", "--num=1")[0, 2:30, 2:30]
    assert np.abs(shifted - moved[4]).max() <= 4  # a GIF has 256 colors
    flat = draw("flat.webp", "--interpolate=1", "--truncation=0", "--num=3")
    assert (flat == flat[:1]).all() and np.ptp(flat) > 0
    narrow = draw("c.png", "--truncation=0", "--label=2", "--num=2")
    np.testing.assert_array_equal(narrow[0, 2:30, 2:30], narrow[0, 2:30, 32:60])


def test_label_is_a_number_or_a_name(smoke_run):
    sampler = load.load(str(smoke_run("cgan")))
    assert sampler.label(None) is None
    names = ["bag", "1", "0", *"3456789"]
    sampler.info = {**sampler.info, "class_names": names}
    assert [sampler.label(word) for word in ("bag", "0", "1", "2")] == [0, 2, 1, 2]
    with pytest.raises(SamplerError, match="expected 0 to 9, or one of bag, 1, 0"):
        sampler.label("coat")


def test_exports_can_be_made_later(smoke_run, tmp_path, capsys):
    from keras_gans.export import saved_model, tflite

    workdir = smoke_run("gan")
    exported = workdir / "export" / "generator.tflite"
    old = load.load(exported).sample(4, seed=0)
    exported.unlink()
    assert tflite.main([f"--workdir={workdir}"]) == 0
    assert saved_model.main([f"--workdir={workdir}"]) == 0
    # Bytes may differ: names of layers depend on the layers built before.
    np.testing.assert_array_equal(load.load(exported).sample(4, seed=0), old)
    for main in (tflite.main, saved_model.main):
        assert "expected the folder of a run" in fails(main, capsys)
        assert "not a run's folder" in fails(main, capsys, f"--workdir={tmp_path}")


@pytest.mark.second
def test_exporting_says_nothing_but_its_own_words(smoke_run, tmp_path):
    args = f"--workdir={smoke_run('gan')}"
    status, out, err = run("export.tflite", args, cwd=tmp_path)
    assert status == 0 and out.startswith("exported ") and out.count("\n") == 1
    assert err == ""
    status, out, err = run("export.tflite", "--workdir=/no/such", cwd=tmp_path)
    assert status == 2 and out == "" and err.count("\n") == 1


def test_export_that_cannot_be_written(smoke_run, tmp_path, capsys):
    from keras_gans.export import tflite

    shutil.copytree(smoke_run("gan"), tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "export")
    (tmp_path / "run" / "export").write_text("a file")
    message = fails(tflite.main, capsys, f"--workdir={tmp_path / 'run'}")
    assert "is a file where a folder belongs" in message


def test_other_backends_are_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "keras_gans.train", "--model=gan", "--smoke"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "numpy"},
    )
    assert done.returncode == 2 and "use one of tensorflow, jax" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.second
def test_benchmark_prints_what_it_measures(capsys):
    from keras_gans import benchmark

    shrink = ["--set=generator.width=4", "--set=discriminator.width=4"]
    args = [
        "models",
        "--model=dcgan",
        "--model=gan",
        "--rounds=1",
        "--steps=3",
        *shrink,
    ]
    assert benchmark.main(args[:2] + args[3:]) == 0
    title, row, machine = capsys.readouterr().out.splitlines()[-3:]
    found = dict(zip(title.split()[:3], row.split()[:3], strict=True))
    assert found["model"] == "dcgan" and float(found["steps/s"]) > 0
    assert float(row.split()[-1]) > 100  # MiB
    words = ["input", "--model=cgan", "--rounds=1", "--steps=3"]
    assert benchmark.main(words) == 0
    title, row, machine = capsys.readouterr().out.splitlines()[-3:]
    model, batch, first, rate, number, mib = row.split()
    assert (model, batch, number) == ("cgan", "64", "5000")
    assert 0 < float(first) < 60 and float(rate) > 0 and float(mib) > 100
    assert "expected a benchmark, one of" in fails(benchmark.main, capsys)
    assert "no benchmark 'speed'" in fails(benchmark.main, capsys, "speed")


def test_training_says_nothing_but_its_own_words(tmp_path):
    status, out, err = run(
        "train", "--model=gan", "--smoke", "--export=none", cwd=tmp_path
    )
    assert status == 0 and err == ""
    assert os.listdir(tmp_path) == ["runs"]
    assert "compiling the first step" in out and "\n6/6, in " in out
    rows = (tmp_path / "runs/gan/metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 6

"""Runs, checkpoints and exports of an older version, made by `frozen/make.py`."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from frozen import make
from PIL import Image

from harness import ROOT, in_tiers
from keras_gans import sample, train
from keras_gans.core.gan import BaseGAN
from keras_gans.core.translation import TranslationGAN
from keras_gans.device import sampler as device_sampler
from keras_gans.errors import UserError
from keras_gans.export import sampler as old_sampler
from keras_gans.recipes import build, config, old_names
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir

# The steps of stylegan2 compile slowly.
TRAINED = in_tiers(make.RECIPES, ["cgan"], ["stylegan2"])


@pytest.fixture
def frozen(tmp_path):
    """Return a function that unpacks a recipe's archive: name to folder."""

    def unpack(name):
        with zipfile.ZipFile(ROOT / "tests" / "frozen" / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return unpack


def assert_same_images(actual, expected):
    """Compare uint8 images.

    Images of one machine are equal. Another CPU may add numbers in another order and
    round a value to the neighboring gray level.
    """
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1


def read(path):
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("kind", make.SOURCES)
@pytest.mark.parametrize("name", make.RECIPES)
def test_old_runs_and_exports_draw_what_they_drew(name, kind, frozen):
    folder = frozen(name)
    words = json.loads((folder / "drawn" / "words.json").read_text())
    if name == "pix2pix":
        words = [f"--input={folder / 'drawn' / 'input.png'}"]
    source, out = folder / "run" / make.SOURCES[kind], folder / "out.png"
    assert sample.main([f"--source={source}", *words, f"--out={out}"]) == 0
    expected = read(folder / "drawn" / f"{kind}.png")
    assert expected.std() > 5  # the image is not blank
    assert_same_images(read(out), expected)


@pytest.mark.parametrize("name", make.RECIPES)
def test_old_saved_models_draw_in_plain_tensorflow(name, frozen):
    folder = frozen(name)
    images = make.signature(
        tf.saved_model.load(str(folder / "run" / "export" / "saved_model")),
        read(folder / "drawn" / "input.png") if name == "pix2pix" else None,
    )
    assert_same_images(images, np.load(folder / "drawn" / "signature.npy"))


@pytest.mark.parametrize("name", make.RECIPES)
def test_old_checkpoints_hold_the_whole_state(name, frozen):
    workdir = Workdir(str(frozen(name) / "run"))
    model = build.build_model(*workdir.read())
    path = checkpoint.path_of(workdir.checkpoints, make.STEPS)
    checkpoint.restore(model, path)
    arrays, variables = checkpoint.read(path), checkpoint.named_variables(model)
    assert arrays.keys() == variables.keys()
    for key, variable in variables.items():
        np.testing.assert_array_equal(arrays[key], variable.numpy())
    assert int(model.step.numpy()) == make.STEPS


@pytest.mark.parametrize("name", TRAINED)
def test_old_runs_train_on(name, frozen, monkeypatch):
    """The same command takes two more steps, with the losses of the older version."""
    # At that time each player ran the generator, with a dropout mask of its own.
    monkeypatch.setattr(TranslationGAN, "schedule", BaseGAN.schedule)
    folder = frozen(name)
    run = folder / "run"
    assert "recompute = false" in (run / "config.toml").read_text()
    before = (run / "metrics.jsonl").read_text()
    assert train.main(make.resume_words(name, run)) == 0
    after = (run / "metrics.jsonl").read_text()
    assert after.startswith(before)
    lines = [
        {k: v for line in text.splitlines() for k, v in json.loads(line).items()}
        for text in (after[len(before) :], (folder / "resumed.jsonl").read_text())
    ]
    for line in lines:
        del line["steps_per_second"]
    actual, expected = lines
    assert actual["step"] == make.STEPS + 2
    assert expected.keys() <= actual.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(actual[key], value, rtol=1e-3, atol=1e-4)
    assert "remat = false" in (run / "config.toml").read_text()


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_begins_from_an_old_one(name, frozen, tmp_path, capsys):
    old, new = frozen(name) / "run", tmp_path / "new"
    words = [f"--model={name}", "--smoke", "--export=none", f"--workdir={new}"]
    words += [f"--init_from={old}", "--set=train.steps=1"]
    assert train.main(words) == 0
    shown = capsys.readouterr().out
    assert f"{old}: initialized" in shown and "not initialized" not in shown
    assert checkpoint.steps(Workdir(str(new)).checkpoints) == [1]


def test_old_keys_of_recipes_are_read(tmp_path):
    for recipe in ("cgan", "r3gan"):
        new = config.load_config(recipe, ["train.remat=true"], smoke=True)
        old = config.load_config(recipe, ["train.recompute=true"], smoke=True)
        assert new.train.remat and old == new
    text = new.to_toml()
    assert "remat = true" in text and "recompute" not in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("remat =", "recompute ="))
    assert config.load_config(str(path)) == new
    # `--set` takes precedence over the file, by either name.
    for key in ("remat", "recompute"):
        assert not config.load_config(str(path), [f"train.{key}=false"]).train.remat
    path.write_text(f"{text}\n[smoke.train]\nrecompute = false\n")
    assert not config.load_config(str(path), smoke=True).train.remat
    assert old_names.read_tables(text.replace("remat =", "recompute ="))["train"][
        "remat"
    ]


@pytest.mark.parametrize("smoke", [False, True])
def test_an_old_key_beside_its_new_one_is_a_mistake(smoke, tmp_path):
    words = ["train.remat=true", "train.recompute=true"]
    for overrides in (words, words[::-1]):
        with pytest.raises(UserError, match="--set=train.recompute=true: .* older"):
            config.load_config("cgan", overrides)
    path = tmp_path / "mine.toml"
    more = "[smoke.train]\nremat = true\n" if smoke else ""
    text = config.load_config("cgan").to_toml()
    path.write_text(f"{text}{more}recompute = true\n")  # [train] comes last
    with pytest.raises(UserError) as caught:
        config.load_config(str(path), smoke=smoke)
    where = "mine.toml [smoke]: " if smoke else "mine.toml: "
    assert str(caught.value).startswith(f"{where}'train.recompute' is the older name")


def test_old_keys_of_schedules_keep_their_inner_keys(monkeypatch):
    monkeypatch.setattr(old_names, "OLD_KEYS", {"g_optimizer.rate": "g_optimizer.pace"})
    assert old_names.new_path("g_optimizer.rate.alpha") == "g_optimizer.pace.alpha"
    assert old_names.new_path("d_optimizer.rate.alpha") == "d_optimizer.rate.alpha"


def test_old_groups_of_checkpoints_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "OLD_GROUPS", {"average": "ema_generator"})
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    one, two = np.ones(2), np.zeros(3)
    np.savez(old, **{"average/000": one, "state/000": two})
    found = checkpoint.read(str(old))
    assert list(found) == ["ema_generator/000", "state/000"]
    np.testing.assert_array_equal(found["ema_generator/000"], one)
    # In a file that contains the new name, no group is renamed.
    np.savez(new, **{"average/000": one, "ema_generator/000": two})
    found = checkpoint.read(str(new))
    assert list(found) == ["average/000", "ema_generator/000"]


def test_sampler_keeps_its_old_place(frozen, tmp_path):
    assert old_sampler.main is device_sampler.main
    assert old_sampler.Sampler is device_sampler.Sampler
    model = frozen("cgan") / "run" / "export" / "generator.tflite"
    command = [sys.executable, "-m", "keras_gans.export.sampler", str(model)]
    command += ["--num=1", "--out=x.png"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    expected = device_sampler.Sampler(str(model)).sample(1, seed=0)
    sheet = device_sampler.grid(expected)[..., 0]
    np.testing.assert_array_equal(read(tmp_path / "x.png"), sheet)

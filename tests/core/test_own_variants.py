"""Variants defined outside the package, with one player and with two."""

import json
import pathlib
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import smoke_model
from keras_gans import data, sample, train
from keras_gans.errors import UserError
from keras_gans.recipes import build, config
from keras_gans.sampling import load
from keras_gans.storage import checkpoint

FOLDER = pathlib.Path(__file__).parent / "own_variants"


def rows_of(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def own_config(path, *args, **keywords):
    return config.load_config(str(path), *args, **keywords, allow_code=True)


def run(name, workdir, *args):
    recipe = str(FOLDER / f"{name}.toml")
    return train.main(
        [f"--model={recipe}", f"--workdir={workdir}", "--allow_code", *args]
    )


def check_resume(name, workdir, first, last):
    """Check that a run resumed at step `first` ends with the same variables."""
    whole, parts = (checkpoint.path_of(str(d / "checkpoints"), last) for d in workdir)
    shutil.copytree(*workdir)
    pathlib.Path(parts).unlink()
    kept = checkpoint.steps(str(workdir[1] / "checkpoints"))
    assert kept[-1] == first
    assert run(name, workdir[1], "--export=none") == 0
    ends = [checkpoint.read(path) for path in (whole, parts)]
    assert ends[0].keys() == ends[1].keys()
    for key, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][key], err_msg=key)


def check_exports(workdir):
    """Check that workdir, SavedModel and .tflite generate the same images."""
    draws = []
    for source in ("", "export/saved_model", "export/generator.tflite"):
        sampler = load.load(str(workdir / source), allow_code=True)
        labels = 3 if sampler.info["num_classes"] else None
        draws.append(sampler.sample(4, labels=labels, seed=1).astype(int))
    assert draws[0].shape == (4, 28, 28, 1)
    for others in draws[1:]:
        assert np.abs(others - draws[0]).max() <= 1


def test_users_gan_trains_resumes_exports_and_samples(tmp_path):
    workdir = tmp_path / "run"
    assert run("relativistic", workdir, "--set=hparams.margin=0.5") == 0
    row = rows_of(workdir)[0]
    assert {"d_above", "d_below", "g_above", "real_score", "score_spread"} <= set(row)
    check_exports(workdir)
    out = tmp_path / "digits.png"
    words = [f"--source={workdir}", "--num=4", f"--out={out}", "--allow_code"]
    assert sample.main(words) == 0
    assert out.is_file()
    shutil.rmtree(workdir)
    assert run("relativistic", workdir, "--export=none") == 0
    check_resume("relativistic", (workdir, tmp_path / "parts"), 4, 6)


def test_users_gan_minimises_its_formula():
    recipe = own_config(FOLDER / "relativistic.toml")
    source = data.open_source(recipe.data)
    model = build.build_model(recipe, source.info)
    logits = {"real": np.array([[1.0], [3.0]]), "fake": np.array([[0.0], [-2.0]])}
    model.logits = lambda batch: map(tf.constant, logits.values())
    terms = {k: v.numpy().ravel() for k, v in model.d_losses({}).items()}
    np.testing.assert_allclose(terms["above"], [(1 + 1 - 1) ** 2, (3 + 1 - 1) ** 2])
    np.testing.assert_allclose(terms["below"], [(0 - 2 + 1) ** 2, (-2 - 2 + 1) ** 2])


def test_one_player_has_no_discriminator_and_learns(tmp_path):
    workdir = tmp_path / "run"
    assert run("variational", workdir) == 0
    rows = [row for row in rows_of(workdir) if "g_reconstruction" in row]
    assert rows[-1]["g_reconstruction"] < 0.6 * rows[0]["g_reconstruction"]
    for row in rows:
        assert not [key for key in row if key.startswith("d_") or "score" in key]
    names = {key.split("/")[0] for key in checkpoint.read(newest(workdir))}
    expected = {"generator", "ema_generator", "encoder", "g_optimizer", "state"}
    assert names == expected
    check_exports(workdir)
    check_resume("variational", (workdir, tmp_path / "parts"), 100, 200)


def newest(workdir):
    folder = str(workdir / "checkpoints")
    return checkpoint.path_of(folder, checkpoint.steps(folder)[-1])


def test_recipe_has_the_tables_of_its_variants_networks_and_players():
    path = FOLDER / "variational.toml"
    recipe = own_config(path, ["encoder.width=7"])
    assert recipe.keywords["encoder"] == {"latent_dim": 8, "width": 7}
    assert list(recipe.optimizers) == ["g"]
    with pytest.raises(UserError, match="no table 'd_optimizer'"):
        own_config(path, ["d_optimizer.learning_rate=1.0"])
    with pytest.raises(UserError, match="no table 'encodr'; did you mean 'encoder'"):
        own_config(path, ["encodr.width=7"])


def test_batch_may_come_in_any_form_that_fit_takes():
    recipe = config.load_config("cgan", smoke=True)
    source = data.open_source(recipe.data)
    batch = next(iter(source.stream(0)))
    logs = []
    both = batch["images"], batch["labels"]
    for form in (batch, both, (batch,)):
        model = build.build_model(recipe, source.info)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        logs.append({k: float(v) for k, v in model.train_step(form).items()})
    assert logs[0] == logs[1] == logs[2]
    with pytest.raises(UserError, match="a batch has no part 'labels'"):
        model.train_step(batch["images"])


def test_mistakes_in_a_variant_are_one_line(monkeypatch, tmp_path, capsys):
    recipe = own_config(FOLDER / "relativistic.toml")
    relativistic = sys.modules["relativistic"]
    source = data.open_source(recipe.data)
    model = build.build_model(recipe, source.info)
    batch = next(iter(source.stream(0)))
    images = batch["images"]
    with pytest.raises(UserError, match="expected images, or .* got 3 parts"):
        model.train_step((images, batch["labels"], images))
    model.g_losses = lambda batch: images
    with pytest.raises(UserError, match="RaLSGAN.g_losses: expected named terms"):
        model.train_step(batch)

    def unnamed(image_shape, num_classes, latent_dim: int = 8):
        x = keras.Input((latent_dim,))
        return keras.Model(x, keras.layers.Dense(784)(x))

    monkeypatch.setattr(relativistic, "generator", unnamed)
    assert run("relativistic", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "generator: expected named inputs" in error and error.count("\n") == 1


def test_error_inside_a_users_network_names_its_place(monkeypatch, tmp_path, capsys):
    module = (FOLDER / "relativistic.py").read_text()
    broken = module.replace("layers.Reshape(image_shape)", "layers.Reshape((5, 5, 5))")
    (tmp_path / "reshaped.py").write_text(broken)
    recipe = (FOLDER / "relativistic.toml").read_text()
    (tmp_path / "r.toml").write_text(recipe.replace("relativistic", "reshaped"))
    words = [f"--model={tmp_path / 'r.toml'}", f"--workdir={tmp_path / 'run'}"]
    words.append("--allow_code")
    assert train.main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "(reshaped.py, line " in error
    assert "Exception encountered" not in error and "5, 5, 5" in error


def test_smoke_tables_may_be_those_of_the_variant(tmp_path):
    recipe = (FOLDER / "variational.toml").read_text() + "[smoke.encoder]\nwidth = 9\n"
    path = tmp_path / "small.toml"
    path.write_text(f"import_from = [{str(FOLDER)!r}]\n{recipe}")
    small = own_config(path, smoke=True)
    assert small.keywords["encoder"]["width"] == 9


def test_compile_refuses_the_words_of_a_recipe():
    model, _ = smoke_model("gan")
    sgd = keras.optimizers.SGD
    with pytest.raises(UserError, match="expected 'auto', True or False, got 'no'"):
        model.compile(g_optimizer=sgd(), d_optimizer=sgd(), jit_compile="no")

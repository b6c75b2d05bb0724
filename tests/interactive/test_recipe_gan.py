"""Recipes from Python: training, samples, measurements and exports."""

import numpy as np
import pytest

import keras_gans
from keras_gans import train
from keras_gans.device.sampler import SamplerError


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """Return a trained model in a folder of its own."""
    folder = str(tmp_path_factory.mktemp("python") / "run")
    gan = keras_gans.from_recipe("cgan", "digits", smoke=True, workdir=folder)
    gan.fit()
    return gan


def test_fit_gives_the_weights_of_the_command(tmp_path):
    folders = tmp_path / "python", tmp_path / "command"
    gan = keras_gans.from_recipe(
        "cgan",
        data="fashion",
        steps=4,
        seed=3,
        settings={"generator.width": 6, "hparams.augment": "color"},
        smoke=True,
        workdir=str(folders[0]),
    )
    log = gan.fit()
    assert log["step"] == [2, 4] and len(log["d_real"]) == 2
    args = ["--model=cgan", "--data=fashion", "--steps=4", "--seed=3", "--smoke"]
    args += ["--set=generator.width=6", "--set=hparams.augment=color", "--export=none"]
    assert train.main([*args, f"--workdir={folders[1]}"]) == 0
    one, two = (
        dict(np.load(folder / "checkpoints" / "step_00000004.npz"))
        for folder in folders
    )
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)


def test_trained_model_draws_and_goes_on_as_a_keras_model(gan):
    images = gan.sample(3, labels=4, seed=1)
    assert images.shape == (3, 28, 28, 1) and images.dtype == np.uint8
    same = keras_gans.load(gan.workdir).sample(3, labels=4, seed=1)
    np.testing.assert_array_equal(images, same)
    assert isinstance(gan.model, keras_gans.CGAN) and int(gan.model.step) == 6
    with pytest.raises(SamplerError, match="label 10: expected 0 to 9"):
        gan.sample(1, labels=10)
    assert gan.fit()["step"] == [2, 4, 6]  # trained already


def test_measure_and_export_without_the_command(gan, capsys):
    result = keras_gans.measure(gan, num=40)
    assert result["num"] == 40 and result["samples"]["kid"]["mean"] > 0
    assert "\nKID " in capsys.readouterr().out
    [path] = keras_gans.export_model(gan, "tflite")
    images = keras_gans.load(path).sample(2, seed=5).astype(int)
    assert abs(images - gan.sample(2, seed=5)).max() <= 1


def test_mistakes_are_one_line(gan, tmp_path):
    error = keras_gans.UserError
    untrained = keras_gans.from_recipe("cgan", smoke=True)
    for call, line in (
        (lambda: keras_gans.from_recipe("cgn"), "did you mean 'cgan'"),
        (lambda: keras_gans.from_recipe("cgan", steps=0), "steps: expected at least 1"),
        (
            lambda: keras_gans.from_recipe("cgan", seed=1, settings={"train.seed": 2}),
            "train.seed is given twice",
        ),
        (lambda: keras_gans.from_recipe("cgan", settings={"no.key": 2}), "no.key"),
        (lambda: untrained.sample(1), r"cgan is not trained; call fit\(\) first"),
        (lambda: keras_gans.measure(untrained), "call fit"),
        (lambda: keras_gans.export_model(untrained), "call fit"),
        (lambda: keras_gans.measure(gan, num=3), "num=3: expected at least 20"),
        (lambda: keras_gans.export_model(gan, ["onnx"]), "kinds: expected any of"),
        (lambda: keras_gans.export_model(str(tmp_path)), str(tmp_path)),
    ):
        with pytest.raises(error, match=line) as caught:
            call()
        assert "\n" not in str(caught.value)
    other = keras_gans.from_recipe("cgan", steps=9, smoke=True, workdir=gan.workdir)
    with pytest.raises(error, match="train.steps"):
        other.fit()  # the folder holds a run of another recipe


def test_temporary_folder_is_deleted_with_the_model():
    import gc
    import os

    gan = keras_gans.from_recipe("cgan", smoke=True)
    folder = gan.workdir
    assert os.path.isdir(folder)
    del gan
    gc.collect()
    assert not os.path.exists(folder)

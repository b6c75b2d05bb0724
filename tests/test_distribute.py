"""One device and several give the same run."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import variables_of

from keras_gans import building, config, data, strategies, train

PLAIN = ["generator.normalization=none", "discriminator.dropout=0.0"]


def trained(name, overrides, strategy, rate=0.5, steps=3):
    recipe = config.load_config(name, overrides, smoke=True)
    source = data.open_source(recipe.data, d_steps=recipe.hparams.d_steps)
    with strategy.scope():
        model = building.build_model(recipe, source.info)
        # SGD: Adam hides a wrong scale of the gradient
        model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate))
    before = variables_of(model)
    model.fit(source.stream(0), steps_per_epoch=steps, verbose=0, shuffle=False)
    after = variables_of(model)
    assert any(np.abs(after[k] - before[k]).max() > 1e-3 for k in after)
    return after


@pytest.mark.parametrize(
    "name, overrides",
    [
        # what draws or averages for each device apart is left out: dropout, batch norm
        ("gan", ["discriminator.dropout=0.0"]),
        ("dcgan", ["generator.normalization=none", "discriminator.normalization=none"]),
        ("cgan", PLAIN),
        ("lsgan", [*PLAIN, "hparams.augment=color,translation,cutout"]),
        ("lsgan", [*PLAIN, "hparams.augment=ada", "hparams.ada_images=64"]),
        ("acgan", PLAIN),
        ("wgan", [PLAIN[0], "discriminator.normalization=none", "hparams.clip=0.1"]),
        ("dragan", PLAIN[:1]),
        ("infogan", PLAIN[:1]),
        ("wgan_gp_ring", []),
        ("rsgan_ring", []),
        # standard deviations are of each device's own pictures
        ("stylegan2", ["discriminator.group_size=1"]),
        ("r3gan", ["hparams.augment=ada", "hparams.augment_probability=0.5"]),
        ("sngan_ring", []),
    ],
)
def test_two_replicas_equal_one(name, overrides):
    # A loss without bounds, or a penalty, takes off at a large rate.
    rate = 0.5 if name in ("gan", "dcgan", "cgan", "acgan", "infogan") else 0.02
    one = trained(name, overrides, tf.distribute.get_strategy(), rate)
    mirrored = strategies.make_team("mirrored").strategy
    assert mirrored.num_replicas_in_sync == 2
    two = trained(name, overrides, mirrored, rate)
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan"])
def test_command_trains_mirrored_and_resumes(name, tmp_path):
    args = [f"--model={name}", "--smoke", "--strategy=mirrored", "--export=none"]
    whole = [*args, f"--workdir={tmp_path / 'whole'}"]
    assert train.main(whole) == 0
    # as if a kill had come before the last checkpoint
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    paths = [tmp_path / p / "checkpoints/step_00000006.npz" for p in ("whole", "parts")]
    paths[1].unlink()
    assert train.main([*args, f"--workdir={tmp_path / 'parts'}"]) == 0
    with np.load(paths[0]) as one, np.load(paths[1]) as two:
        assert one["generator/000"].shape
        for key in one.files:
            np.testing.assert_allclose(one[key], two[key], atol=1e-5, err_msg=key)


def test_batch_must_divide_by_the_devices(tmp_path, capsys):
    args = ["--model=gan", "--smoke", "--strategy=mirrored", "--set=data.batch_size=9"]
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    assert "expected a multiple of the 2 devices, got 9" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

"""One device and several give the same run."""

import shutil

import keras
import numpy as np
import pytest
from conftest import ZOO, variables_of

from keras_gans import data, strategies, train
from keras_gans.recipes import build, config

PLAIN = ["generator.normalization=none", "discriminator.dropout=0.0"]


def trained(name, overrides, devices, rate=0.5, steps=3):
    """All variables after some steps."""
    team = strategies.make_team(devices)
    assert team.devices == (2 if devices == "mirrored" else 1)
    recipe = config.load_config(name, overrides, smoke=True)
    source = data.open_source(
        recipe.data, batches_per_step=recipe.hparams.batches_per_step
    )
    with team.scope():
        model = build.build_model(recipe, source.info)
        # SGD: Adam hides a wrong scale of the gradient
        sgd = keras.optimizers.SGD
        model.compile(sgd(rate), sgd(rate), accumulate=recipe.train.accumulate)
    before = variables_of(model)
    stream = team.stream(source, 0, 0)
    model.fit(stream, steps_per_epoch=steps, verbose=0, shuffle=False)
    after = variables_of(model)
    assert any(np.abs(after[k] - before[k]).max() > 1e-3 for k in after)
    return after


# What draws, or averages, for each device apart is left out: dropout, and standard
# deviations of groups.
DROPOUT = ["discriminator.dropout=0.0"]
UNLIKE = {
    "gan": DROPOUT,
    "cgan": DROPOUT,
    "acgan": DROPOUT,
    # at its rate, statistics of batches make a rounding too large
    "dcgan": ["generator.normalization=none", "discriminator.normalization=none"],
    "lsgan": [*DROPOUT, "hparams.augment=ada", "hparams.ada_images=64"],
    "wgan": ["hparams.clip=0.1"],
    "stylegan2": ["discriminator.group_size=1"],
    "pix2pix": ["generator.dropout=0.0"],
    # instance normalisation of flat pictures is chaos: 1e-8 becomes 1e-4
    "cyclegan": [
        "hparams.pool_size=12",
        "generator.norm=none",
        "discriminator.norm=none",
    ],
    # without it the first features are tiny, and PatchNCE's gradients 1e6
    "cut": [
        "hparams.nce_weight=1e-6",
        "generator.norm=none",
        "discriminator.norm=none",
    ],
    "esrgan": ["hparams.pretraining=0", "hparams.adversarial_weight=1.0"],
}
# The generator of a picture's source takes off at a larger rate, and so does a penalty.
RATES = {
    **dict.fromkeys(("gan", "dcgan", "cgan", "acgan", "infogan"), 0.5),
    **dict.fromkeys(("pix2pix", "cyclegan", "cut", "spade", "esrgan"), 0.005),
}


# sngan_ring, wgan_gp_ring and dcgan are of the same variants as some of these; gan,
# lsgan, infogan and pix2pix stand for the others' kinds of steps
LONG = "biggan", "sagan", "spade", "stylegan2", "sngan", "wgan_gp", "dcgan_64"
LONG += "cut", "cyclegan", "esrgan", "r3gan", "wgan"


# fastgan is left out: with its weights one rounding off, one device is as far from
# itself after three steps (1e-4 to 1e-2) as two devices are from one.
@pytest.mark.parametrize(
    "name, overrides",
    [
        pytest.param(
            name,
            UNLIKE.get(name, []),
            marks=[pytest.mark.slow] if name in LONG else [],
        )
        for name in ZOO
        if name != "fastgan"
    ]
    + [
        pytest.param(
            "lsgan",
            [*DROPOUT, "hparams.augment=color,translation,cutout"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "r3gan",
            ["hparams.augment=ada", "hparams.augment_probability=0.5"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_two_replicas_equal_one(name, overrides):
    overrides = [*overrides, "train.synchronized_batch_norm=true"]
    rate = RATES.get(name, 0.02)
    one, two = (
        trained(name, overrides, devices, rate)
        for devices in ("one_device", "mirrored")
    )
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-5, err_msg=key)


@pytest.mark.parametrize(
    "name, overrides, devices",
    [
        ("gan", ["discriminator.dropout=0.0", "hparams.d_steps=2"], "one_device"),
        ("lsgan", [*PLAIN, "hparams.augment=color,translation,cutout"], "one_device"),
        ("wgan_gp_ring", [], "one_device"),
        pytest.param(
            "stylegan2",
            [
                "discriminator.group_size=1",
                "hparams.path_weight=0.0",  # its mean moves part by part
                "train.seed=1",
            ],
            "one_device",
            marks=pytest.mark.slow,
        ),
        pytest.param("r3gan", [], "one_device", marks=pytest.mark.slow),
        ("cgan", PLAIN, "mirrored"),
    ],
)
def test_parts_of_a_batch_add_up(name, overrides, devices):
    rate = RATES.get(name, 0.02)
    whole = trained(name, overrides, "one_device", rate)
    parts = trained(name, [*overrides, "train.accumulate=2"], devices, rate)
    for key in whole:
        # the mean style moves part by part, as far in all
        moving = name == "stylegan2" and key.endswith("generator/005")
        close = {"rtol": 0.01, "atol": 1e-4} if moving else {"atol": 1e-5}
        np.testing.assert_allclose(whole[key], parts[key], **close, err_msg=key)


QUICK = "gan", "cgan"


def marks(name):
    found = [] if name in QUICK else [pytest.mark.slow]
    if name == "esrgan":  # so are two unbroken runs of it on one device
        last_bit = "its CPU kernels round differently from run to run"
        found.append(pytest.mark.xfail(reason=last_bit, strict=False))
    return found


@pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in ZOO])
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
            assert one[key].tobytes() == two[key].tobytes(), key


def test_batch_must_divide_by_the_devices(tmp_path, capsys):
    args = ["--model=gan", "--smoke", "--strategy=mirrored", "--set=data.batch_size=9"]
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    assert "expected a multiple of the 2 devices, got 9" in capsys.readouterr().err
    args[-1] = "--set=train.jit_compile=yes"
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    assert "expected auto or no with 2 devices" in capsys.readouterr().err
    args = ["--model=gan", "--smoke", "--set=train.accumulate=5"]
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    assert "times the 5 parts of train.accumulate" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

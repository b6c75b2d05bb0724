"""Training on one device and on several gives the same weights."""

import shutil

import numpy as np
import pytest

from harness import RATES, UNLIKE, ZOO, in_tiers, trained
from keras_gans import train

PLAIN = ["generator.normalization=none", "discriminator.dropout=0.0"]

# wgan_gp_ring is wgan_gp with small networks.
QUICK = "cgan", "rsgan_ring", "wgan_gp_ring"
LONG = "cyclegan", "esrgan", "spade", "stylegan2"
RELEASE = "biggan", "cut", "dcgan_64", "r3gan", "sagan", "sngan", "wgan", "wgan_gp"


# fastgan is left out: within three steps on one device, a single rounding error grows
# as large as the difference between two devices and one.
@pytest.mark.parametrize(
    "name, overrides",
    [
        pytest.param(
            param.values[0], UNLIKE.get(param.values[0], []), marks=param.marks
        )
        for param in in_tiers([n for n in ZOO if n != "fastgan"], QUICK, LONG, RELEASE)
    ]
    + [
        pytest.param(
            "lsgan",
            ["hparams.augment=color,translation,cutout"],
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
        pytest.param(
            *("lsgan", [*PLAIN, "hparams.augment=color,translation,cutout"]),
            "one_device",
            marks=pytest.mark.second,
        ),
        pytest.param("wgan_gp_ring", [], "one_device", marks=pytest.mark.second),
        pytest.param(
            "stylegan2",
            [
                "discriminator.group_size=1",
                "hparams.path_weight=0.0",  # each part updates its mean
                "train.seed=1",
            ],
            "one_device",
            marks=pytest.mark.slow,
        ),
        pytest.param("r3gan", [], "one_device", marks=pytest.mark.release),
        ("cgan", PLAIN, "mirrored"),
    ],
)
def test_parts_of_a_batch_add_up(name, overrides, devices):
    rate = RATES.get(name, 0.02)
    whole = trained(name, overrides, "one_device", rate)
    parts = trained(name, [*overrides, "train.accumulate=2"], devices, rate)
    for key in whole:
        # Each part updates the mean style; the total change is nearly the same.
        moving = name == "stylegan2" and key.endswith("generator/005")
        close = {"rtol": 0.01, "atol": 1e-4} if moving else {"atol": 1e-5}
        np.testing.assert_allclose(whole[key], parts[key], **close, err_msg=key)


def marks(name):
    slow = name in ("cyclegan", "spade", "stylegan2", "wgan_gp_ring")
    found = [pytest.mark.slow if slow else pytest.mark.release]
    if name == "cgan":
        found = [pytest.mark.second]
    if name == "esrgan":  # two uninterrupted runs on one device differ, too
        last_bit = "its CPU kernels round differently from run to run"
        found.append(pytest.mark.xfail(reason=last_bit, strict=False))
    return found


@pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in ZOO])
def test_command_trains_mirrored_and_resumes(name, tmp_path):
    args = [f"--model={name}", "--smoke", "--strategy=mirrored", "--export=none"]
    whole = [*args, f"--workdir={tmp_path / 'whole'}"]
    assert train.main(whole) == 0
    # A copy without the last checkpoint, as if the run had been killed.
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

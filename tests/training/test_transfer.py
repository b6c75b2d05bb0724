"""Runs that start from the networks of another run."""

import shutil

import numpy as np
import pytest

from harness import smoke_model, variables_of
from keras_gans import train
from keras_gans.recipes import config
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.training import transfer


def newest(workdir):
    folder = str(workdir / "checkpoints")
    return checkpoint.read(checkpoint.path_of(folder, checkpoint.steps(folder)[-1]))


def test_every_weight_of_the_networks_is_taken_and_nothing_else(smoke_run, capsys):
    there = newest(smoke_run("cgan"))
    model, _ = smoke_model("cgan", ["data.dataset=fashion", "train.seed=5"])
    before = variables_of(model)
    transfer.begin_from(str(smoke_run("cgan")), model, Workdir("elsewhere"))
    after = variables_of(model)
    for name, values in after.items():
        network, number = name.split("/")
        if network in ("generator", "ema_generator"):  # from the moving average
            expected = there[f"ema_generator/{number}"]
        else:
            expected = (there if network == "discriminator" else before)[name]
        np.testing.assert_array_equal(values, expected, err_msg=name)
    assert after["state/000"] == 0 < there["state/000"]  # the step counter
    assert "not initialized" not in capsys.readouterr().out


def test_run_with_frozen_layers_resumes_without_its_source(
    smoke_run, pictures, tmp_path, capsys
):
    source = tmp_path / "source"
    shutil.copytree(smoke_run("cgan"), source)
    there = newest(source)
    args = [
        "--model=cgan",
        "--smoke",
        "--export=none",
        f"--set=data.dataset=folder:{pictures}",
        "--set=data.image_size=28",
        "--set=data.channels=1",
        f"--init_from={source}",
        "--set=train.freeze_discriminator=2",
    ]
    run = tmp_path / "run"
    assert train.main([*args, f"--workdir={run}"]) == 0
    out = capsys.readouterr().out
    # This run has 2 classes, the other run 10.
    assert "not initialized: generator embedding" in out
    assert "(10, 50) there, (2, 50) here" in out
    here = newest(run)
    moved = {
        name
        for name in here
        if name.startswith("discriminator/")
        and here[name].shape == there[name].shape
        and (here[name] != there[name]).any()
    }
    # Kernels and biases of two convolutions are frozen; later layers have changed.
    frozen = {f"discriminator/{i:03d}" for i in range(4)}
    assert moved and not moved & frozen
    shutil.rmtree(source)
    paths = sorted((run / "checkpoints").iterdir())
    paths[-1].unlink()
    assert train.main([*args, f"--workdir={run}"]) == 0
    again = newest(run)
    for name in here:
        np.testing.assert_array_equal(again[name], here[name], err_msg=name)


@pytest.mark.parametrize(
    "model, changes, message",
    [
        ("dcgan", ["--init_from=nowhere"], "not a run's folder"),
        ("dcgan", ["--init_from=SOURCE"], "its generator (cgan) has"),
        (
            "cgan",
            ["--init_from=SOURCE", "--set=generator.width=8"],
            "networks of the same widths",
        ),
        (
            "cgan",
            ["--init_from=SOURCE", "--set=train.freeze_discriminator=5"],
            "expected fewer than the 5 layers with weights, got 5",
        ),
        (
            "cgan",
            ["--set=train.freeze_discriminator=1"],
            "expected train.init_from with it",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    model, changes, message, smoke_run, tmp_path, capsys
):
    changes = [c.replace("SOURCE", str(smoke_run("cgan"))) for c in changes]
    args = [f"--model={model}", "--smoke", f"--workdir={tmp_path / 'run'}", *changes]
    assert train.main(args) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and message in error[0]
    assert not list(tmp_path.iterdir())


def test_run_cannot_begin_from_itself(smoke_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(smoke_run("cgan"), run)
    args = ["--model=cgan", "--smoke", f"--workdir={run}", "--overwrite"]
    assert train.main([*args, f"--init_from={tmp_path}/./run"]) == 2
    assert "expected the workdir of another run" in capsys.readouterr().err
    assert newest(run)["state/000"] > 0  # the checkpoint is still there


def test_flag_is_a_key_of_the_recipe():
    recipe = config.load_config("cgan", ['train.init_from="runs/a b"'])
    assert recipe.train.init_from == "runs/a b"

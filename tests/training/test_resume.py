"""Resumed runs: an interrupted run ends with the same state as a whole run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from keras_gans import train
from keras_gans.recipes.config import load_config
from keras_gans.sampling import load
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir

STEPS = 60
BASE = [
    "--smoke",
    "--export=none",
    f"--set=train.steps={STEPS}",
    "--set=train.checkpoint_every=5",
    "--set=train.steps_per_execution=3",
    "--set=data.batch_size=300",  # so that a run takes more than one epoch
]


def state(workdir, step=STEPS):
    with np.load(workdir / "checkpoints" / f"step_{step:08d}.npz") as arrays:
        return dict(arrays)


def rows(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {row["step"]: row for row in map(json.loads, lines)}


def assert_same_run(a, b):
    one, two = state(a), state(b)
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].tobytes() == two[name].tobytes(), name
    assert list(rows(a)) == list(rows(b))


def start(name, workdir):
    """Start a training process, as a user does."""
    command = [sys.executable, "-m", "keras_gans.train", f"--model={name}"]
    return subprocess.Popen(
        [*command, f"--workdir={workdir}", *BASE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(workdir, step, process):
    deadline = time.monotonic() + 120
    while not (workdir / "metrics.jsonl").exists() or max(rows_so_far(workdir)) < step:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows_so_far(workdir):
    text = (workdir / "metrics.jsonl").read_text()
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [json.loads(line)["step"] for line in whole] or [0]


@pytest.mark.parametrize(
    "name",
    [
        "rsgan_ring",
        pytest.param("gan", marks=pytest.mark.release),
        pytest.param("dcgan", marks=pytest.mark.release),
        pytest.param("cgan", marks=pytest.mark.second),
    ],
)
def test_killed_or_interrupted_run_ends_bit_identical(name, tmp_path):
    whole = start(name, tmp_path / "whole")
    assert whole.wait(300) == 0, whole.communicate()

    workdir, seen, steps = tmp_path / "parts", 8, []
    for number in (signal.SIGKILL, signal.SIGINT):
        process = start(name, workdir)
        wait_for(workdir, seen, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        before, steps = steps, checkpoint.steps(str(workdir / "checkpoints"))
        assert steps[-1] < STEPS
        if number == signal.SIGINT:
            assert f"resuming from step {before[-1]}" in out
            assert process.returncode == 130
            assert "The same command resumes from there" in out and not err
            assert steps[-1] >= seen
        else:
            assert process.returncode == -signal.SIGKILL
            assert steps[-1] % 5 == 0
            seen = max(rows_so_far(workdir)) + 6  # step to wait for in the next part
            # as after a kill in the middle of a line
            with open(workdir / "metrics.jsonl", "a") as file:
                file.write('{"step": 1')
    again = start(name, workdir)
    out, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert f"resuming from step {steps[-1]}" in out
    assert_same_run(tmp_path / "whole", workdir)


@pytest.mark.second
def test_stop_at_any_step_in_process(tmp_path, monkeypatch):
    """A run stopped by a signal between two checkpoints ends with the same state."""
    from keras_gans.training import callbacks

    base = [*BASE, "--set=train.steps_per_execution=1"]
    assert train.main(["--model=cgan", f"--workdir={tmp_path / 'whole'}", *base]) == 0
    noticed = callbacks.StopOnSignal.on_step
    for stop in (1, 47):

        def on_step(self, step, logs, stop=stop):
            if step == stop:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            noticed(self, step, logs)

        monkeypatch.setattr(callbacks.StopOnSignal, "on_step", on_step)
        args = ["--model=cgan", f"--workdir={tmp_path / str(stop)}", *base]
        assert train.main(args) == 130
        steps = checkpoint.steps(str(tmp_path / str(stop) / "checkpoints"))
        assert steps[-1] == stop
        monkeypatch.setattr(callbacks.StopOnSignal, "on_step", noticed)
        assert train.main(args) == 0
        assert_same_run(tmp_path / "whole", tmp_path / str(stop))


def test_rules_of_a_workdir(tmp_path, capsys):
    workdir = tmp_path / "run"
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={workdir}"]
    assert train.main(args) == 0
    first = state(workdir, 6)
    content = {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}

    def refused(*more):
        assert train.main([*args, *more]) == 2
        now = {p: p.read_bytes() for p in workdir.rglob("*") if p.is_file()}
        assert now == content
        message = capsys.readouterr().err
        assert message.count("\n") == 1
        return message

    message = refused("--set=hparams.ema_decay=0.5", "--seed=3")
    assert "hparams.ema_decay: 0.999 -> 0.5; train.seed: 0 -> 3" in message
    assert "--resume continues a run" in refused("--set=train.steps=8")
    schedule = '{class_name="CosineDecay", initial_learning_rate=0.1}'
    whole = "--set=train.steps=8", f"--set=g_optimizer.learning_rate={schedule}"
    assert "cannot be extended" in refused(*whole)
    assert "already holds a run" in refused("--noresume")
    assert "expected at most one of them" in refused("--resume", "--overwrite")
    assert "train.steps: 6 -> 3" in refused("--resume", "--set=train.steps=3")
    assert train.main(args) == 0  # finished already: no more steps
    assert "already trained to step 6" in capsys.readouterr().out
    # A key that an older recipe lacks has its default value.
    text = (workdir / "config.toml").read_text()
    assert "r1_every = 1\n" in text
    (workdir / "config.toml").write_text(text.replace("r1_every = 1\n", ""))
    assert train.main(args) == 0
    # An extended run ends as a run that had all its steps from the start.
    assert train.main([*args, "--set=train.steps=8", "--resume"]) == 0
    other = [*args[:-1], f"--workdir={tmp_path / 'other'}"]
    assert train.main([*other, "--set=train.steps=8"]) == 0
    for name, value in state(workdir, 8).items():
        np.testing.assert_array_equal(value, state(tmp_path / "other", 8)[name])
    # --overwrite starts again, and keeps files that are not of the run.
    (workdir / "mine.txt").write_text("not ours")
    assert train.main([*args, "--overwrite"]) == 0
    for name, value in state(workdir, 6).items():
        np.testing.assert_array_equal(value, first[name])
    assert checkpoint.steps(str(workdir / "checkpoints")) == [2, 4, 6]
    assert (workdir / "mine.txt").exists()


def test_data_that_changed_are_refused(tmp_path, pictures, capsys):
    """A changed number of classes or a changed set of files is an error."""
    args = ["--model=cgan", "--smoke", "--export=none", "--set=data.image_size=16"]
    args += [f"--set=data.dataset=folder:{pictures}", f"--workdir={tmp_path / 'run'}"]
    assert train.main(args) == 0
    content = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    (pictures / "ants").mkdir()
    for change, message in (
        (lambda: (pictures / "dogs" / "d.jpeg").rename(pictures / "ants/d.jpeg"), "3"),
        (lambda: (pictures / "ants").rename(pictures / "dogs" / "x"), "fingerprint"),
    ):
        change()
        capsys.readouterr()
        assert train.main(args) == 2
        error = capsys.readouterr().err
        assert "the data set differs from the one" in error and message in error
        assert error.count("\n") == 1
        for path, old in content.items():
            assert path.read_bytes() == old


def test_a_workdir_takes_one_run_at_a_time(tmp_path, capsys):
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path / 'run'}"]
    with Workdir(str(tmp_path / "run")).locked():
        assert train.main(args) == 2
        assert "another run is using this folder" in capsys.readouterr().err
    assert train.main(args) == 0


def test_a_kill_before_the_first_step_leaves_a_workdir_that_trains(tmp_path):
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path}"]
    for name in (".lock", "info.json", "config.toml.tmp"):
        (tmp_path / name).write_text("{")
    assert train.main(args) == 0


def test_run_that_is_not_finite_stops_and_keeps_the_last_good(
    tmp_path, capsys, monkeypatch
):
    from keras_gans.models.gan import GAN

    healthy = GAN.d_losses

    def d_losses(self, batch):
        terms = healthy(self, batch)
        broken = keras.ops.where(self.step.value >= 7, np.nan, 1.0)
        return {**terms, "fake": terms["fake"] * broken}

    monkeypatch.setattr(GAN, "d_losses", d_losses)
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path}"]
    args += ["--set=train.steps=500", "--set=train.checkpoint_every=1"]
    assert train.main([*args, "--set=train.log_every=10"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("train: step 8: not finite: d_fake, d_gradient_norm")
    assert "Last good checkpoint: step 7." in message and "learning_rate" in message
    assert message.count("\n") == 1
    steps = checkpoint.steps(str(tmp_path / "checkpoints"))
    assert steps == [5, 6, 7]
    for value in state(tmp_path, 7).values():
        assert np.isfinite(value).all()


def test_newest_checkpoints_are_kept(tmp_path):
    for step in (1, 20, 300):
        (tmp_path / f"step_{step:08d}.npz").touch()
    (tmp_path / "step_00000400.npz.tmp").touch()  # left by a kill during a save
    (tmp_path / "other.npz").touch()
    assert checkpoint.steps(str(tmp_path)) == [1, 20, 300]
    checkpoint.keep_newest(str(tmp_path), 2)
    assert checkpoint.steps(str(tmp_path)) == [20, 300]
    assert (tmp_path / "other.npz").exists()


def test_every_variable_is_kept(tmp_path):
    from harness import smoke_model, variables_of

    model, source = smoke_model("gan")  # with dropout, whose random state is kept, too
    model.fit(source.stream(0), steps_per_epoch=2, verbose=0, shuffle=False)
    path = checkpoint.save(model, str(tmp_path))
    fresh, _ = smoke_model("gan", ["train.seed=5"])
    checkpoint.restore(fresh, path)
    old, new = variables_of(model), variables_of(fresh)
    assert any(name.startswith("g_optimizer") for name in old)
    for name in old:
        np.testing.assert_array_equal(old[name], new[name])
    assert load_config("gan").keywords["discriminator"]["dropout"] > 0


@pytest.mark.parametrize(
    "name, changes",
    [
        pytest.param(
            *("sngan_ring", ["d_steps=3", "r1_weight=0.1"]), marks=pytest.mark.second
        ),
        pytest.param(
            "gan",
            ["d_steps=2", "r1_weight=0.1", "augment=ada", "ada_images=200"],
            marks=pytest.mark.second,
        ),
        pytest.param("stylegan2", [], marks=pytest.mark.slow),
        pytest.param(
            "r3gan",
            ["augment=ada", "augment_probability=0.5"],
            marks=pytest.mark.release,
        ),
        pytest.param("fastgan", [], marks=pytest.mark.release),
    ],
)
def test_what_else_changes_over_a_run_goes_on_as_it_was(name, changes, tmp_path):
    """Resume ADA's probability, power iteration, schedules, noise and path lengths."""
    args = [f"--model={name}", "--smoke", "--export=none"]
    args += [f"--set=hparams.{change}" for change in changes]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train.main([*args, f"--workdir={whole}"]) == 0
    shutil.copytree(whole, parts)
    (parts / "checkpoints" / "step_00000006.npz").unlink()
    assert train.main([*args, f"--workdir={parts}"]) == 0
    one, two = state(whole, 6), state(parts, 6)
    for key in one:
        assert one[key].tobytes() == two[key].tobytes(), key
    assert list(rows(whole)) == list(rows(parts))
    assert "augment=ada" not in changes or one["augment/000"] > 0
    assert name != "stylegan2" or one["path_length/000"] > 0


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param("one_device", marks=pytest.mark.release),
        pytest.param("mirrored", marks=pytest.mark.second),
    ],
)
def test_log_says_the_score_of_held_out_pictures_and_goes_on(strategy, tmp_path):
    args = ["--model=dcgan", "--smoke", "--export=none", f"--strategy={strategy}"]
    args += ["--set=data.held_out=40", "--set=discriminator.normalization=batch"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train.main([*args, f"--workdir={whole}"]) == 0
    shutil.copytree(whole, parts)
    (parts / "checkpoints" / "step_00000006.npz").unlink()
    assert train.main([*args, f"--workdir={parts}"]) == 0

    def scores(workdir):
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [
            (row["step"], row["held_out_score"])
            for row in found
            if "held_out_score" in row
        ]

    assert [step for step, _ in scores(whole)] == [2, 4, 6]
    assert all(0 < score < 1 for _, score in scores(whole))
    assert scores(parts) == scores(whole)


@pytest.mark.second
def test_classes_named_by_numbers_keep_the_order_of_an_older_run(tmp_path, capsys):
    """Version 0.1 ordered them as text: 1, 10, 11, 12, 2."""
    names = [str(i) for i in range(1, 13)]
    for i, name in enumerate(names):
        (tmp_path / "made" / name).mkdir(parents=True)
        path = tmp_path / "made" / name / "a.png"
        Image.fromarray(np.full((16, 16), 20 * i, np.uint8)).save(path)
    args = ["--model=cgan", "--smoke", "--export=none", f"--workdir={tmp_path / 'run'}"]
    args += [f"--set=data.dataset=folder:{tmp_path / 'made'}"]
    assert train.main(args) == 0
    path = tmp_path / "run" / "info.json"
    info = json.loads(path.read_text())
    assert info["class_names"] == names
    path.write_text(json.dumps({**info, "class_names": sorted(names)}))
    assert train.main(args) == 0 and "resuming from step 6" in capsys.readouterr().out
    assert json.loads(path.read_text())["class_names"] == sorted(names)
    sampler = load.load(str(tmp_path / "run"))
    assert [sampler.label(word) for word in ("12", "2")] == [3, 4]

"""Failures of a run's files: damaged checkpoints and logs, full disks, exports."""

import errno
import json
import os
import shlex
import shutil
import subprocess

import numpy as np
import pytest

from harness import in_tiers
from keras_gans import export, train
from keras_gans.diagnostics.log import parse_line
from keras_gans.errors import UserError
from keras_gans.export import __main__ as export_command
from keras_gans.export import tflite
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.storage.workdir import Workdir
from keras_gans.training.recorder import Recorder

ARGS = ["--model=rsgan_ring", "--smoke", "--export=none"]

DAMAGED = [
    b"garbage\n",
    b"\n",
    b'{"a": 1}\n',
    b"[1]\n",
    b"\xff\xfe\n",
    b"\0" * 512 + b"\n",
    b"null\n",
    b'"step"\n',
    b'{"step": "2"}\n',
    b'{"step": -2}\n',
    b'{"step": null, "d_real": 1}\n',
    b'{"step": 1e999}\n',
    b'{"step": 2, "d_real": "0.5"}\n',
    b'{"step": 2, "d_real": [0.5]}\n',
    b'{"step": 2, "d_real": true}\n',
    b'{"step": 2, "not_finite": "d_real"}\n',
    b'{"step": 2, "d_real": 1' + b"0" * 400 + b"}\n",
    b'{"step": 2, "d_real": 0.5}{"step": 3}\n',
    b"[" * 100_000 + b"\n",
    b"9" * 5000 + b"\n",
    b'\xef\xbb\xbf{"step": 2}\r\n'[:5] + b"\n",
]


@pytest.mark.parametrize("line", DAMAGED)
def test_damaged_log_lines_are_dropped(line, tmp_path, capsys):
    assert parse_line(line) is None
    good = [b'{"step": 2, "d_real": 0.5}\n', b'{"step": 4, "d_real": NaN}\n']
    good += [b'{"step": 4, "not_finite": ["d_real"]}\n']
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(good[0] + line + good[1] + good[2] + b'{"step": 6}\n' + b'{"st')
    recorder = Recorder(Workdir(str(tmp_path)), TrainOptions(9))
    recorder.step = 4
    recorder._trim()
    assert path.read_bytes() == b"".join(good)
    assert capsys.readouterr().out == f"{path}: dropped 1 damaged lines\n"
    assert [row["step"] for row in recorder.log.rows] == [2, 4]
    assert list(tmp_path.iterdir()) == [path]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path):
    path.unlink()
    path.mkdir()


WAYS = {
    "cut": cut,
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_text("not a checkpoint"),
    "one array": lambda path: np.save(path.open("wb"), np.ones(3)),
    "objects": lambda path: np.savez(path, **{"state/000": np.array([{}])}),
    "words": lambda path: np.savez(path, **{"state/000": np.array(["x"])}),
    "folder": swap,
    "pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Train a run with checkpoints of steps 2, 4 and 6."""
    workdir = tmp_path_factory.mktemp("failures") / "run"
    assert train.main([*ARGS, f"--workdir={workdir}"]) == 0
    return workdir


@pytest.mark.parametrize("way", WAYS)
def test_the_checkpoint_before_a_damaged_one_is_used(way, run, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    folder = str(copy / "checkpoints")
    expected = checkpoint.read(checkpoint.path_of(folder, 4))
    WAYS[way](copy / "checkpoints" / "step_00000006.npz")
    step, arrays = checkpoint.newest(folder, checkpoint.read)
    assert step == 4 and arrays.keys() == expected.keys()
    out = capsys.readouterr().out
    if way == "folder":
        assert not out
    else:
        assert "step_00000006.npz: cannot be read (" in out and out.count("\n") == 1
        assert out.endswith("; step 4 is used in its place\n")
    for other in (2, 4):
        WAYS[way](copy / "checkpoints" / f"step_0000000{other}.npz")
    if way == "folder":
        assert checkpoint.steps(folder) == []
        return
    with pytest.raises(UserError, match="nor any older checkpoint; .*--overwrite") as e:
        checkpoint.newest(folder, checkpoint.read)
    assert len(str(e.value)) < 500


def test_a_run_with_all_kinds_of_damage_goes_on(run, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "run")
    args = [*ARGS, f"--workdir={copy}", "--resume"]
    before = (copy / "metrics.jsonl").read_text()
    flip(copy / "checkpoints" / "step_00000006.npz")
    cut(copy / "info.json")
    (copy / "config.toml").unlink()
    (copy / "hardware.json").write_bytes(b"\xff")
    (copy / "checkpoints" / "step_00000008.npz.tmp").write_text("x")
    lines = before.splitlines(keepends=True)
    (copy / "metrics.jsonl").write_text("".join([*lines[:1], "garbage\n", *lines[1:]]))
    capsys.readouterr()
    assert train.main(args) == 0
    out, err = capsys.readouterr()
    assert not err
    for words in (
        "step_00000006.npz: cannot be read",
        "resuming from step 4",
        "/info.json: ",
        "; written again",
        "config.toml: No such file or directory; written again",
        "metrics.jsonl: dropped 1 damaged lines",
    ):
        assert words in out
    for step in (4, 6):
        path = f"checkpoints/step_0000000{step}.npz"
        one, two = (checkpoint.read(str(w / path)) for w in (run, copy))
        assert all(one[k].tobytes() == two[k].tobytes() for k in one)
    for name in ("info.json", "config.toml"):
        assert (copy / name).read_text() == (run / name).read_text()
    assert without_clock(copy) == without_clock(run)
    assert not list(copy.rglob("*.tmp"))


def without_clock(workdir):
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in r.items() if "second" not in k} for r in rows]


@pytest.mark.second
@pytest.mark.parametrize("stop", in_tiers([1, 5, 9, 17], first=[5]))
def test_log_lines_after_a_resume_cover_all_their_steps(stop, tmp_path, monkeypatch):
    """A line is the same, wherever the run was interrupted between two lines."""
    from keras_gans.training import callbacks

    whole = tmp_path / "whole"
    words = [*ARGS, "--set=train.steps=21", "--set=train.log_every=7"]
    words += ["--set=train.checkpoint_every=4", "--set=train.grid_every=10"]
    assert train.main([*words, f"--workdir={whole}"]) == 0
    noticed = callbacks.StopOnSignal.on_step

    def on_step(self, step, logs):
        self.caught = self.caught or step >= stop
        noticed(self, step, logs)

    parts = tmp_path / "parts"
    monkeypatch.setattr(callbacks.StopOnSignal, "on_step", on_step)
    assert train.main([*words, f"--workdir={parts}"]) == 130
    monkeypatch.setattr(callbacks.StopOnSignal, "on_step", noticed)
    assert train.main([*words, f"--workdir={parts}"]) == 0
    assert without_clock(parts) == without_clock(whole)
    rows = map(json.loads, (parts / "metrics.jsonl").read_text().splitlines())
    assert all(row.get("steps_per_second", 1) > 0 for row in rows)


def test_checkpoints_without_sums_are_read(run, tmp_path):
    """A checkpoint of an older version has no values that await their line."""
    from harness import smoke_model

    model, _ = smoke_model("rsgan_ring")
    values = {"d_real": np.arange(3.0), "score": np.ones(3)}
    path = checkpoint.save(model, str(tmp_path), pending=values)
    pending = checkpoint.restore(model, path)
    assert {k: v.tolist() for k, v in pending.items()} == {
        "d_real": [0.0, 1.0, 2.0],
        "score": [1.0, 1.0, 1.0],
    }
    path = checkpoint.save(model, str(tmp_path))
    assert checkpoint.restore(model, path) == {}


@pytest.mark.parametrize(
    "pending",
    [
        {"old_term": np.ones(2)},
        {"d_real": np.ones(2), "score": np.ones(3)},
        {"d_real": np.float64(1.0)},
        {"d_real": np.ones((2, 2))},
        {"d_real": np.ones(2), "other": np.ones(2)},
        {},
    ],
)
def test_values_of_another_version_are_dropped(pending, tmp_path):
    """A checkpoint's values since the last log line must fit those of the run."""
    options = TrainOptions(steps=9, log_every=5)
    recorder = Recorder(Workdir(str(tmp_path)), options, pending)
    recorder.on_step(3, {"d_real": np.zeros(1)})
    assert {k: v.tolist() for k, v in recorder.pending().items()} == {"d_real": [0.0]}


FAILING = {
    "checkpoint": "keras_gans.storage.checkpoint.np.savez",
    "log": "keras_gans.training.recorder.Recorder._note",
    "grid": "keras_gans.device.sampler.write",
    "TensorBoard": "keras_gans.training.tensorboard.Events._write",
}


@pytest.mark.parametrize("name", in_tiers(FAILING, first=["checkpoint"]))
def test_a_full_disk_stops_a_run_with_one_line(name, tmp_path, monkeypatch, capsys):
    """The last good checkpoint stays, and the same command goes on from it."""
    words = [*ARGS, "--set=train.steps=8", "--set=train.log_every=2"]
    assert train.main([*words, f"--workdir={tmp_path / 'whole'}"]) == 0
    args = [*words, f"--workdir={tmp_path / 'run'}"]
    target, kept = FAILING[name], []
    module, _, attribute = target.rpartition(".")
    from keras_gans.training import callbacks

    step = callbacks.StopOnSignal.on_step

    def fail(*args, **keywords):
        error = OSError(errno.ENOSPC, "No space left on device")
        if name == "grid":
            from keras_gans.device.sampler import SamplerError

            raise SamplerError("cannot write x: No space left on device")
        raise error

    def on_step(self, number, logs):
        step(self, number, logs)
        if number == 4:
            kept.append(True)
            patch.setattr(target, fail)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.StopOnSignal, "on_step", on_step)
        assert train.main(args) == 1
    err = capsys.readouterr().err
    assert "No space left on device" in err and err.count("\n") == 1 and kept
    assert "Last good checkpoint: step 4. The same command resumes from there" in err
    assert ("it takes" in err) == (name == "checkpoint")
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert train.main(args) == 0
    assert without_clock(tmp_path / "run") == without_clock(tmp_path / "whole")
    paths = (f"{w}/checkpoints/step_00000008.npz" for w in ("whole", "run"))
    one, two = (checkpoint.read(str(tmp_path / path)) for path in paths)
    assert all(one[k].tobytes() == two[k].tobytes() for k in one)


@pytest.mark.second
@pytest.mark.parametrize(
    "error, status",
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 1),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 1),
        (UserError("the generator cannot be exported"), 1),
        (KeyboardInterrupt(), 130),
        (ValueError("a fault of Keras"), None),
    ],
)
def test_a_failed_export_says_how_to_export_again(
    error, status, run, tmp_path, monkeypatch, capsys
):
    workdir = shutil.copytree(run, tmp_path / "my run's")
    words = ["--model=rsgan_ring", "--smoke", f"--workdir={workdir}"]

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(export, "export_workdir", fail)
        if status is None:  # not foreseeable: a traceback as well
            with pytest.raises(ValueError):
                train.main(words)
        else:
            assert train.main(words) == status
    out, err = capsys.readouterr()
    assert "already trained to step 6" in out
    assert err.startswith("train: not exported: ") and err.count("\n") == 1
    assert str(workdir / "checkpoints") in err
    command = shlex.split(err.partition("To export it, run: ")[2])
    assert command[:3] == ["python", "-m", "keras_gans.export"]
    assert export_command.main(command[3:]) == 0
    assert (workdir / "export" / "generator.tflite").is_file()


NAMES = ["my model", "größe", "a+b", "_x", "-x", "x(1)", "2nd", "日本", "a'b $HOME"]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"caf\xe9"), "%s", "a.b"])
def test_recipes_of_any_name_are_built(name, tmp_path, monkeypatch):
    import tensorflow as tf

    from harness import ROOT
    from keras_gans import data
    from keras_gans.recipes import build, config

    recipe = (ROOT / "zoo_configs" / "rsgan_ring.toml").read_text()
    path = tmp_path / f"{name}.toml"
    path.write_text(recipe)
    loaded = config.load_config(str(path), smoke=True)
    assert loaded.name == name or "?" in loaded.name
    model = build.build_model(loaded, data.open_source(loaded.data).info)
    with tf.Graph().as_default(), tf.name_scope(model.name):  # as an export does
        pass
    (tmp_path / "again.toml").write_text(loaded.to_toml())
    again = config.load_config(str(tmp_path / "again.toml"))
    assert again.name == loaded.name and again == loaded
    monkeypatch.chdir(tmp_path)
    folder = train._folder_name(loaded.name)
    Workdir(f"runs/{folder}").check(loaded, None, False)
    assert os.path.dirname(f"runs/{folder}") == "runs"


@pytest.mark.parametrize("name", ["", ".", "..", "../../x", "a/b", "a\0b", "C:\\x"])
def test_names_are_not_paths(name):
    folder = train._folder_name(name)
    assert folder and folder.strip(".") and not {"/", "\\", "\0", ":"} & set(folder)


@pytest.mark.second
@pytest.mark.parametrize("name", ["my model", "größe", os.fsdecode(b"caf\xe9")])
def test_recipes_of_odd_names_are_exported(name, tmp_path, monkeypatch, capsys):
    from harness import ROOT

    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "zoo_configs" / "cgan.toml", f"{name}.toml")
    assert train.main([f"--model={name}.toml", "--smoke"]) == 0
    [path] = (tmp_path / "runs").iterdir()
    assert (path / "export" / "generator.tflite").is_file()
    assert (path / "export" / "saved_model" / "saved_model.pb").is_file()


@pytest.mark.parametrize("name", ["saved_model", "generator.tflite", "."])
def test_places_of_exports_are_checked_before_training(name, tmp_path, capsys):
    path = tmp_path / "run" / "export" / name
    if name == "generator.tflite":
        path.mkdir(parents=True)
    else:
        path.parent.mkdir(parents=True)
        path.write_text("x")
    words = ["--model=rsgan_ring", "--smoke", f"--workdir={tmp_path / 'run'}"]
    assert train.main(words) == 2
    err = capsys.readouterr().err
    assert "belongs; move it elsewhere" in err and err.count("\n") == 1


@pytest.mark.second
def test_exports_recover_from_killed_ones(run, tmp_path):
    workdir = shutil.copytree(run, tmp_path / "run")
    folder = workdir / "export"
    for name in ("saved_model.tmp", "web.old", "saved_model.old", "scratch.tmp"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("older")
    (folder / "generator.tflite.tmp").write_text("part")
    (folder / "saved_model").mkdir()
    assert tflite.main([f"--workdir={workdir}"]) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {"generator.tflite", "saved_model", "web"}
    assert (folder / "web" / "file").read_text() == "older"


def test_two_exports_do_not_meet(run, tmp_path, capsys):
    from keras_gans.storage import files

    workdir = shutil.copytree(run, tmp_path / "run")
    (workdir / "export").mkdir()
    with files.locked(str(workdir / "export")):
        assert export_command.main([f"--workdir={workdir}"]) == 2
    assert "another export is writing to this folder" in capsys.readouterr().err


@pytest.mark.second
def test_a_real_disk_that_fills_up(tmp_path, capsys):
    """A disk of 4 MiB: a run stops with a line, and goes on once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a disk")
    try:
        words = [*ARGS, f"--workdir={disk / 'run'}", "--set=train.steps=400"]
        words += ["--set=train.keep_checkpoints=400", "--set=train.checkpoint_every=1"]
        assert train.main(words) == 2  # known before training
        assert "MiB left, but the checkpoints and exports" in capsys.readouterr().err
        words = [w for w in words if "keep" not in w]
        (disk / "ballast").write_bytes(b"")
        fill = os.statvfs(disk)
        size = train_size(words, tmp_path)
        free = fill.f_bavail * fill.f_frsize
        (disk / "ballast").write_bytes(bytes(free - 5 * size - 4 * 4096))
        status = train.main(words)
        err = capsys.readouterr().err
        if status == 2:  # found before training
            assert "MiB left" in err
        else:
            assert status == 1 and "No space left on device" in err
        assert err.count("\n") == 1 and not list(disk.rglob("*.tmp"))
        (disk / "ballast").unlink()
        assert train.main(words) == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def train_size(words, folder):
    """Return the size of a checkpoint of these words."""
    words = [w for w in words if "workdir" not in w and "steps" not in w]
    assert train.main([*words, f"--workdir={folder / 'size'}"]) == 0
    return max(p.stat().st_size for p in (folder / "size" / "checkpoints").iterdir())

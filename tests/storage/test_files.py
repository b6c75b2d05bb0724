"""Files that are written whole: a failure leaves the older file and no part."""

import contextlib
import errno
import json
import os
import resource
import stat
import types

import numpy as np
import pytest

from harness import smoke_model
from keras_gans.data.options import DataInfo
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import SamplerError
from keras_gans.errors import UserError
from keras_gans.recipes.config import load_config
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.sampling import shards
from keras_gans.storage import checkpoint, files
from keras_gans.storage.workdir import Workdir
from keras_gans.training.recorder import Recorder
from keras_gans.training.tensorboard import Events


@contextlib.contextmanager
def full_disk():
    """Let no file of this process grow beyond 100 bytes inside the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def save_checkpoint(folder):
    model, _ = smoke_model("rsgan_ring")
    return lambda: checkpoint.save(model, str(folder))


def write_recipe(folder):
    config = load_config("cgan", smoke=True)
    return lambda: Workdir(str(folder)).write(config, DataInfo((8, 8, 1)))


def write_conditions(folder):
    pictures = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8)
    return lambda: Workdir(str(folder)).write_conditions(pictures)


def write_hardware(folder):
    return lambda: Workdir(str(folder)).write_hardware({"cpu": "x" * 200})


def write_log(folder):
    recorder = Recorder(Workdir(str(folder)), TrainOptions(9))
    return lambda: recorder._note({"step": 1, **{f"d_{i}": 0.5 for i in range(50)}})


def write_events(folder):
    events = Events(str(folder))
    values = {f"d_{i}": 0.5 for i in range(50)}
    return lambda: events.numbers(values, 1)


def write_grid(folder):
    return lambda: sampler_lib.write(b"x" * 200, str(folder / "step_1.png"))


def write_samples(folder):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    return lambda: sampler_lib.save(images, str(folder / "out.webp"))


def write_tar(folder):
    encoded = [(i, 3, b"png") for i in range(9)]
    return lambda: shards._write_shard(str(folder / "a.tar"), "tar", iter(encoded))


def write_tfrecord(folder):
    encoded = [(i, 3, b"png" * 99) for i in range(9)]
    path = str(folder / "a.tfrecord")
    return lambda: shards._write_shard(path, "tfrecord", iter(encoded))


@pytest.mark.parametrize(
    "prepare",
    [
        *(save_checkpoint, write_recipe, write_conditions, write_hardware, write_log),
        *(write_events, write_grid, write_samples, write_tar, write_tfrecord),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_no_part(prepare, tmp_path):
    write = prepare(tmp_path)
    with pytest.raises((OSError, SamplerError)) as caught, full_disk():
        write()
    reason = str(caught.value)
    assert "File too large" in reason and "\n" not in reason and len(reason) < 500
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".tmp", ".npz", ".tar")]


REASONS = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]


@pytest.mark.parametrize("reason", [*REASONS, KeyboardInterrupt])
def test_a_failure_keeps_the_older_file(reason, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    error = OSError(reason, os.strerror(reason)) if reason in REASONS else reason()
    for replacing in (files.replacing, files.replacing_shared):
        with pytest.raises((files.WriteError, KeyboardInterrupt)) as caught:
            with replacing(str(path)) as temporary:
                with open(temporary, "w") as file:
                    file.write("ne")
                raise error
        if reason in REASONS:
            assert str(path) in str(caught.value)
            assert os.strerror(reason) in str(caught.value)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["a.json"]


def test_the_error_says_how_much_room_is_needed(tmp_path, monkeypatch):
    disk = types.SimpleNamespace(free=2**20)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: disk)
    error = OSError(errno.ENOSPC, "No space left on device")
    assert str(files.cannot_write("a", error, 3 * 2**20)) == (
        "cannot write a (it takes 3.0 MiB): No space left on device; "
        "the disk has 1.0 MiB left"
    )


def test_a_checkpoint_on_a_full_disk_keeps_the_last_good_one(tmp_path):
    model, _ = smoke_model("rsgan_ring")
    path = checkpoint.save(model, str(tmp_path))
    before = checkpoint.read(path)
    model.step.assign(7)
    message = "it takes .* MiB.*the disk has"
    with pytest.raises(files.WriteError, match=message), full_disk():
        checkpoint.save(model, str(tmp_path))
    assert checkpoint.steps(str(tmp_path)) == [0]
    after = checkpoint.read(path)
    assert all(before[k].tobytes() == after[k].tobytes() for k in before)
    assert len(os.listdir(tmp_path)) == 1


def test_remains_of_killed_processes_are_removed(tmp_path):
    for name in ("a.npz.tmp", "b.png.tmp", "c.png.0123.tmp", "mine.txt", "tmp"):
        (tmp_path / name).write_text("x")
    (tmp_path / "saved_model.tmp" / "variables").mkdir(parents=True)
    with files.replacing_shared(str(tmp_path / "alive.tar")) as temporary:
        files.sweep(str(tmp_path))
        assert os.path.exists(temporary)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"mine.txt", "tmp", "alive.tar"}
    for name in ("info.json.tmp", "thesis.txt.tmp"):
        (tmp_path / name).write_text("x")
    files.sweep(str(tmp_path), "info.json")
    assert (tmp_path / "thesis.txt.tmp").exists()
    assert not (tmp_path / "info.json.tmp").exists()
    files.sweep(str(tmp_path / "missing"))


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    """A file system without locks may hold files that another machine writes."""

    def flock(*args):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    (tmp_path / "samples-0.tar.tmp").write_text("x")
    files.sweep(str(tmp_path))
    assert (tmp_path / "samples-0.tar.tmp").exists()
    with Workdir(str(tmp_path / "run")).locked():
        assert (tmp_path / "run").is_dir()


def test_exports_keep_files_of_the_user(tmp_path):
    """Only the package's own names are restored or removed."""
    from keras_gans.export import saved_model

    mine = ["notes.old", "mine.tmp", "paper.tex"]
    for name in (*mine, "generator.tflite.tmp"):
        (tmp_path / name).write_text("x")
    (tmp_path / "saved_model.old").mkdir()
    saved_model.recover(str(tmp_path))
    assert {p.name for p in tmp_path.iterdir()} == {*mine, "saved_model"}


def test_overwrite_keeps_what_a_link_leads_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "elsewhere")
    Workdir(str(tmp_path / "run")).clear()
    assert not os.path.lexists(tmp_path / "run" / "checkpoints")
    assert (tmp_path / "elsewhere" / "file").exists()


def test_a_workdir_removes_what_a_killed_run_has_left(tmp_path):
    workdir = Workdir(str(tmp_path))
    left = ["config.toml.tmp", "metrics.jsonl.tmp", "sources.npz.tmp"]
    left += ["checkpoints/step_00000007.npz.tmp", "samples/step_00000005.png.tmp"]
    others = ["notes.tmp", "export/generator.tflite.tmp", "samples/mine.png"]
    for name in (*left, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with workdir.locked():
        assert not [name for name in left if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in others)


@pytest.mark.parametrize(
    "path, folder, message",
    [
        ("file", True, "is a file where a folder belongs"),
        ("folder", False, "is a folder where a file belongs"),
        ("link", True, "is a file where a folder belongs"),
        ("nowhere", True, "is a file where a folder belongs"),
        ("pipe", False, "is a folder where a file belongs"),
        ("missing", True, None),
        ("folder", True, None),
        ("file", False, None),
    ],
)
def test_kinds_of_paths(path, folder, message, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    if message is None:
        files.check_kinds("here", {str(tmp_path / path): folder})
        return
    with pytest.raises(UserError, match=message):
        files.check_kinds("here", {str(tmp_path / path): folder})


def test_logs_hold_what_was_written(tmp_path):
    write_log(tmp_path)()
    [line] = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["d_49"] == 0.5


def test_a_checkpoint_and_its_name_are_written_to_the_disk(tmp_path, monkeypatch):
    model, _ = smoke_model("rsgan_ring")
    order = []
    kinds = {True: "folder", False: "file"}

    def sync(descriptor, real=os.fsync):
        order.append(kinds[stat.S_ISDIR(os.fstat(descriptor).st_mode)])
        real(descriptor)

    def replace(*paths, real=os.replace):
        order.append("replace")
        real(*paths)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    checkpoint.save(model, str(tmp_path))
    assert order == ["file", "replace", "folder"]

"""Rules of a workdir: names, changed recipes, damaged descriptions, moved data."""

import dataclasses
import json
import os
import shutil
import types

import pytest
from PIL import Image

from keras_gans import data, train
from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.errors import UserError
from keras_gans.recipes.config import load_config
from keras_gans.storage import files
from keras_gans.storage.workdir import FREE, Workdir

INFO = DataInfo((32, 32, 3), 2, ("a", "b"), "", 9, "f0", contents="c0")


@pytest.fixture
def workdir(tmp_path):
    """Workdir of a run on a folder, with an empty checkpoint."""
    found = Workdir(str(tmp_path / "run"))
    with found.locked():
        found.write(recipe(), INFO)
    os.makedirs(found.checkpoints)
    open(os.path.join(found.checkpoints, "step_00000004.npz"), "wb").close()
    return found


def recipe(*words):
    base = ["data.dataset=folder:made", "train.steps=9"]
    return load_config("cgan", [*base, *words], smoke=True)


CHANGES = [
    "train.log_every=7",
    "train.grid_every=7",
    "train.checkpoint_every=7",
    "train.keep_checkpoints=7",
    "train.evaluate_every=7",
    "train.steps_per_execution=7",
    "data.dataset=folder:/elsewhere/moved",
]


@pytest.mark.parametrize("word", CHANGES)
def test_keys_that_do_not_change_the_arithmetic_may_change(word, workdir):
    key = word.partition("=")[0]
    for resume in (None, True):
        [note] = workdir.check(recipe(word), resume, False)
        assert note.startswith(f"changed: {key}: ")
    assert {c.partition("=")[0] for c in CHANGES} == {*FREE, "data.dataset"} - {"name"}
    [note] = workdir.check(dataclasses.replace(recipe(), name="my copy"), None, False)
    assert note == 'changed: name: "cgan" -> "my copy"'


@pytest.mark.parametrize(
    "word",
    [
        *("data.batch_size=7", "data.image_size=64", "data.held_out=2"),
        *(
            "data.horizontal_flip=true",
            "train.seed=7",
            "train.precision=mixed_bfloat16",
        ),
        *("hparams.ema_decay=0.5", "generator.width=7", "d_optimizer.beta_1=0.1"),
        *("data.dataset=digits", "data.dataset=grey:folder:made"),
        *("data.dataset=pairs:made,made2", "train.steps=3", "train.accumulate=2"),
    ],
)
def test_keys_that_change_the_arithmetic_may_not(word, workdir):
    with pytest.raises(UserError, match="holds a run of another recipe") as caught:
        workdir.check(recipe(word, "train.log_every=7"), True, False)
    message = str(caught.value)
    assert word.partition("=")[0] in message and "log_every" not in message
    assert message.index("--init_from=") < message.index("--overwrite")
    assert len(message) < 500


def test_the_advice_is_quoted_for_the_shell(tmp_path):
    found = Workdir(str(tmp_path / "my run's"))
    with found.locked():
        found.write(recipe(), INFO)
    with pytest.raises(UserError) as caught:
        found.check(recipe("data.batch_size=7"), None, False)
    assert f"--init_from='{tmp_path}/my run'\"'\"'s'" in str(caught.value)


@pytest.mark.parametrize(
    "one, two, same",
    [
        ("folder:a", "folder:/b/c", True),
        ("folder:a", "folder:a,b:c", True),
        ("pairs:a,b", "pairs:/x/a,/y/b", True),
        ("unpaired:a,b", "unpaired:c,d", True),
        ("grey:folder:a", "grey:folder:b", True),
        ("small2:pairs:a", "small2:pairs:b", None),
        ("grey:folder:a", "outline:folder:a", False),
        ("pairs:a,b", "pairs:c", False),
        ("pairs:a,b", "unpaired:a,b", False),
        ("tfds:mnist", "tfds:cifar10", False),
        ("digits", "fashion", False),
    ],
)
def test_kinds_of_data_sets(one, two, same):
    if same is None:  # not a data set
        with pytest.raises(UserError):
            DataOptions(one, 1)
        return
    assert (DataOptions(one, 1).kind == DataOptions(two, 1).kind) == same


@pytest.mark.parametrize("kind", ["folder", "pairs", "unpaired", "halves", "derived"])
def test_moved_data_are_the_same_data(kind, pictures, tmp_path, monkeypatch):
    names = {
        "folder": "folder:{0}",
        "pairs": "pairs:{0}/cats,{0}/more",
        "unpaired": "unpaired:{0}/cats,{0}/dogs",
        "halves": "pairs:{0}",
        "derived": "grey:folder:{0}",
    }
    for path in pictures.rglob("*.*") if kind == "halves" else ():
        Image.open(path).convert("RGB").resize((32, 16)).save(path)
    shutil.copytree(pictures / "cats", pictures / "more")
    root = shutil.move(pictures, tmp_path / "here")
    found = Workdir(str(tmp_path / "run"))

    def info(folder):
        options = DataOptions(names[kind].format(folder), 2, image_size=16, channels=3)
        return data.open_source(options).info

    with found.locked():
        found.write(recipe(), info(root))
    monkeypatch.chdir(tmp_path)
    found.check_data(info("here"))  # relative
    moved = shutil.copytree(root, tmp_path / "there", copy_function=shutil.copyfile)
    found.check_data(info(moved))
    target = moved / "cats" / "a.png"
    content = target.read_bytes()
    target.write_bytes((moved / "cats" / "b.jpg").read_bytes())
    with pytest.raises(UserError, match="the data set differs.*--init_from="):
        found.check_data(info(moved))
    target.write_bytes(content)
    found.check_data(info(moved))
    # Runs of earlier versions know the names of the files alone.
    description = tmp_path / "run" / "info.json"
    old = json.loads(description.read_text())
    del old["contents"]
    description.write_text(json.dumps(old))
    found.check_data(info(root))


DAMAGE = {
    "no info.json": lambda folder: (folder / "info.json").unlink(),
    "no config.toml": lambda folder: (folder / "config.toml").unlink(),
    "neither": lambda folder: [
        (folder / name).unlink() for name in ("info.json", "config.toml")
    ],
    "empty info": lambda folder: (folder / "info.json").write_text(""),
    "list": lambda folder: (folder / "info.json").write_text("[]"),
    "nested": lambda folder: (folder / "info.json").write_text("[" * 10**5),
    "no UTF-8": lambda folder: (folder / "info.json").write_bytes(b"\xff\xfe"),
    "other types": lambda folder: (folder / "info.json").write_text(
        '{"image_shape": ["a", null, 1e9], "class_names": []}'
    ),
    "text of names": lambda folder: (folder / "info.json").write_text(
        '{"image_shape": [8, 8, 1], "class_names": [1]}'
    ),
    "unknown key": lambda folder: (folder / "info.json").write_text(
        '{"image_shape": [8, 8, 1], "class_names": [], "x": 1}'
    ),
    "zeros": lambda folder: (folder / "config.toml").write_bytes(bytes(99)),
    "no tables": lambda folder: (folder / "config.toml").write_text(""),
    "another program": lambda folder: (folder / "config.toml").write_text("a = 1"),
    "cut": lambda folder: (folder / "config.toml").write_text("name = 'x"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_descriptions_need_resume(name, workdir, tmp_path):
    DAMAGE[name](tmp_path / "run")
    with pytest.raises(UserError, match="Pass --resume to continue the run") as caught:
        workdir.check(recipe(), None, False)
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
    notes = workdir.check(recipe(), True, False)
    assert all(note.endswith("; written again") for note in notes) and notes
    workdir.check_data(INFO)
    assert workdir.check(recipe(), None, True) == ()  # --overwrite
    with pytest.raises(UserError) as caught:
        workdir.read()  # as `sample` does
    assert "\n" not in str(caught.value)
    with workdir.locked():
        workdir.write(recipe(), INFO)
    assert workdir.check(recipe(), None, False) == ()


PLACES = ["checkpoints", "samples", "tensorboard", "export", "evaluation"]


@pytest.mark.parametrize("name", [*PLACES, "metrics.jsonl", "hardware.json"])
def test_files_and_folders_in_the_wrong_places(name, workdir, tmp_path):
    path = tmp_path / "run" / name
    if path.is_dir():
        shutil.rmtree(path)
    path.write_text("x") if name in PLACES else path.mkdir()
    kinds = ("file", "folder") if name in PLACES else ("folder", "file")
    with pytest.raises(UserError, match="is a {} where a {} belongs".format(*kinds)):
        workdir.check(recipe(), True, False)
    assert workdir.check(recipe(), None, True) == ()
    workdir.clear()
    assert not path.exists()


@pytest.mark.parametrize(
    "path, message",
    [
        ("gs://bucket/run", "expected a local folder"),
        ("a\nb", "expected a local folder"),
        ("a\x1b[31mb", "expected a local folder"),
        (os.fsdecode(b"caf\xe9"), "expected a local folder"),
        ("x" * 300, "File name too long"),
        ("file", "not a folder"),
        ("file/run", "cannot be written to"),
        ("my run", None),
        ("größe", None),
        ("-x", None),
        ("a+b [1] (2), 50%", None),
        ("s3:x", None),
    ],
)
def test_names_of_workdirs(path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    found = Workdir(path)
    if message is None:
        assert found.check(recipe(), None, False) == ()
        return
    with pytest.raises(UserError, match=message) as caught:
        found.check(recipe(), None, False)
        with found.locked():
            pass
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "free, fits",
    [(0, False), (39, False), (40, True), (10**9, True), (None, True)],
)
def test_room_for_checkpoints_and_exports(free, fits, tmp_path, monkeypatch):
    """Two kept checkpoints of 10 bytes, one more before a deletion, and exports."""
    usage = types.SimpleNamespace(free=free)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    if free is None:
        monkeypatch.setattr(files, "free_bytes", lambda path: None)
    options = recipe("train.checkpoint_every=2", "train.keep_checkpoints=2").train
    found = Workdir(str(tmp_path / "run"))
    if fits:
        found.check_room(10, options)
        return
    with pytest.raises(UserError, match="MiB left, but .* need .* MiB"):
        found.check_room(10, options)


def test_a_full_disk_is_found_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "free_bytes", lambda path: 2**20)
    words = ["--model=gan", "--smoke", f"--workdir={tmp_path / 'run'}"]
    assert train.main(words) == 2
    assert "the disk has 1.0 MiB left" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

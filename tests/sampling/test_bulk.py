"""Shards of samples: equal to those of `sample`, on any machine."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans import provenance, sample
from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError
from keras_gans.sampling import load, shards

NUM, SHARDS = 23, 4  # 5, 6, 6 and 6 images


@pytest.fixture(scope="module")
def source(smoke_run):
    return str(smoke_run("cgan") / "export" / "generator.tflite")


def make(source, out, *words, form="tfrecord"):
    args = [f"--source={source}", f"--num={NUM}", f"--shards={SHARDS}", "--seed=7"]
    return sample.main([*args, f"--format={form}", f"--out={out}", *words])


def contents(folder, form):
    return {p.name: p.read_bytes() for p in sorted(folder.glob(f"*.{form}"))}


def read(folder, form):
    """Return [(number, label, PNG)] of all shards in order."""
    found = []
    for path in sorted(folder.glob(f"*.{form}")):
        if form == "tar":
            with tarfile.open(path) as archive:
                files = {m.name: archive.extractfile(m).read() for m in archive}
            for name in sorted(n for n in files if n.endswith(".png")):
                label = int(files[name.replace(".png", ".cls")])
                found.append((int(name[:-4]), label, files[name]))
            continue
        for record in tf.data.TFRecordDataset(str(path)):
            features = tf.train.Example.FromString(record.numpy()).features.feature
            number, label = (
                features[f"image/{key}"].int64_list.value[0]
                for key in ("index", "class/label")
            )
            [png] = features["image/encoded"].bytes_list.value
            found.append((number, label, png))
    return found


@pytest.mark.parametrize("form", shards.WRITERS)
def test_shards_hold_the_pictures_of_sample(form, source, tmp_path):
    out = tmp_path / "many"
    assert make(source, out, "--truncation=0.7", form=form) == 0
    found = read(out, form)
    assert [number for number, _, _ in found] == list(range(NUM))
    assert [label for _, label, _ in found] == [i % 10 for i in range(NUM)]
    pictures = [np.asarray(Image.open(io.BytesIO(png))) for _, _, png in found]
    expected = load.load(source).sample(NUM, seed=7, truncation=0.7)
    np.testing.assert_array_equal(np.stack(pictures)[..., None], expected)
    assert len(contents(out, form)) == SHARDS
    assert not list(out.glob("*.tmp"))
    (tmp_path / "one.png").write_bytes(found[13][2])
    said = provenance.read(str(tmp_path / "one.png"))
    assert (said["seed"], said["index"], said["label"]) == (7, 13, 3)


@pytest.mark.parametrize("form", shards.WRITERS)
def test_any_machine_makes_the_same_shard(form, source, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert make(source, whole, "--label=4", form=form) == 0
    for only in ("2:4", "1", "0:1"):
        assert make(source, parts, "--label=4", f"--only={only}", form=form) == 0
    assert contents(parts, form) == contents(whole, form)
    assert {label for _, label, _ in read(parts, form)} == {4}
    # Only the lost shard is written again.
    before = contents(whole, form)
    lost = whole / f"samples-00002-of-00004.{form}"
    lost.unlink()
    times = {p: p.stat().st_mtime_ns for p in whole.iterdir()}
    capsys.readouterr()
    assert make(source, whole, "--label=4", form=form) == 0
    assert "wrote 1 of 4 shards (3 already existed)" in capsys.readouterr().out
    assert contents(whole, form) == before
    assert all(p.stat().st_mtime_ns == t for p, t in times.items())


def test_shards_differ_by_a_picture_at_most():
    plan = shards.ShardPlan(num=1_000_003, shards=7)
    parts = [plan.numbers(i) for i in range(7)]
    assert [n for part in parts for n in (part[0], part[-1] + 1)][1:-1] == [
        n for part in parts[1:] for n in (part[0], part[0])
    ]
    assert (parts[0][0], parts[-1][-1]) == (0, 1_000_002)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_manifest_is_what_earlier_versions_wrote():
    """A folder that an earlier version began can be completed."""
    options = sampler_lib.SampleOptions(7, 4, truncation=0.7, codes={0: 0.5})
    assert shards.ShardPlan(12, 4, options, "tar").manifest() == {
        "num": 12,
        "shards": 4,
        "seed": 7,
        "label": 4,
        "options": {
            "truncation": 0.7,
            "shift": 0.0,
            "threshold": None,
            "codes": {0: 0.5},
            "noise": 1.0,
            "mix": None,
        },
        "format": "tar",
    }


def test_a_broken_shard_leaves_no_file(source, tmp_path, monkeypatch):
    made = []

    def encode(image, about):
        made.append(about["index"])
        if len(made) > 7:
            raise KeyboardInterrupt
        return b"png"

    monkeypatch.setattr(sampler_lib, "encode", encode)
    assert make(source, tmp_path / "many", form="tar") == 130
    names = {path.name for path in (tmp_path / "many").iterdir()}
    assert names == {shards.MANIFEST, "samples-00000-of-00004.tar"}


def test_two_writers_of_a_shard_do_not_meet(source, tmp_path):
    """Both writers finish, and the file is complete."""
    path = str(tmp_path / "one.tar")
    alone = [(0, 3, b"png"), (1, 4, b"more")]

    def slow():
        yield alone[0]
        shards._write_shard(path, "tar", iter(alone))  # a second writer, meanwhile
        yield alone[1]

    shards._write_shard(path, "tar", slow())
    assert [p.name for p in tmp_path.iterdir()] == ["one.tar"]
    with tarfile.open(path) as archive:
        names = [member.name for member in archive]
    assert names == [f"00000000{i}.{e}" for i in (0, 1) for e in ("png", "cls")]


@pytest.mark.parametrize("form", shards.WRITERS)
def test_a_disk_that_cannot_be_written_is_one_line(form, source, tmp_path):
    with pytest.raises(OSError, match="cannot write .*: .*[Nn]o such file"):
        shards._write_shard(str(tmp_path / "no" / "one"), form, iter([(0, 3, b"png")]))


def test_marked_and_plain_pictures_are_not_mixed(source, tmp_path):
    sampler, plan = load.load(source), shards.ShardPlan(num=4, shards=2)
    shards.run(sampler, plan, str(tmp_path / "many"), range(1))
    sampler.info = sampler.info | {"watermark": True}
    with pytest.raises(UserError, match="watermark: nothing -> true"):
        shards.run(sampler, plan, str(tmp_path / "many"), range(1, 2))


def test_only_a_few_pictures_wait_to_be_written(source):
    """Memory does not grow with the size of a shard, however slow the disk is."""
    sampler = load.load(source)
    made = []

    class Pool:
        def submit(self, function, number, picture):
            made.append(number)
            return type("Done", (), {"result": lambda self: number})()

    plan = shards.ShardPlan(num=2000, shards=1)
    encoded = shards._encoded(sampler, plan, plan.numbers(0), Pool())
    for number, got in enumerate(encoded):
        assert got == number
        assert len(made) <= number + (shards.AHEAD + 1) * sampler.at_once + 1
    assert made == list(range(2000))


@pytest.mark.parametrize(
    "words, message",
    [
        (["--num=3"], "--shards=4: expected 1 to --num=3"),
        (["--shards=0"], "--shards=0: expected 1"),
        (["--only=4"], "expected FIRST:LAST, from 0:1 to 3:4"),
        (["--only=2:2"], "expected FIRST:LAST"),
        (["--only=-1:2"], "expected FIRST:LAST"),
        (["--only=one"], "expected FIRST:LAST"),
        (["--label=10"], "label 10: expected 0 to 9"),
        (["--seed=-1"], "seed: expected 0"),
        (["--interpolate=1"], "expected no walk"),
        (["--input=a.png"], "leave one of them out"),
        (["--format=zip"], "format"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    words, message, source, tmp_path, capsys
):
    capsys.readouterr()
    assert make(source, tmp_path / "many", *words) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "many").exists()


def test_folders_of_something_else_are_refused(source, tmp_path, capsys):
    out = tmp_path / "many"
    assert make(source, out, "--only=0") == 0
    before = contents(out, "tfrecord")
    capsys.readouterr()
    assert make(source, out, "--seed=8") == 2
    assert "holds shards of another plan (seed" in capsys.readouterr().err
    (out / shards.MANIFEST).write_text("[]")
    assert make(source, out) == 2
    assert "not written by --shards" in capsys.readouterr().err
    (out / shards.MANIFEST).unlink()
    assert make(source, out) == 2
    assert "expected a new or empty folder" in capsys.readouterr().err
    assert contents(out, "tfrecord") == before
    (tmp_path / "file").write_text("")
    assert make(source, tmp_path / "file" / "many") == 2
    assert make(source, tmp_path / "file") == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert sample.main([f"--source={source}", "--shards=2"]) == 2
    assert "--out=FOLDER" in capsys.readouterr().err
    assert sample.main([f"--source={source}", "--only=2"]) == 2
    assert "--only: pass --shards=N as well" in capsys.readouterr().err


def test_points_and_pictures_from_pictures_have_no_shards(tmp_path):
    plan = shards.ShardPlan(num=4, shards=1)
    points = type("Points", (sampler_lib.BaseSampler,), {})()
    points.info = {"name": "ring", "image_shape": [1, 1, 2]}
    with pytest.raises(UserError, match="generates points"):
        shards.run(points, plan, str(tmp_path / "many"), range(1))
    points.info["condition_shape"] = [8, 8, 3]
    with pytest.raises(sampler_lib.SamplerError, match="translates images"):
        shards.run(points, plan, str(tmp_path / "many"), range(1))

"""Damaged workdirs: every command resumes, or ends with one line."""

import json
import os
import random
import resource
import shutil
import time

import keras
import pytest

from keras_gans import doctor, sample, train
from keras_gans.export import tflite
from keras_gans.recipes import build
from keras_gans.sampling import keras_sampler
from keras_gans.training import run

pytestmark = pytest.mark.slow

SEED, NUM = 0, 100
LONGEST = 10.0  # seconds of a command
MEMORY = 512 * 1024  # KiB that all commands together may add


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Train one run for each kind of workdir: from noise, and from images."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("cgan", "pix2pix"):
        words = [f"--model={name}", "--smoke", f"--workdir={folder / name}"]
        assert train.main(words) == 0
        (folder / name / "checkpoints" / "step_00000006.npz").unlink()
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Replace what takes long, and no damage reaches: tracing and conversion."""
    built = {}

    def build_model(config, info):
        key = config.to_toml(), info
        if key not in built:
            built[key] = build.__dict__["build_model_"](config, info)
        model = built[key]
        model.step.assign(0)
        return model

    class Archive:
        """Stand-in for an archive of Keras, which writes an empty folder."""

        def track(self, network):
            pass

        def add_endpoint(self, name, function, signature):
            pass

        def write_out(self, path, verbose):
            os.makedirs(path)

    def fit(model, source, watching, config, team):
        for callback in watching:
            callback.set_model(model)
            callback.on_train_begin()
        model.step.assign(config.train.steps)
        for callback in watching:
            callback.step = config.train.steps
            if hasattr(callback, "finished"):
                callback.finished = True
            callback.on_train_end()

    monkeypatch.setitem(build.__dict__, "build_model_", build.build_model)
    monkeypatch.setattr(build, "build_model", build_model)
    monkeypatch.setattr(keras_sampler, "build_model", build_model)
    monkeypatch.setattr(keras.export, "ExportArchive", Archive)
    monkeypatch.setattr(tflite, "convert", lambda *args: b"TFL3")
    monkeypatch.setattr(run, "_fit", fit)


WRONG = [None, True, -1, 1.5, 10**30, "x", [], {}, [1], {"a": 1}, "\ud800", "é" * 999]
TOML = ["= 1\n", "[[data]]\n", "name = 1\n", 'model = ""\n', "[data]\nx = 1\n"]
TOML += ["a.b.c = 1\n" * 2, 'import_from = "x"\n', "x = " + "[" * 5000, "\0"]
LINES = [b"{}", b"[1]", b'{"step": "x"}', b'{"step": 1e999}', b'{"step": -1}', b""]
LINES += [b'{"step": 2, "d_real": "x"}', b'{"step": 2, "not_finite": 3}', b"\0" * 512]
LINES += [b"[" * 100_000, b"9" * 5000, b'{"step": 3, "d_real": null}', b"\xff\xfe"]


def damage(path, rng):
    """Damage a file in one of many ways, and return the way's name."""
    content = path.read_bytes()

    def flip():
        changed = bytearray(content)
        for _ in range(rng.choice([1, 20])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)

    def swap():
        path.unlink()
        path.mkdir()

    def other_types():
        values = json.loads(content)
        key = rng.choice(sorted(values))
        values[key] = rng.choice(WRONG)
        path.write_text(json.dumps(values))

    def other_keys():
        values = json.loads(content)
        values.pop(rng.choice(sorted(values)))
        path.write_text(json.dumps(rng.choice([values, [values], "x", 3, None])))

    def bad_toml():
        text = content.decode()
        lines = text.splitlines(keepends=True)
        lines.insert(rng.randrange(len(lines)), rng.choice(TOML))
        path.write_text("".join(lines))

    def other_value():
        lines = content.decode().splitlines(keepends=True)
        number = rng.choice([i for i, line in enumerate(lines) if " = " in line])
        key = lines[number].partition(" = ")[0]
        value = rng.choice(['"x"', "-1", "1e400", "[]", "{}", "true", "9" * 400])
        lines[number] = f"{key} = {value}\n"
        path.write_text("".join(lines))

    def bad_line():
        lines = content.splitlines(keepends=True)
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(LINES) + b"\n")
        path.write_bytes(b"".join(lines))

    ways = {
        "truncate": lambda: path.write_bytes(content[: rng.randrange(len(content))]),
        "flip": flip,
        "empty": lambda: path.write_bytes(b""),
        "delete": path.unlink,
        "swap for a folder": swap,
        "zeros": lambda: path.write_bytes(bytes(len(content))),
        "UTF-16": lambda: path.write_bytes(b"\xff\xfe" + content),
    }
    if path.suffix == ".json":
        ways |= {"other types": other_types, "other keys": other_keys}
    if path.suffix == ".toml":
        ways |= {"bad TOML": bad_toml, "other value": other_value}
    if path.suffix == ".jsonl":
        ways |= {"bad line": bad_line, "another bad line": bad_line}
    name = rng.choice(sorted(ways))
    ways[name]()
    return name


def spoil(run, rng):
    """Damage one or two files or folders of a run; return what was done."""
    done = []
    for _ in range(rng.choice([1, 1, 2])):
        if rng.random() < 0.15:  # a file where a folder belongs
            folder = rng.choice(["checkpoints", "samples", "tensorboard", "export"])
            if (run / folder).is_dir():
                shutil.rmtree(run / folder)
                (run / folder).write_text("x")
                done.append(f"{folder}: a file")
            continue
        names = ["config.toml", "info.json", "hardware.json", "metrics.jsonl"]
        names += ["sources.npz", "export/generator.tflite"]
        names += [f"checkpoints/step_0000000{i}.npz" for i in (2, 4, 4)]
        path = run / rng.choice(names)
        if path.is_file() and path.stat().st_size:
            done.append(f"{path.name}: {damage(path, rng)}")
    return done


COMMANDS = {
    "resume": lambda name, path: train.main(
        [f"--model={name}", "--smoke", f"--workdir={path}", "--resume"]
    ),
    "sample": lambda name, path: sample.main(
        [f"--source={path}", f"--out={path.parent / 'out.png'}"]
        + [f"--input={path / 'samples' / 'step_00000006.png'}"] * (name == "pix2pix")
    ),
    "doctor": lambda name, path: doctor.main([f"--workdir={path}"]),
    "export": lambda name, path: tflite.main([f"--workdir={path}"]),
}


def test_damaged_workdirs_resume_or_are_one_line(runs, tmp_path, capfd, quick):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes, copy = {}, tmp_path / "run"
    for number in range(NUM):
        rng = random.Random(SEED + number)
        name = "pix2pix" if number % 4 == 0 else "cgan"
        for command, call in COMMANDS.items():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(runs / name, copy)
            rng = random.Random(SEED + number)
            done = f"{number} {command}: {'; '.join(spoil(copy, rng))}"
            capfd.readouterr()
            start = time.monotonic()
            status = call(name, copy)
            assert time.monotonic() - start < LONGEST, done
            err = capfd.readouterr().err
            assert status in ((0, 1) if command == "doctor" else (0,)) or (
                status == 2 and err.count("\n") == 1 and len(err) < 700
            ), f"{done}: {status}: {err}"
            assert not list(copy.rglob("*.tmp")), done
            outcomes[command, status] = outcomes.get((command, status), 0) + 1
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < MEMORY
    # Most of the damage does not stand in the way.
    assert outcomes["resume", 0] > NUM // 2, outcomes
    print(outcomes)

"""Signals at random moments: runs, exports and shards end as unbroken ones."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from harness import ROOT
from keras_gans.device.sampler import Sampler

pytestmark = pytest.mark.slow

SEED = 0
TRAIN = [
    *("--model=cgan", "--smoke", "--export=none", "--seed=3"),
    *("--set=train.steps=200", "--set=train.checkpoint_every=11"),
    *("--set=train.log_every=7", "--set=train.grid_every=30"),
    *("--set=train.keep_checkpoints=2", "--set=data.held_out=40"),
]
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
WAYS = ([INT], [KILL], [INT, INT], [TERM], [signal.SIGHUP])


class Nursery:
    """Parent of the commands' processes, see `nursery.py`."""

    def __init__(self, folder):
        self._out = folder / "out.txt"
        self._process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        assert self._process.stdout.readline() == "ready\n"

    def run(self, module, words, numbers=(), after=0.0):
        """Run a command, signal it after some seconds: (status, output, seconds)."""
        self._out.write_text("")
        start = time.monotonic()
        asked = json.dumps([f"keras_gans.{module}", words, str(self._out)])
        self._process.stdin.write(f"{asked}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if numbers:
            time.sleep(after)
        for number in numbers:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        status = int(self._process.stdout.readline())
        output = self._out.read_text()
        assert "Traceback" not in output and "rror ignored" not in output, output
        return status, output, time.monotonic() - start

    def close(self):
        """End the process."""
        self._process.stdin.close()
        assert self._process.wait(60) == 0


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    started = Nursery(tmp_path_factory.mktemp("nursery"))
    yield started
    started.close()


def moments(num, longest):
    """Yield (signals, seconds), each way of ending in turn."""
    rng = random.Random(SEED)
    for i in range(num):
        yield WAYS[i % len(WAYS)], rng.uniform(0.0, longest)


def check_end(numbers, status, output):
    """Check the exit status of a command that was signalled."""
    allowed = {0, 130}  # done already, or interrupted
    allowed |= {-number for number in numbers if number != INT}
    assert status in allowed, (numbers, status, output)


def lines(workdir):
    """Return the lines of a log without the values of the clock."""
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in r.items() if "second" not in k} for r in rows]


def leftovers(folder):
    names = re.compile(r".*\.(tmp|old)$")
    return [path for path in folder.rglob("*") if names.match(path.name)]


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """Train an unbroken run: (workdir, seconds)."""
    workdir = tmp_path_factory.mktemp("whole") / "run"
    status, output, seconds = nursery.run("train", [*TRAIN, f"--workdir={workdir}"])
    assert status == 0, output
    return workdir, seconds


def drawn(path):
    """Return the samples of an export; its file also holds the time."""
    return Sampler(str(path)).sample(3, seed=1).tobytes()


def assert_same_run(one, two):
    """Compare checkpoints, logs and grids of two runs."""
    assert lines(one) == lines(two)
    assert not leftovers(two)
    names = [sorted(p.name for p in (w / "checkpoints").iterdir()) for w in (one, two)]
    assert names[0] == names[1]
    for name in names[0]:
        with np.load(one / "checkpoints" / name) as a:
            with np.load(two / "checkpoints" / name) as b:
                assert a.files == b.files
                assert all(a[k].tobytes() == b[k].tobytes() for k in a.files), name
    for path in (one / "samples").iterdir():
        assert path.read_bytes() == (two / "samples" / path.name).read_bytes()


def test_runs_end_as_an_unbroken_run(nursery, whole, tmp_path):
    workdir, seconds = whole
    parts, lives = tmp_path / "parts", 0
    words, steps = [*TRAIN, f"--workdir={parts}"], set()
    for numbers, after in moments(32, seconds):
        status, output, _ = nursery.run("train", words, numbers, after)
        check_end(numbers, status, output)
        steps.update(re.findall(r"resuming from step (\d+)", output))
        if status == 0:
            assert_same_run(workdir, parts)
            shutil.rmtree(parts)
            lives += 1
    status, output, _ = nursery.run("train", words)
    assert status == 0, output
    assert_same_run(workdir, parts)
    assert len(steps) > 3  # signals came while it trained
    print(f"{lives + 1} runs, resumed from {len(steps)} different steps")


def test_exports_and_shards_end_as_unbroken_ones(nursery, whole, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(whole[0], run)
    words = [f"--workdir={run}"]
    status, output, seconds = nursery.run("export.__main__", words)
    assert status == 0, output
    path = run / "export" / "generator.tflite"
    expected, content = drawn(path), path.read_bytes()
    for numbers, after in moments(8, seconds):
        status, output, _ = nursery.run("export.__main__", words, numbers, after)
        check_end(numbers, status, output)
        assert path.read_bytes() == content or drawn(path) == expected  # whole
    status, output, _ = nursery.run("export.__main__", words)
    assert status == 0, output
    assert drawn(path) == expected
    assert (run / "export" / "saved_model" / "saved_model.pb").is_file()
    assert not leftovers(run)

    words = [f"--source={path}", "--num=6000", "--shards=12", "--format=tar"]
    whole_out, parts = tmp_path / "whole", tmp_path / "parts"
    status, output, seconds = nursery.run("sample", [*words, f"--out={whole_out}"])
    assert status == 0, output
    for numbers, after in moments(10, seconds / 2):
        args = [*words, f"--out={parts}"]
        status, output, _ = nursery.run("sample", args, numbers, after)
        check_end(numbers, status, output)
    status, output, _ = nursery.run("sample", [*words, f"--out={parts}"])
    assert status == 0, output
    contents = [
        {p.name: p.read_bytes() for p in f.iterdir()} for f in (whole_out, parts)
    ]
    assert contents[0] == contents[1]


def listen():
    """Undo that a shell lets a command in its background ignore Ctrl-C."""
    for number in (INT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [INT, TERM, signal.SIGHUP])
@pytest.mark.parametrize("after", [0.15, 0.4, 0.7, 1.0])
def test_first_second(number, after, tmp_path):
    """A signal during the imports ends a command without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_gans.train", "--model=cgan", "--smoke"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=listen,
    )
    time.sleep(after)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    if "keras_gans/" in err or "Traceback" not in err:  # else in Python's own start
        assert process.returncode in (130, -number), err
        assert "Traceback" not in err, err
    assert not (tmp_path / "runs").exists()

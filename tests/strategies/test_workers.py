"""Several workers, here processes on one host: same run, common end and resume."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from harness import ROOT, check_sizes_of_calls
from keras_gans import data, strategies, train
from keras_gans.data import DataOptions
from keras_gans.data.options import Share
from keras_gans.errors import UserError
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint
from keras_gans.training import pacing

RATE = 'class_name = "SGD"\nlearning_rate = 0.05'
PLAIN = ["--set=generator.normalization=none", "--set=discriminator.dropout=0.0"]


def free_ports(num):
    """Unused ports; all are bound at the same time, so that they differ."""
    sockets = [socket.socket() for _ in range(num)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(num, *args, own=()):
    """Start workers on loopback; `own` holds one more argument for each worker."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(num)]}
    workers = []
    for index in range(num):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        workers.append(
            subprocess.Popen(
                [sys.executable, "-m", "keras_gans.train", *args, *own[index:][:1]],
                env={**os.environ, "TF_CONFIG": json.dumps(task)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return workers


def ends(workers, seconds):
    """Wait for all workers; return [(status, stdout, stderr)]."""
    deadline = time.monotonic() + seconds
    found = []
    for worker in workers:
        told = worker.communicate(timeout=max(1.0, deadline - time.monotonic()))
        found.append((worker.returncode, *told))
    return found


def plain_sgd(path):
    """Write cgan's recipe with SGD, which reveals a wrong gradient scale."""
    text = (ROOT / "zoo_configs" / "cgan.toml").read_text()
    for player in "gd":
        table = rf"(?ms)^\[{player}_optimizer\]\n.*?(?=^\[)"
        text = re.sub(table, f"[{player}_optimizer]\n{RATE}\n\n", text)
    assert text.count("SGD") == 2
    path.write_text(text)
    return [f"--model={path}", "--smoke", "--export=none", *PLAIN]


def last(workdir, step):
    with np.load(workdir / "checkpoints" / f"step_{step:08d}.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize(
    "num",
    [
        pytest.param(2, marks=pytest.mark.second),
        pytest.param(4, marks=pytest.mark.release),
    ],
)
def test_workers_equal_one(num, tmp_path):
    args = plain_sgd(tmp_path / "sgd.toml")
    many, one = tmp_path / "many", tmp_path / "one"
    found = ends(start(num, *args, f"--workdir={many}"), 200)
    assert [status for status, _, _ in found] == [0] * num, found
    # Only the chief writes files and prints progress.
    assert "trained to step 6" in found[0][1]
    for _, out, _ in found[1:]:
        assert len(out.splitlines()) == 1 and f"waiting for {num} workers" in out
    assert train.main([*args, f"--workdir={one}", "--strategy=one_device"]) == 0
    a, b = last(many, 6), last(one, 6)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-5, err_msg=name)
    # The logged values are of the whole batch, too.
    logs = [
        [json.loads(line) for line in (w / "metrics.jsonl").read_text().splitlines()]
        for w in (many, one)
    ]
    for x, y in zip(*logs, strict=True):
        assert x.keys() == y.keys()
        for key in x.keys() - {"steps_per_second"}:
            assert x[key] == pytest.approx(y[key], abs=1e-4), key


@pytest.mark.slow
def test_a_pool_of_all_workers(tmp_path):
    """CycleGAN's image pool holds the earlier fakes of all workers."""
    args = ["--model=cyclegan", "--smoke", "--export=none"]
    args += ["--set=generator.norm=none", "--set=discriminator.norm=none"]
    many, one = tmp_path / "many", tmp_path / "one"
    found = ends(start(2, *args, f"--workdir={many}"), 200)
    assert [status for status, _, _ in found] == [0, 0], found
    assert train.main([*args, f"--workdir={one}", "--strategy=one_device"]) == 0
    a, b = last(many, 6), last(one, 6)
    np.testing.assert_allclose(a["image_pool/000"], b["image_pool/000"], atol=2e-2)
    assert a["image_pool/001"] == b["image_pool/001"] > 0


@pytest.mark.second
def test_workers_of_different_recipes_say_so(tmp_path):
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path / 'run'}"]
    rates = ["--set=hparams.ema_decay=0.9", "--set=hparams.ema_decay=0.5"]
    for status, out, error in ends(start(2, *args, own=rates), 120):
        assert status == 2 and "the workers differ" in error, (out, error)
        assert error.count("\n") == 1
    assert not (tmp_path / "run" / "config.toml").exists()


@pytest.mark.second
def test_a_mistake_on_one_worker_ends_all(tmp_path):
    """Each worker prints one line if one lacks the data, and no run is started."""
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path / 'run'}"]
    data = ["--set=data.dataset=digits", f"--set=data.dataset=folder:{tmp_path / 'no'}"]
    (chief, _, told), (other, _, error) = ends(start(2, *args, own=data), 120)
    assert (chief, other) == (2, 2)
    assert "another worker has failed" in told and told.count("\n") == 1
    assert "no folder" in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "config.toml").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "victim, number",
    [(1, 9), (1, 15), pytest.param(0, 9, marks=pytest.mark.release)],
)
def test_workers_end_together_and_go_on(victim, number, tmp_path):
    """All workers end if one is killed or stopped; one device can finish the run."""
    args = ["--model=cgan", "--smoke", "--export=none", "--set=train.steps=400"]
    args += [*PLAIN, "--set=train.checkpoint_every=20"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    workers = start(2, *args, f"--workdir={broken}")
    while not checkpoint.steps(str(broken / "checkpoints")):
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.1)
    workers[victim].send_signal(number)
    found = ends(workers, 60)
    [step] = checkpoint.steps(str(broken / "checkpoints"))[-1:]
    assert step < 400
    if number == signal.SIGTERM:
        assert [status for status, _, _ in found] == [130, 130], found
        assert f"interrupted at step {step}" in found[0][1]
    else:
        assert found[victim][0] == -signal.SIGKILL
        status, _, error = found[1 - victim]
        assert status == 75 and "train: a worker was lost" in error
        assert "Traceback" not in error and str(broken) in error
    assert train.main([*args, f"--workdir={broken}", "--strategy=one_device"]) == 0
    assert train.main([*args, f"--workdir={whole}", "--strategy=one_device"]) == 0
    a, b = last(broken, 400), last(whole, 400)
    assert a["state/000"] == b["state/000"] == 400
    lines = [(w / "metrics.jsonl").read_text().splitlines() for w in (broken, whole)]
    one, two = ([json.loads(line)["step"] for line in rows] for rows in lines)
    assert one == two


@pytest.mark.parametrize(
    "told, message",
    [
        ("", "TF_CONFIG is not set"),
        ("{", "TF_CONFIG: expected {"),
        ('{"cluster": {"worker": ["a:1"]}}', "TF_CONFIG: expected {"),
        ([["a:1", "b:1"], "worker", 2], "expected an index below 2"),
        ([["a:1", "b:1"], "ps", 0], "a task of type worker or chief, got worker and"),
        ([["a:1", "b"], "worker", 0], "expected host:port, got b"),
        ([["a:1", "b:70000"], "worker", 0], "expected host:port, got b:70000"),
        ([["a:1", "a:1"], "worker", 0], "expected a:1 once"),
    ],
)
def test_tf_config_is_checked(told, message, monkeypatch, tmp_path, capsys):
    if isinstance(told, list):
        workers, kind, index = told
        task = {"type": kind, "index": index}
        told = json.dumps({"cluster": {"worker": workers}, "task": task})
    monkeypatch.setenv("TF_CONFIG", told)
    args = ["--model=gan", "--smoke", "--strategy=multi_worker"]
    assert train.main([*args, f"--workdir={tmp_path / 'run'}"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_chief_may_have_a_job_of_its_own():
    told = {
        "cluster": {"worker": ["b:1"], "chief": ["a:1"]},
        "task": {"type": "chief", "index": 0},
    }
    assert strategies.check_tf_config(json.dumps(told)) == ["a:1", "b:1"]
    told["cluster"]["evaluator"] = ["c:1"]
    with pytest.raises(UserError, match="expected jobs"):
        strategies.check_tf_config(json.dumps(told))


@pytest.mark.parametrize(
    "dataset, options",
    [
        ("digits", {"horizontal_flip": True, "random_crop": 4}),
        ("ring", {}),
        ("outline:digits", {"unpaired": True}),
        ("folder", {"image_size": 16, "cache_mib": 0, "horizontal_flip": True}),
    ],
)
def test_shares_are_the_rows_of_a_batch(dataset, options, pictures):
    if dataset == "folder":
        dataset = f"folder:{pictures}"
    source = data.open_source(DataOptions(dataset, 12, **options))

    def third_batch(share=None):
        stream = source.stream(5, 1, *([share] if share else []))
        return [part.numpy() for part in next(iter(stream.skip(1))).values()]

    whole = third_batch()
    parts = [third_batch(Share(i, 3)) for i in range(3)]
    for name, parts_of_one in zip(whole, zip(*parts, strict=True), strict=True):
        assert len(parts_of_one[0]) == 4
        np.testing.assert_array_equal(name, np.concatenate(parts_of_one))


def test_calls_end_where_something_is_due(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    options = TrainOptions(100, log_every=25, grid_every=40, checkpoint_every=33)
    in_step = list(pacing.sizes(3, 100, options, paced=False))
    assert in_step == [10, 10, 2, 8, 7, 10, 10, 6, 9, 5, 10, 9, 1]
    for seconds, most in ((0.001, 10), (0.1, 5), (2.0, 1)):
        found = []
        for size in pacing.sizes(0, 100, options):
            now[0] += (60.0 if not found else 0.0) + seconds * size
            found.append(size)
        assert sum(found) == 100
        assert found[:2] == [1, 1] and max(found) == most  # the first call traces


@pytest.mark.second
def test_steps_of_a_call_are_those_of_as_many_calls():
    check_sizes_of_calls(lambda call, batches: call(batches))

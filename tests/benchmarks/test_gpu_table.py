"""`benchmark gpu`: the order of its rows, a run on this CPU, and its page."""

import json
import re

import pytest

from keras_gans import benchmark
from keras_gans.benchmarks import gpu
from keras_gans.benchmarks.gpu import Group
from keras_gans.errors import UserError

GPU_ROW = {
    "row": "cgan",
    "software": "JAX",
    "precision": "mixed_bfloat16",
    "figure": "1.23 ms per step of 64",
    "rate": 52032.4,
    "ready": 9.2,
    "memory": 812.6,
    "kind": "gpu",
    "device": "NVIDIA H200",
    "versions": "JAX 0.11.0, Keras 3.15.1",
}
FAILED = {
    "row": "sngan",
    "software": "TensorFlow",
    "precision": "",
    "failed": "not reached in time",
}


def test_most_telling_rows_come_first():
    groups = gpu.plan(["tensorflow", "jax"], with_torch=True)
    assert groups[0] == Group("main", "tensorflow", "cgan")
    order = [(g.kind, g.title, g.backend) for g in groups[1:]]
    models = "cgan", "dcgan_64", "r3gan", "stylegan2", "sngan"
    assert order == [
        *(("steps", name, b) for name in models for b in ("tensorflow", "jax")),
        ("torch", "dcgan_64", "torch"),
        ("peaks", "peaks", "tensorflow"),
        ("peaks", "peaks", "jax"),
    ]
    assert {g.backend for g in gpu.plan(["jax"], False)} == {"jax"}


@pytest.mark.second
def test_rows_are_kept_and_one_that_fails_leaves_the_others_alone(tmp_path, capsys):
    groups = [
        Group("main", "tensorflow", "cgan"),
        Group("steps", "tensorflow", "no_such_model"),
        Group("peaks", "tensorflow", "peaks"),
    ]
    rows = gpu.run(300, str(tmp_path), True, groups)
    out = capsys.readouterr().out.splitlines()
    kept = [json.loads(x) for x in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert kept == rows
    assert out == [gpu._line(x) for x in (gpu.TITLES, *map(gpu.cells, rows))]
    [main] = [r for r in rows if r["row"] == "cgan"]
    assert main["rate"] > 0 and main["ready"] > 0 and main["memory"] > 100
    assert re.fullmatch(r"\d+ steps of train in \d+ s", main["figure"])
    assert main["kind"] == "cpu" and "TensorFlow" in main["versions"]
    assert (tmp_path / "cgan.png").stat().st_size > 1000
    [failed] = [r for r in rows if "failed" in r]
    assert failed["failed"].startswith("UserError: no model 'no_such_model'")
    peaks = [r for r in rows if r["row"] == "peaks"]
    units = [row["figure"].split()[1].rstrip(",") for row in peaks]
    assert units == ["GFLOP/s", "GFLOP/s", "GB/s", "GB/s"]
    assert all(float(row["figure"].split()[0].replace(",", "")) > 0 for row in peaks)
    with pytest.raises(UserError, match="expected rows measured on a GPU"):
        gpu.page(rows, "command", "2026-11-27")


def test_time_that_is_over_ends_rows(tmp_path, monkeypatch):
    groups = [Group("steps", "tensorflow", "cgan")] * 3
    monkeypatch.setattr(gpu, "LEAST_SECONDS", 1)
    rows = gpu.run(2.5, str(tmp_path), False, groups)
    assert [row["failed"].split()[0] for row in rows] == ["stopped", "not", "not"]


def test_page_names_the_card():
    text = gpu.page([GPU_ROW, FAILED], "the command", "2026-11-27")
    assert "One NVIDIA H200, " in text and "2026-11-27; JAX 0.11.0, Keras" in text
    assert "```sh\nthe command\n```" in text
    row = "cgan | JAX | bfloat16 | 1.23 ms per step of 64 | 52,032 | 9 | 813"
    assert f"| {row} |" in text
    row = "sngan | TensorFlow |  | - (not reached in time) | - | - | -"
    assert f"| {row} |" in text


def test_page_is_written_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(gpu, "run", lambda *a: asked.append(a) or [GPU_ROW])
    args = ["gpu", "--seconds=60", f"--docs={tmp_path}", f"--out={tmp_path / 'out'}"]
    assert benchmark.main(args) == 0
    assert not (tmp_path / "gpu.md").exists()
    assert benchmark.main([*args, "--write"]) == 0
    text = (tmp_path / "gpu.md").read_text()
    assert "python -m keras_gans.benchmark gpu --seconds=60\n" in text
    assert asked == [(60, str(tmp_path / "out"), False)] * 2


def test_folder_that_cannot_be_written_to(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert benchmark.main(["gpu", f"--out={tmp_path / 'file'}"]) == 2
    assert "file" in capsys.readouterr().err

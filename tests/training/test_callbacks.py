"""The progress bar, and the signals it shares a run with."""

import signal
import sys
import types

import pytest

from keras_gans.recipes.train_options import TrainOptions
from keras_gans.training import callbacks, progress
from keras_gans.training import grids as grids_lib


def model():
    """As much of a model as a callback reads."""
    step = types.SimpleNamespace(numpy=lambda: 0)
    return types.SimpleNamespace(step=step, stop_training=False)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(callbacks.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.mark.parametrize("columns", ["200", "60", "0"])
def test_progress_shows_losses_and_time_left(columns, clock, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    bar = progress.Progress(steps=100)
    bar.set_model(model())
    bar.on_train_begin()
    for batch in range(26):
        clock.now += 60.0 if batch == 0 else 2.0  # the first step traces
        bar.on_train_batch_end(batch, {"d_real": [0.25], "d_gradient_norm": [3.0]})
    bar.on_train_end()
    line = capsys.readouterr().out.rstrip("\n").split("\r")[-1]
    # 26 done; 74 steps of 2 seconds are left
    assert line.startswith("26/100 [######.................")
    if columns == "200":
        assert "2:28 left, 0.5 steps/s" in line and "d_real 0.250" in line
        assert "gradient_norm" not in line
    assert len(line) <= (int(columns) or 80)


def test_second_signal_ends_at_once_and_handlers_come_back():
    before = signal.getsignal(signal.SIGINT)
    stop = callbacks.StopOnSignal(TrainOptions(100))
    stop.set_model(model())
    stop.on_train_begin()
    signal.raise_signal(signal.SIGINT)
    assert stop.caught and not stop.model.stop_training
    stop.on_step(1, {})
    assert stop.model.stop_training
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    stop.on_train_end()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_slow_model_gets_a_grid_within_a_minute(clock, tmp_path):
    import numpy as np

    from keras_gans.storage.workdir import Workdir

    drawn = np.zeros((64, 4, 4, 1), np.uint8)
    sampler = types.SimpleNamespace(
        info={"name": "slow", "num_classes": 0, "step": 0, "recipe": ""},
        sample=lambda num, seed: drawn[:num],
    )
    events = types.SimpleNamespace(image=lambda *a: None)
    recorder = types.SimpleNamespace(check=lambda: True, events=events)
    grids = grids_lib.SampleGrid(
        sampler, Workdir(str(tmp_path)), TrainOptions(100, grid_every=50), recorder
    )
    grids.set_model(model())
    grids.on_train_begin()
    for batch in range(60):
        clock.now += 4.0
        grids.on_train_batch_end(batch, {"d_real": [0.25]})
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["step_00000008.png", "step_00000050.png"]

"""Callbacks: progress bar, stop on a signal, sample grids."""

import signal
import time
import types

import pytest

from keras_gans.recipes.train_options import TrainOptions
from keras_gans.training import callbacks, progress
from keras_gans.training import grids as grids_lib

pytestmark = pytest.mark.jax  # and under TensorFlow


def model():
    """Stand-in for a model, with the attributes that callbacks read."""
    step = types.SimpleNamespace(numpy=lambda: 0)
    return types.SimpleNamespace(step=step, stop_training=False)


@pytest.fixture
def clock(monkeypatch):
    """Clock that the test advances."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def test_progress_shows_losses_and_time_left(clock, capsys):
    read = []

    class Value(float):
        """Stand-in for a value on the device; records each read."""

        def __float__(self):
            read.append(self)
            return float.__float__(self)

    bar = progress.Progress(steps=100)
    bar.set_model(model())
    bar.on_train_begin()
    assert capsys.readouterr().out == "compiling the first step\n"
    for batch in range(26):
        clock.now += 60.0 if batch == 0 else 2.0  # the first step includes tracing
        logs = {"d_real": [Value(0.25)], "d_gradient_norm": [Value(3.0)]}
        bar.on_train_batch_end(batch, logs)
    bar.on_train_end()
    # 89 and 79 steps of 2 seconds remain.
    assert capsys.readouterr().out.splitlines() == [
        "11/100, about 3 minutes left, 0.5 steps/s, d_real 0.250",
        "21/100, about 3 minutes left, 0.5 steps/s, d_real 0.250",
    ]
    assert len(read) == 3  # for two lines, and after the first step


def test_resumed_run_counts_its_own_steps_alone(clock, capsys):
    bar = progress.Progress(steps=100)
    resumed = model()
    resumed.step.numpy = lambda: 50
    bar.set_model(resumed)
    bar.on_train_begin()
    for batch in range(50):
        clock.now += 1.0
        bar.on_train_batch_end(batch, {"d_real": [0.25]})
    bar.on_train_end()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("71/100, about 30 seconds left, 1.0 steps/s")
    assert lines[-1].startswith("100/100, in about 50 seconds, 1.0 steps/s")


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

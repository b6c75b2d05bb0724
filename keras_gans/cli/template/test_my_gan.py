"""Tests of MyGAN: train, resume, export and sample. Run pytest test_my_gan.py."""

import json
import math
import pathlib

import my_gan
import numpy as np

import keras_gans
from keras_gans.cli import main as program

RECIPE = pathlib.Path(__file__).with_name("my_gan.toml")


def test_pair_loss():
    """Check that the loss is 0 where the logits differ by the margin."""
    higher, lower = np.array([3.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0])
    losses = my_gan.pair_loss(higher, lower, 2.0)
    np.testing.assert_allclose(losses, [0.0, 4.0, 9.0])


def test_run(tmp_path):
    """Check that a run resumes, and that its export draws the same images."""
    run = tmp_path / "run"
    words = ["train", f"--model={RECIPE}", "--smoke", f"--workdir={run}"]
    words.append("--allow_code")  # this recipe names a module of its own
    assert program.main([*words, "--export=none"]) == 0
    assert program.main([*words, "--steps=6", "--resume", "--export=tflite"]) == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    losses = {row["step"]: row["d_pairs"] for row in rows if "d_pairs" in row}
    assert list(losses) == [2, 4, 6] and all(map(math.isfinite, losses.values()))
    from_run = keras_gans.load(str(run), allow_code=True).sample(4, seed=0)
    exported = keras_gans.load(str(run / "export" / "generator.tflite"))
    difference = from_run.astype(int) - exported.sample(4, seed=0)
    assert np.ptp(from_run) > 0 and abs(difference).max() <= 1  # of 255

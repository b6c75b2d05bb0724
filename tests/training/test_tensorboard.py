"""Event files, read back with TensorFlow's reader."""

import subprocess
import sys

import pytest
import tensorflow as tf

from keras_gans import train
from keras_gans.training.tensorboard import Events


def read(path):
    """(version, [(step, tag, value)]) of an event file."""
    first, *events = tf.compat.v1.train.summary_iterator(str(path))
    return first.file_version, [
        (event.step, value.tag, value)
        for event in events
        for value in event.summary.value
    ]


def test_numbers_and_images_come_back(tmp_path):
    events = Events(str(tmp_path / "new" / "folder"))
    events.numbers({"d_real": 0.25, "kid": float("nan")}, 7)
    events.image("samples", b"a PNG", (2, 3, 1), 8)
    events.close()
    [path] = (tmp_path / "new" / "folder").iterdir()
    assert path.name.startswith("events.out.tfevents.")
    version, [real, kid, samples] = read(path)
    assert version == "brain.Event:2"
    assert real[:2] == (7, "d_real") and real[2].simple_value == 0.25
    assert kid[:2] == (7, "kid") and kid[2].simple_value != kid[2].simple_value
    assert samples[:2] == (8, "samples")
    image = samples[2].image
    assert (image.height, image.width, image.colorspace) == (2, 3, 1)
    assert image.encoded_image_string == b"a PNG"


def test_writers_of_one_second_share_no_file(tmp_path):
    for step in range(3):
        events = Events(str(tmp_path))
        events.numbers({"d_real": 0.5}, step)
        events.close()
    found = [read(path)[1] for path in sorted(tmp_path.iterdir())]
    assert [[row[0] for row in rows] for rows in found] == [[0], [1], [2]]


@pytest.mark.second
def test_resumed_run_adds_a_file(tmp_path):
    args = ["--model=gan", "--smoke", "--export=none", f"--workdir={tmp_path}"]
    assert train.main([*args, "--set=train.steps=2"]) == 0
    [before] = (tmp_path / "tensorboard").iterdir()
    kept = before.read_bytes()
    assert train.main([*args, "--set=train.steps=4", "--resume"]) == 0
    one, two = sorted((tmp_path / "tensorboard").iterdir())
    assert one == before and one.read_bytes() == kept
    steps = [
        {step for step, tag, _ in read(p)[1] if tag == "d_real"} for p in (one, two)
    ]
    assert steps == [{2}, {4}]


@pytest.mark.parametrize("first", ["", "import torch\n"])
def test_pytorch_is_not_imported_for_them(tmp_path, first):
    (tmp_path / "torch.py").write_text("class Tensor: pass\n")
    program = (
        "import os, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        f"{first}"
        "before = sys.modules.get('torch')\n"
        "from keras_gans.training.tensorboard import Events\n"
        "Events(os.path.join(sys.argv[1], 'events')).close()\n"
        "assert sys.modules.get('torch') is before\n"
        "import torch\n"  # it can still be imported
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

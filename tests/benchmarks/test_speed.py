"""`benchmark throughput`: counted operations, and the DCGAN in PyTorch."""

import json
import re
import subprocess

import pytest
import tensorflow as tf

from harness import ROOT
from keras_gans import benchmark, strategies
from keras_gans.benchmarks import bare_loop_tensorflow, torch_dcgan
from keras_gans.errors import UserError
from keras_gans.recipes.config import load_config


def test_arithmetic_is_counted():
    x, kernel, dense = tf.zeros((2, 8, 8, 3)), tf.ones((3, 3, 3, 5)), tf.ones((80, 7))

    @tf.function
    def forward(x):
        # 2 * 4 * 4 places, each with 5 sums of 27 products
        y = tf.nn.conv2d(x, kernel, 2, "SAME")
        return tf.matmul(tf.reshape(y, (2, 80)), dense)  # 2 * 7 sums of 80 products

    once = 2 * (2 * 16 * 5 * 27 + 2 * 7 * 80)
    assert bare_loop_tensorflow.count_flop(forward, x) == once

    @tf.function
    def backward(x):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, dense])
            y = tf.reduce_sum(tf.square(forward(x)))
        return tape.gradient(y, [x, kernel, dense])

    # forward pass, gradient of the inputs, gradient of the weights
    assert bare_loop_tensorflow.count_flop(backward, x) == 3 * once

    @tf.function
    def others(x):
        up = tf.nn.conv2d_transpose(x, tf.ones((4, 4, 6, 3)), (2, 16, 16, 6), 2)
        each = tf.nn.depthwise_conv2d(x, tf.ones((3, 3, 3, 1)), [1] * 4, "SAME")
        seen = tf.matmul(tf.ones((2, 9, 4)), tf.ones((2, 5, 4)), transpose_b=True)
        grouped = tf.nn.conv2d(up, tf.ones((3, 3, 2, 9)), 1, "SAME")
        return up, each, seen, grouped

    found = 2 * 64 * 3 * 16 * 6, 2 * 64 * 3 * 9, 2 * 9 * 5 * 4, 2 * 256 * 9 * 18
    assert bare_loop_tensorflow.count_flop(others, x) == 2 * sum(found)


@pytest.mark.second
def test_throughput_prints_a_line_for_each(capsys):
    args = ["throughput", "--model=lsgan", "--model=dcgan", "--rounds=1", "--steps=2"]
    args += ["--set=generator.width=4", "--set=discriminator.width=4"]
    assert benchmark.main([*args, "--precision=mixed_bfloat16"]) == 0
    out = capsys.readouterr().out.splitlines()
    ready = [line for line in out if ": ready in " in line]
    assert [line.split()[0] for line in ready] == ["lsgan", "dcgan"]
    assert "lsgan mixed_bfloat16: round 1 of 1: fit " in "".join(out)
    title, one, two = out[-4:-1]
    assert "contender" in title
    assert one.split()[:2] == ["lsgan", "mixed_bfloat16"]
    values = two.split()[2:]
    fit, bare, ratio = map(float, values[:3])
    assert ratio == pytest.approx(fit / bare, rel=0.02)
    assert values[3].endswith("%") and float(values[4]) > 0.1 and float(values[7]) > 100


@pytest.mark.parametrize("kind", ["models", "input", "quality", "report", "doctor"])
def test_flags_of_throughput_are_of_throughput_alone(kind, capsys):
    for flag in ("--torch", "--precision=float32"):
        assert benchmark.main([kind, flag]) == 2
        assert "only throughput takes them" in capsys.readouterr().err


def test_torch_is_the_same_network():
    config = load_config("dcgan")
    if not torch_dcgan.importlib.util.find_spec("torch"):
        with pytest.raises(UserError, match="pip install torch"):
            torch_dcgan.check(config)
        pytest.skip("no PyTorch here, which is no requirement of anything else")
    with pytest.raises(UserError, match="expected --model=dcgan"):
        torch_dcgan.check(load_config("cgan"))
    with pytest.raises(UserError, match="does not follow hparams.d_steps: 1 -> 2"):
        torch_dcgan.check(load_config("dcgan", ["hparams.d_steps=2"]))
    torch_dcgan.check(load_config("dcgan", ["generator.width=8", "train.steps=3"]))
    from harness import smoke_model

    for word in ("eager", "bfloat16"):
        other = torch_dcgan.open_recipe(load_config("dcgan", smoke=True), word, None, 2)
        model, _ = smoke_model("dcgan")
        for ours, theirs in (
            (model.generator, other._g),
            (model.discriminator, other._d),
        ):
            number = sum(p.numel() for p in theirs.parameters())
            assert number == sum(w.numpy().size for w in ours.trainable_weights)
        assert other.measure()["fit"] > 0


def test_templates_tell_each_worker_who_is_who(tmp_path):
    """Run the templates' shell scripts with the variables of a cluster manager."""
    pod = (ROOT / "docs/scaling/kubernetes.yaml").read_text()
    script = re.search(r"- \|\n(.*?)\n {10}resources:", pod, re.S)[1]
    stub = 'python() { echo "$TF_CONFIG"; echo "$@" >&2; return 75; }\n'
    done = subprocess.run(
        ["bash", "-c", stub + script],
        env={"PATH": "/usr/bin:/bin", "WORKERS": "3", "POD": "gan-2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 75, done
    told = json.loads(done.stdout)
    hosts = [f"gan-{i}.gan:2222" for i in range(3)]
    assert strategies.check_tf_config(done.stdout) == hosts
    assert told["task"] == {"type": "worker", "index": 2}
    assert "-m keras_gans.train --model=dcgan --workdir=/runs/dcgan" in done.stderr

    for name, text in {
        "scontrol": 'echo "$@" >> log; [ $1 = requeue ] || printf "n1\\nn2\\n"',
        "srun": 'shift; SLURM_PROCID=1 exec "$@"',
        "python": 'echo "$TF_CONFIG"; exit $STATUS',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for status, again in ((0, False), (1, False), (2, False), (75, True), (137, True)):
        (tmp_path / "log").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", ROOT / "docs/scaling/slurm.sh"],
            env={
                "PATH": f"{tmp_path}:/usr/bin:/bin",
                "SLURM_JOB_NODELIST": "n[1-2]",
                "SLURM_JOB_ID": "7",
                "HOME": "/home/me",
                "STATUS": str(status),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status
        found = strategies.check_tf_config(done.stdout)
        assert found == ["n1:12345", "n2:12345"], done
        assert json.loads(done.stdout)["task"]["index"] == 1
        assert ("requeue 7" in (tmp_path / "log").read_text()) == again

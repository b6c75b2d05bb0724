"""Keras on JAX: the same steps, runs and files as on TensorFlow."""

import inspect
import itertools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import three_steps
from PIL import Image

from harness import JAX, ZOO, check_sizes_of_calls, in_tiers, smoke_model, variables_of
from keras_gans import engine, strategies, train
from keras_gans.benchmarks import throughput
from keras_gans.data import images
from keras_gans.errors import UserError
from keras_gans.recipes.config import load_config
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import checkpoint

if not JAX:
    pytest.skip("for KERAS_BACKEND=jax", allow_module_level=True)

import jax  # noqa: E402
from jax import numpy as jnp  # noqa: E402

from keras_gans import backend as backend_lib
from keras_gans.sampling import load

pytestmark = pytest.mark.jax

STEPS = three_steps.__file__
PLAIN = {
    **three_steps.PLAIN,
    "lsgan": [*three_steps.NO_DROPOUT, "hparams.augment=ada", "hparams.ada_images=64"],
    # Translation and cutout make zeros, at which the two backends give the leaky ReLU
    # different gradients.
    "stylegan2": ["hparams.augment=color"],
}
COMPARED = "cgan", "cut", "cyclegan", "dcgan", "esrgan", "infogan", "lsgan", "pix2pix"
COMPARED += "r3gan", "spade", "stylegan2", "wgan_gp_ring"
RELEASE = [name for name in ZOO if name not in COMPARED]
RATES = {"wgan_gp": 1e-3, "biggan": 5e-3, "fastgan": 1e-4, "cyclegan": 1e-3}


def run(backend, *command):
    """Run Python under a backend; return its standard output."""
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def apart(a, b):
    """Largest difference between two checkpoints, and the name of its variable."""
    with np.load(a) as one, np.load(b) as two:
        assert one.keys() == two.keys()
        found = {
            # Floats only: Keras counts draws in a different integer type per backend.
            name: np.abs(one[name].astype(float) - two[name]).max()
            for name in one
            if one[name].dtype.kind == "f"
        }
    return max((value, name) for name, value in found.items())


@pytest.mark.parametrize("name", in_tiers(ZOO, first=COMPARED, release=RELEASE))
def test_three_steps_are_those_of_tensorflow(name, tmp_path):
    start, ours, theirs = (tmp_path / f"{n}.npz" for n in ("start", "ours", "theirs"))
    for backend, end in (("tensorflow", theirs), ("jax", ours)):
        words = name, RATES.get(name, 0.05), start, end, *PLAIN.get(name, ())
        run(backend, STEPS, *words)
    assert apart(start, ours)[0] > 1e-3
    assert apart(theirs, ours) < (1e-4,)


def test_run_is_taken_to_tensorflow_and_back(tmp_path):
    ours, args = tmp_path / "ours", ["--model=cgan", "--smoke"]
    # The export runs TensorFlow in a separate process.
    assert train.main([*args, f"--workdir={ours}"]) == 0
    draw = ["--seed=3", "--label=4", "--num=4"]
    for i, source in enumerate(
        (ours, ours / "export/saved_model", ours / "export/generator.tflite")
    ):
        path = tmp_path / f"{i}.png"
        words = f"--source={source}", *draw, f"--out={path}"
        run("tensorflow", "-m", "keras_gans.sample", *words)
    sampler = load.load(str(ours))
    mine = images.grid(sampler.sample(4, labels=4, seed=3))[..., 0].astype(int)
    for i in range(3):
        with Image.open(tmp_path / f"{i}.png") as picture:
            assert np.abs(np.asarray(picture) - mine).max() <= 1
    # Each backend resumes from the other's checkpoint.
    args = ["--model=gan", "--smoke", "--export=none"]
    three, workdirs = "--set=train.steps=3", (tmp_path / "a", tmp_path / "b")
    here, there = (f"--workdir={w}" for w in workdirs)
    assert train.main([*args, here, three]) == 0
    said = run("tensorflow", "-m", "keras_gans.train", *args, here, "--resume")
    assert "resuming from step 3" in said
    run("tensorflow", "-m", "keras_gans.train", *args, there, three)
    assert train.main([*args, there, "--resume"]) == 0
    assert [checkpoint.steps(f"{w}/checkpoints")[-1] for w in workdirs] == [6, 6]


def test_order_of_the_data_is_tensorflows(tmp_path):
    program = (
        "import sys, numpy as np\n"
        "from keras_gans import data\n"
        "stream, _ = data.load_data('outline:digits', 900, horizontal_flip=True,\n"
        "                           random_crop=4, seed=7, start_step=3)\n"
        "batches = iter(stream)\n"
        "some = [next(batches) for _ in range(4)]\n"
        "some = {k: np.stack([np.asarray(batch[k]) for batch in some])\n"
        "        for k in some[0]}\n"
        "np.savez(sys.argv[1], **some)\n"
    )
    for backend in ("tensorflow", "jax"):
        run(backend, "-c", program, tmp_path / f"{backend}.npz")
    found = [np.load(tmp_path / f"{b}.npz") for b in ("tensorflow", "jax")]
    for name in ("images", "condition"):
        np.testing.assert_array_equal(found[0][name], found[1][name])


def test_training_needs_no_tensorflow(tmp_path):
    program = (
        "import sys\n"
        "from importlib import metadata\n"
        "missing = ['tensorflow', 'tensorflow_datasets', 'ai_edge_litert']\n"
        "sys.modules.update(dict.fromkeys(missing))\n"
        "known = metadata.version\n"
        "metadata.version = lambda name: 1 / (name not in missing) and known(name)\n"
        "from keras_gans import evaluate, sample, train\n"
        "run = sys.argv[1]\n"
        "assert train.main(['--model=cgan', '--smoke', f'--workdir={run}',\n"
        "                   '--set=train.evaluate_every=3']) == 0\n"
        "assert evaluate.main([f'--source={run}', '--num=100']) == 0\n"
        "assert sample.main([f'--source={run}', f'--out={run}/a.png']) == 0\n"
    )
    said = run("jax", "-c", program, tmp_path / "run")
    assert "not exported: needs TensorFlow" in said and "MS-SSIM" in said
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert any("kid" in row for row in logged)
    # TensorFlow reads the same numbers from TensorBoard's file.
    [events] = (tmp_path / "run/tensorboard").iterdir()
    program = (
        "import json, sys, tensorflow as tf\n"
        "events = tf.compat.v1.train.summary_iterator(sys.argv[1])\n"
        "values = [(e.step, v) for e in events for v in e.summary.value]\n"
        "print(json.dumps([[step, v.tag, v.simple_value] for step, v in values\n"
        "                  if not v.HasField('image')]))\n"
        "assert any(v.HasField('image') for _, v in values)\n"
    )
    shown = json.loads(run("tensorflow", "-c", program, events))
    expected = [[r["step"], k, r[k]] for r in logged for k in r if k != "step"]
    assert [row[:2] for row in shown] == [row[:2] for row in expected]
    np.testing.assert_allclose(
        [row[2] for row in shown], [row[2] for row in expected], rtol=1e-6
    )


@pytest.mark.parametrize("name", ["cgan", "dcgan", "dragan"])
def test_two_devices_are_one(name):
    ends = []
    for word in ("one_device", "mirrored"):
        team = strategies.make_team(word)
        assert team.devices == (1 if word == "one_device" else 2)
        with team.active(""):
            model, source = smoke_model(name, compiled=keras.optimizers.SGD)
            start = variables_of(model)
            model.fit(source.stream(0), steps_per_epoch=3, verbose=0, shuffle=False)
            ends.append(variables_of(model))
            [weight, *_] = model.trainable_variables
            assert len(weight.value.sharding.device_set) == team.devices
    one, two = ends
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-5, err_msg=key)
    assert max(np.abs(one[k] - start[k]).max() for k in one if "state" not in k) > 1e-3


@pytest.mark.parametrize("name", ["cgan", "wgan_gp"])
def test_resume_is_exact(name, tmp_path):
    args = [f"--model={name}", "--smoke", "--export=none"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert train.main([*args, f"--workdir={whole}"]) == 0
    stop = (
        "import os, signal, sys\n"
        "from keras_gans import train\n"
        "from keras_gans.training import callbacks\n"
        "class Stops(callbacks.Checkpointer):\n"
        "    def on_step(self, step, logs):\n"
        "        super().on_step(step, logs)\n"
        "        if step == 3: os.kill(os.getpid(), signal.SIGINT)\n"
        "callbacks.Checkpointer = Stops\n"
        "assert train.main(sys.argv[1:]) == 130\n"
    )
    said = run("jax", "-c", stop, *args, f"--workdir={broken}")
    assert "interrupted at step 3" in said
    assert train.main([*args, f"--workdir={broken}", "--resume"]) == 0
    one, two = (
        dict(np.load(w / "checkpoints/step_00000006.npz")) for w in (whole, broken)
    )
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].tobytes() == two[key].tobytes(), key


@pytest.mark.parametrize(
    "name, options, saving",
    [
        (
            "cgan",
            [*three_steps.NO_DROPOUT, "generator.normalization=none"],
            "accumulate=2",
        ),
        ("dcgan", [], "remat=true"),
        pytest.param("r3gan", [], "remat=true", marks=pytest.mark.release),
    ],
)
def test_what_saves_memory_learns_the_same(name, options, saving):
    ends = []
    for more in ([], [f"train.{saving}"]):
        model, source = smoke_model(name, [*options, *more])
        sgds = [keras.optimizers.SGD(0.1) for _ in range(2)]
        model.compile(*sgds, accumulate=model.accumulate)
        model.fit(source.stream(0), steps_per_epoch=2, verbose=0, shuffle=False)
        ends.append(variables_of(model))
    for key in ends[0]:
        np.testing.assert_allclose(ends[0][key], ends[1][key], atol=1e-5, err_msg=key)


def test_second_derivatives_and_what_is_assigned_inside():
    x, weight = jnp.array([[1.0], [2.0]]), keras.Variable(3.0)
    seen = keras.Variable(0.0, trainable=False)

    def losses():
        def score(x):
            seen.assign_add(1.0)
            return weight.value * x**3

        value, gradient = engine.value_and_gradient(score, x)
        np.testing.assert_allclose(value[:, 0].shape, (2,))
        return {"penalty": gradient**2}  # (3 w x^2)^2; its derivative in w: 18 w x^4

    means, [slope] = engine.gradients(losses, [weight])
    assert float(slope) == pytest.approx(18 * 3 * (1 + 16) / 2)
    assert float(means["penalty"]) == pytest.approx(81 * (1 + 16) / 2)
    assert float(seen) == 1.0


def test_lazy_term_is_computed_where_it_is_due():
    step, seen = keras.Variable(0, dtype="int"), keras.Variable(0.0)

    def heavy():
        seen.assign(1.0)  # this assignment is discarded
        return jnp.ones(2)

    pick = engine.compiled(
        lambda: engine.every(step, 3, heavy, lambda: jnp.zeros(2)), [step, seen]
    )
    for number in range(4):
        step.assign(number)
        np.testing.assert_array_equal(pick(), 2 * [number in (0, 3)])
    assert float(seen) == 0.0


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("shape", [(2, 9, 12, 6), (1, 8, 7, 6)])
def test_convolutions_that_are_quick_on_a_cpu(shape, strides):
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=s).astype("f") for s in (shape, (4, 3, 6, 1)))
    expected = keras.ops.depthwise_conv(x, kernel, strides=strides, padding="valid")
    found = engine.depthwise_conv(x, kernel, strides)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    kernel = rng.normal(size=(3, 3, 2, 9)).astype("f")  # three groups
    expected = keras.ops.conv(x, kernel, padding="same")
    np.testing.assert_allclose(engine.grouped_conv(x, kernel), expected, atol=1e-5)


def test_compiled_function_assigns():
    seen = keras.Variable(0.0)

    def count(x):
        seen.assign_add(x)
        return 2 * x

    counted = engine.compiled(count, [seen])
    assert float(counted(1.5)) == 3.0 and float(counted(1.5)) == 3.0
    assert float(seen) == 3.0


def test_compiled_function_keeps_its_shapes_apart():
    seen = [keras.Variable(0.0) for _ in range(2)]

    def count(x):
        seen[len(x) - 1].assign_add(1.0)
        return x

    counted = engine.compiled(count, seen)
    for size in (1, 2, 1, 2, 1):
        counted(jnp.zeros(size))
    assert [float(v) for v in seen] == [3.0, 2.0]


def test_seeds_of_many_draws_differ():
    step = keras.Variable(7, dtype="int32")
    seeds = engine.StepSeed(2**31 - 1, step)
    found = {tuple(np.asarray(seeds.next()).tolist()) for _ in range(1000)}
    assert len(found) == 1000
    step.assign(8)
    seeds.begin_step()
    assert not found & {tuple(np.asarray(seeds.next()).tolist()) for _ in range(300)}


def test_batch_statistics_are_of_the_whole_batch():
    model, source = smoke_model("dcgan", ["train.synchronized_batch_norm=true"])
    model.fit(source.stream(0), steps_per_epoch=1, verbose=0, shuffle=False)
    assert int(model.step.numpy()) == 1


def test_throughput_is_measured(capsys):
    config = load_config("gan", smoke=True)
    found = throughput.Recipe(config, None, 2)
    values = found.measure()
    assert values["fit"] > 0 and values["bare"] > 0 and 0 < values["waiting"] < 1
    flop = found.loop.count_flop(next(iter(found.stream))) / found.size
    # The discriminator's step takes three passes of the discriminator. The generator's
    # step takes three passes of both networks.
    dense = [w.shape for w in found.model.discriminator.trainable_variables]
    least = 2 * sum(np.prod(shape) for shape in dense if len(shape) == 2)
    assert 5 * least < flop < 40 * least


def test_what_needs_tensorflow_says_so():
    with pytest.raises(UserError, match="export needs TensorFlow, but Keras runs on"):
        backend_lib.import_tensorflow("export")
    with pytest.raises(UserError, match="tfds:x needs no-such-thing, which is not"):
        backend_lib.find_tensorflow("tfds:x", "no_such_thing")


def test_float16_leaves_out_a_step_that_overflows():
    model, source = smoke_model("cgan", ["train.precision=mixed_float16"])
    model.fit(source.stream(0), steps_per_epoch=2, verbose=0, shuffle=False)
    assert all(np.isfinite(v).all() for v in variables_of(model).values())
    before = [w.numpy() for w in model.discriminator.trainable_variables]
    scale = model.d_optimizer.dynamic_scale
    scale.assign(2.0**60)
    model.fit(source.stream(0), steps_per_epoch=1, verbose=0, shuffle=False)
    assert float(scale) == 2.0**59
    for old, new in zip(before, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, np.asarray(new))


def test_steps_of_a_call_are_those_of_as_many_calls():
    check_sizes_of_calls(lambda call, batches: call(None, batches)[0])


def test_stream_is_read_ahead_in_order():
    model, source = smoke_model("gan")
    stream = source.stream(0, 2)
    first = list(itertools.islice(stream, 3))
    np.testing.assert_array_equal(first[1]["images"], source.batches(0)(3)["images"])
    assert first[0]["images"].dtype == np.float32
    assert first[0]["labels"].dtype == np.int32


@pytest.mark.parametrize(
    "args, message",
    [
        (["--strategy=multi_worker"], "several hosts (--strategy=multi_worker"),
        (["--set=train.jit_compile=no"], "under JAX, which always compiles"),
        (["--strategy=mirrored", "--set=data.batch_size=9"], "multiple of the 2"),
    ],
)
def test_what_jax_has_not(args, message, tmp_path, capsys):
    words = ["--model=cgan", "--smoke", f"--workdir={tmp_path / 'run'}"]
    assert train.main([*words, *args]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_team_checks_its_options():
    with pytest.raises(UserError, match="jit_compile"):
        strategies.make_team("auto").check(TrainOptions(1, jit_compile="no"))
    assert strategies.make_team("auto").devices == 1  # all CPUs are one device
    assert jax.local_device_count() == 2


def test_fit_asks_for_the_state_under_the_name_that_we_know():
    reason = "Keras's _get_jax_state is gone: see keras_gans/engine/keras_private.py"
    fit = inspect.getsource(inspect.unwrap(keras.Model.fit))
    assert "self._get_jax_state(" in fit and "optimizer_variables=True" in fit, reason
    model, _ = smoke_model("cgan")
    kinds = {"trainable_variables": True, "non_trainable_variables": True}
    training = model._get_jax_state(**kinds, optimizer_variables=True)
    assert training == ((), (), (), ()), reason
    values, _ = model._get_jax_state(**kinds)[:2]
    assert len(values) == len(model.trainable_variables) > 0, reason

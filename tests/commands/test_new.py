"""GANs of a user: the template, and recipes with modules in other folders."""

import functools
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_gans import new, sample, train
from keras_gans.errors import UserError
from keras_gans.export import __main__ as export
from keras_gans.recipes import config
from keras_gans.sampling.load import load

load_config = functools.partial(config.load_config, allow_code=True)


@pytest.fixture
def forget():
    """Return a function that removes an imported module from this process."""
    path = list(sys.path)

    def forget(name="rel_gan"):
        assert sys.path == path  # has a recipe's folder only while the recipe is read
        sys.modules.pop(name, None)

    yield forget
    sys.modules.pop("rel_gan", None)


@pytest.fixture
def mine(tmp_path, monkeypatch, forget):
    """Folder with a GAN from the template; the current folder is another one."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert new.main(["rel_gan", f"--folder={tmp_path / 'mine'}"]) == 0
    return tmp_path / "mine"


@pytest.mark.second
def test_template_is_tested_by_its_own_test(mine):
    words = [sys.executable, "-m", "pytest", "-q", str(mine / "test_rel_gan.py")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout
    assert not os.listdir()  # the test writes to its temporary folder only


def test_own_gan_is_trained_resumed_exported_and_sampled_from_elsewhere(
    mine, forget, capsys, monkeypatch
):
    words = ["--model=../mine/rel_gan.toml", "--smoke", "--workdir=run", "--allow_code"]
    assert train.main([*words, "--export=none"]) == 0
    forget()
    more = [*words, "--resume", "--steps=6", "--export=none"]
    assert train.main(more) == 0
    assert "resuming from step 4" in capsys.readouterr().out
    forget()
    monkeypatch.chdir(mine.parent)
    run = "elsewhere/run"
    assert export.main([f"--workdir={run}", "--to=tflite", "--allow_code"]) == 0
    forget()
    drawn = load(run, allow_code=True).sample(4, seed=0).astype(int)
    tflite = load(f"{run}/export/generator.tflite")
    assert np.ptp(drawn) > 0 and abs(drawn - tflite.sample(4, seed=0)).max() <= 1
    assert str(mine.parent) not in tflite.info["recipe"]  # no local folder

    # Move the folder of the module.
    mine.rename(mine.parent / "moved")
    forget()
    capsys.readouterr()
    words = [f"--source={run}", "--num=1", "--out=one.png", "--allow_code"]
    assert sample.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"sample: config.toml: no module 'rel_gan' in {mine}, ")
    assert err.endswith("; add its folder to PYTHONPATH\n") and err.count("\n") == 1
    monkeypatch.syspath_prepend(mine.parent / "moved")
    assert sample.main(words) == 0
    sys.modules.pop("rel_gan")
    words = [
        "--model=moved/rel_gan.toml",
        "--smoke",
        f"--workdir={run}",
        "--allow_code",
    ]
    assert train.main([*words, "--resume", "--steps=6", "--export=none"]) == 0
    assert "already trained to step 6" in capsys.readouterr().out


def test_modules_are_found_beside_the_recipe_or_in_the_current_folder(
    mine, forget, monkeypatch
):
    recipe = load_config(str(mine / "rel_gan.toml"))
    assert recipe.import_from == (str(mine),)
    assert load_config("cgan").import_from == ()
    # Copies of the recipe in another folder than the module.
    text = (mine / "rel_gan.toml").read_text()
    os.mkdir("recipes")
    for name, more in (("a", ""), ("b", 'import_from = ["../../mine"]\n')):
        with open(f"recipes/{name}.toml", "w") as file:
            file.write(f'name = "rel_gan"\n{more}{text}')
    forget()
    with pytest.raises(UserError, match="no module 'rel_gan' in .*/elsewhere/recipes"):
        load_config("recipes/a.toml")
    assert load_config("recipes/b.toml").to_toml() == recipe.to_toml()
    forget()
    monkeypatch.chdir(mine)
    found = load_config("../elsewhere/recipes/a.toml")
    assert found.to_toml() == recipe.to_toml() and "import_from" not in found.to_toml()
    assert found.import_from == (str(mine),)
    # `with_folders`, as in a workdir, makes the module found from any folder.
    with open("../elsewhere/config.toml", "w") as file:
        file.write(found.to_toml(with_folders=True))
    monkeypatch.chdir(mine.parent)
    forget()
    assert load_config("elsewhere/config.toml").import_from == (str(mine),)


@pytest.mark.parametrize(
    "code, message",
    [
        ("x = 1\ny = z\n", "NameError: name 'z' is not defined (rel_gan.py, line 2)"),
        ("def f(:\n", "SyntaxError: invalid syntax (rel_gan.py, line 1)"),
        (
            "import math\nimport no_such\n",
            "ModuleNotFoundError: No module named 'no_such' (rel_gan.py, line 2)",
        ),
        ("raise ValueError('a\\nb')", "ValueError: a (rel_gan.py, line 1)"),
    ],
)
def test_modules_with_mistakes_are_one_line(mine, code, message):
    (mine / "rel_gan.py").write_text(code)
    with pytest.raises(UserError) as caught:
        load_config(str(mine / "rel_gan.toml"))
    start = "rel_gan.toml: module 'rel_gan' cannot be imported: "
    assert str(caught.value) == start + message


def test_recipes_with_mistakes_are_one_line(mine):
    path = mine / "rel_gan.toml"
    text = path.read_text()
    for more, message in (
        ('import_from = "."', "import_from: expected a list of folders"),
        ("import_from = [1]", "import_from: expected a list of folders"),
    ):
        path.write_text(f"{more}\n{text}")
        with pytest.raises(UserError, match=message):
            load_config(str(path))
    path.write_text(text.replace("margin = 1.0", "margin = 0.0"))
    with pytest.raises(UserError, match="margin: expected above 0, got 0.0"):
        load_config(str(path))


def test_two_modules_of_one_name_are_not_mixed_up(mine):
    load_config(str(mine / "rel_gan.toml"))
    other = shutil.copytree(mine, mine.parent / "other")
    with pytest.raises(UserError, match="start another process, or rename") as caught:
        load_config(str(other / "rel_gan.toml"))
    assert str(other) in str(caught.value) and str(mine) in str(caught.value)


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "expected one name, as in new my_gan, got 0"),
        (["a", "b"], "expected one name, as in new my_gan, got 2"),
        (["my-gan"], "expected a valid module name such as my_gan, got 'my-gan'"),
        (["3d_gan"], "expected a valid module name such as my_gan, got '3d_gan'"),
        (["class"], "expected a valid module name such as my_gan, got 'class'"),
        (["__main__"], "expected a valid module name such as my_gan, got '__main__'"),
        (["json"], "'json' is an installed module"),
        (["numpy"], "'numpy' is an installed module"),
        (["keras_gans"], "'keras_gans' is an installed module"),
        (["cgan"], "'cgan' is a model of the zoo"),
        (["my_gan", "--folder=none"], "--folder=none: the folder does not exist"),
    ],
)
def test_mistakes_are_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert new.main(words) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith(f"new: {message}") and err.count("\n") == 1
    assert not os.listdir(tmp_path)


def test_nothing_is_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_my_gan.py").write_text("mine")
    assert new.main(["my_gan"]) == 2
    assert "test_my_gan.py: exists already" in capsys.readouterr().err
    assert os.listdir() == ["test_my_gan.py"]
    assert (tmp_path / "test_my_gan.py").read_text() == "mine"


@pytest.mark.parametrize(
    "name, class_name",
    [("my_gan", "MyGAN"), ("MyGANx", "MyGANx"), ("soft__gan2", "SoftGan2")],
)
def test_names_of_the_template_are_replaced(name, class_name, tmp_path):
    paths = new.write(name, str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, paths))
    module, recipe, test = (open(path).read() for path in paths)
    assert f"class {class_name}(keras_gans.BaseGAN):" in module
    assert f'model = "{name}:{class_name}"' in recipe
    assert f"import {name}\n" in test
    for text in (module, test):
        compile(text, name, "exec")
    for text in (module, recipe, test):
        assert name == "my_gan" or "my_gan" not in text

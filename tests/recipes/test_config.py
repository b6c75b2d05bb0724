"""Recipes: loading, overrides, and one line for every mistake."""

import dataclasses
import json
import sys

import pytest

from keras_gans.errors import UserError
from keras_gans.recipes import build, config

pytestmark = pytest.mark.jax  # and under TensorFlow


@pytest.mark.parametrize(
    "override, message",
    [
        ("hparams.ema_decai=0.9", "[hparams]: no key 'ema_decai'; did you mean 'ema_"),
        ("trian.steps=1", "no table 'trian'; did you mean 'train'?"),
        ("train.steps", "expected table.key=value"),
        ("train.steps=many", "[train] steps: expected int, got 'many' (str)"),
        ("train.steps=1.5", "[train] steps: expected int, got 1.5 (float)"),
        ("train.steps=true", "[train] steps: expected int, got True (bool)"),
        ("train.steps=0", "[train] steps: expected at least 1, got 0"),
        ("train.seed=-1", "[train] seed: expected at least 0, got -1"),
        ("data.batch_size=-1", "[data] batch_size: expected at least 1"),
        ("data.channels=2", "[data] channels: expected 0, 1 or 3, got 2"),
        ("train.seed=99999999999", "[train] seed: expected at most 2147483647, got 9"),
        ("data.split=test", "only TFDS data sets have splits, got 'test' for 'digits'"),
        ("g_optimizer.clipnorm=abc", "clipnorm: expected Real, got 'abc' (str)"),
        ("g_optimizer.clipnorm=inf", "clipnorm: expected a finite number, got inf"),
        ("g_optimizer.learning_rate=-1", "learning_rate: expected more than 0, got -1"),
        ("hparams.latents=cauchy", "no choice 'cauchy'. Known: normal, uniform"),
        ("hparams.latents=unifrom", "did you mean 'uniform'?"),
        ("hparams.ema_decay=1.0", "ema_decay: expected 0 <= decay < 1, got 1.0"),
        ("g_optimizer.class_name=Adan", "no class_name 'Adan'; did you mean"),
        ("g_optimizer.learning_rat=1", "did you mean 'learning_rate'?"),
        ("g_optimizer.learning_rate=fast", "learning_rate: expected float, got 'fast'"),
        ("g_optimizer.name=x", "[g_optimizer]: no key 'name'"),
        (
            'g_optimizer.learning_rate={class_name="CosinDecay"}',
            "learning_rate: no class_name 'CosinDecay'; did you mean 'CosineDecay'?",
        ),
        (
            'g_optimizer.learning_rate={class_name="CosineDecay", decay_step=3}',
            "[g_optimizer] learning_rate: no key 'decay_step'; did you mean 'decay_s",
        ),
        (
            "generator.width.a=3",
            "generator.width is not a table in cgan.toml; expected",
        ),
        ("generator.image_shape=3", "[generator]: no key 'image_shape'"),
        ("discriminator.widht=3", "[discriminator]: no key 'widht'; did you mean 'wid"),
    ],
)
def test_mistake_is_one_line(override, message):
    with pytest.raises(UserError) as caught:
        config.load_config("cgan", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("model = 3", "'model' is missing or not a string"),
        ("model = 'a:B'\nnetworks = 'x'\ndata = 1", "'data' must be a table"),
        ("modle = 'a:B'", "no key 'modle'; did you mean 'model'?"),
        ("x = [", "TOML"),
        ("name = 3", "'name' is missing or not a string"),
    ],
)
def test_broken_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        config.load_config(str(path))
    assert str(caught.value).startswith("mine.toml: ")
    assert message in str(caught.value) or message == "TOML"


def test_missing_files_and_modules(tmp_path):
    with pytest.raises(UserError, match="no model 'cgn'; did you mean 'cgan'"):
        config.load_config("cgn")
    with pytest.raises(UserError, match="No such file"):
        config.load_config(str(tmp_path / "none.toml"))
    text = config.load_config("cgan").to_toml()
    for old, new, message in (
        ("models.cgan:CGAN", "models.cgan:CGANS", "no class 'CGANS'"),
        ("models.cgan:CGAN", "models.nothing:X", "no module 'keras_gans.models.noth"),
        ("models.cgan:CGAN", "models.cgan", "expected 'module:Class'"),
        (
            "models.cgan:CGAN",
            "models.cgan:ops",
            "no class 'ops' of a GAN in keras_gans.models.cgan",
        ),
        (
            "keras_gans.networks.dcgan",
            "keras_gans.networks.freeze",
            "networks: no function generator(...) in keras_gans.networks.freeze",
        ),
        ("networks.dcgan", "networks.dcgans", "no module 'keras_gans.networks.dcgans'"),
    ):
        path = tmp_path / "mine.toml"
        path.write_text(text.replace(old, new))
        with pytest.raises(UserError) as caught:
            config.load_config(str(path))
        assert message in str(caught.value)


# Names of modules in a recipe, and what the message says of them.
OUTSIDE = "is code outside of keras_gans.models and keras_gans.networks; pass --allow"
NO_NAME = "expected the name of a module, such as keras_gans.networks.dcgan, got"


@pytest.mark.parametrize("key", ["model", "networks"])
@pytest.mark.parametrize(
    "module, message",
    [
        ("mine", f"'mine' {OUTSIDE}"),
        ("os", f"'os' {OUTSIDE}"),
        ("antigravity", f"'antigravity' {OUTSIDE}"),
        ("keras", f"'keras' {OUTSIDE}"),
        ("keras_gans", f"'keras_gans' {OUTSIDE}"),
        ("keras_gans.train", f"'keras_gans.train' {OUTSIDE}"),
        ("keras_gans.networks", f"'keras_gans.networks' {OUTSIDE}"),
        ("keras_gans.networks_of_mine.x", f"'keras_gans.networks_of_mine.x' {OUTSIDE}"),
        ("x.keras_gans.networks.dcgan", f"'x.keras_gans.networks.dcgan' {OUTSIDE}"),
        ("keras_gans.networks.Dcgan", f"'keras_gans.networks.Dcgan' {OUTSIDE}"),
        ("", f"{NO_NAME} ''"),
        (".mine", f"{NO_NAME} '.mine'"),
        ("keras_gans.networks.", f"{NO_NAME} 'keras_gans.networks.'"),
        ("keras_gans.networks..dcgan", f"{NO_NAME} 'keras_gans.networks..dcgan'"),
        ("../mine", f"{NO_NAME} '../mine'"),
        ("a b", f"{NO_NAME} 'a b'"),
        ("keras_gans.networks.dcgan\nmine", f"{NO_NAME} 'keras_gans.networks.dcgan"),
        ("keras_gans.networks.none", "no module 'keras_gans.networks.none'"),
    ],
)
def test_recipes_import_modules_of_the_package_alone(
    key, module, message, tmp_path, monkeypatch
):
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    recipe = config.load_config("cgan").to_dict()
    recipe[key] = f"{module}:X" if key == "model" else module
    text = f"model = {json.dumps(recipe['model'])}\n"
    text += f"networks = {json.dumps(recipe['networks'])}\n"
    # A table that no GAN has, since the variant of such a recipe is imported early.
    for more in ("", "[encoder]\nwidth = 1\n") if key == "model" else ("",):
        path = tmp_path / "r.toml"
        data = '[data]\ndataset = "digits"\nbatch_size = 1\n[train]\nsteps = 1\n'
        path.write_text(text + data + more)
        with pytest.raises(UserError) as caught:
            config.load_config(str(path))
        assert f"r.toml: {message}" in str(caught.value)
        assert len(str(caught.value)) < 500
    assert not {"mine", "antigravity"} & (set(sys.modules) - before)


def test_code_is_run_if_it_is_allowed(tmp_path):
    (tmp_path / "mine_of_test_config.py").write_text(
        "from keras_gans.networks.dcgan import discriminator, generator\nran = True"
    )
    text = config.load_config("cgan").to_toml()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("keras_gans.networks.dcgan", "mine_of_test_config"))
    try:
        recipe = config.load_config(str(path), allow_code=True)
        assert recipe.networks == "mine_of_test_config"
        assert sys.modules["mine_of_test_config"].ran
    finally:
        sys.modules.pop("mine_of_test_config", None)


@pytest.mark.parametrize(
    "name", ["os.system", "keras.optimizers:Adam", "Optimizer", "get", "deserialize"]
)
def test_optimizers_and_schedules_are_those_of_keras(name):
    for key in ("class_name", "learning_rate.class_name"):
        with pytest.raises(UserError, match="no class_name|not a table"):
            config.load_config("cgan", [f'g_optimizer.{key}="{name}"'])


def test_later_words_win_and_types_are_kept():
    recipe = config.load_config(
        "cgan",
        [
            "train.steps=5",
            "train.steps=9",
            "hparams.ema_decay=0",
            "data.dataset=digits",
        ],
        smoke=True,
    )
    assert recipe.train.steps == 9
    assert recipe.hparams.ema_decay == 0.0
    assert isinstance(recipe.hparams.ema_decay, float)
    assert recipe.data.batch_size == 16  # from [smoke.data]
    quoted = config.load_config("cgan", ['data.dataset="folder:/a b=c"'])
    assert quoted.data.dataset == "folder:/a b=c"
    plain = config.load_config("cgan", ["data.dataset=folder:/a b=c"])
    assert plain == quoted


def test_config_is_frozen():
    recipe = config.load_config("cgan")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.train.steps = 3


def test_differences_are_listed_one_by_one():
    old = config.load_config("gan").to_dict()
    new = config.load_config(
        "gan", ["train.steps=3", "g_optimizer.clipnorm=1.0"]
    ).to_dict()
    assert config.differences(old, new) == [
        "g_optimizer.clipnorm: nothing -> 1.0",
        f"train.steps: {old['train']['steps']} -> 3",
    ]
    assert config.differences(old, old) == []


def test_learning_rate_may_be_a_schedule(tmp_path):

    rate = '{class_name="CosineDecay", initial_learning_rate=0.1, decay_steps=10}'
    recipe = config.load_config("cgan", [f"g_optimizer.learning_rate={rate}"])
    path = tmp_path / "cgan.toml"
    path.write_text(recipe.to_toml())
    assert config.load_config(str(path)) == recipe
    schedule = build.make_optimizer(recipe.optimizers["g"])._learning_rate
    assert float(schedule(0)) == pytest.approx(0.1)
    assert float(schedule(5)) == pytest.approx(0.05)
    assert float(schedule(10)) == pytest.approx(0)
    # By default, a schedule ends with the run.
    whole = config.load_config("cgan", ["train.steps=77"])
    assert whole.optimizers["g"]["learning_rate"]["decay_steps"] == 77
    # A single key of a schedule can be changed.
    alone = ["g_optimizer.learning_rate.initial_learning_rate=0.5", "train.steps=77"]
    changed = config.load_config("cgan", alone).optimizers["g"]["learning_rate"]
    expected = whole.optimizers["g"]["learning_rate"] | {"initial_learning_rate": 0.5}
    assert changed == expected

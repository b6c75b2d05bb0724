"""Properties of every recipe of the zoo."""

import ast
import importlib.util
import json
import pathlib
import tomllib

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import ROOT, smoke_model, variables_of
from keras_gans import engine
from keras_gans.device.sampler import SampleOptions
from keras_gans.models.esrgan import ESRGAN
from keras_gans.models.rsgan import RSGAN
from keras_gans.models.sngan import SNGAN
from keras_gans.models.spade import SPADE
from keras_gans.models.wgan import WGAN
from keras_gans.recipes import catalog, config
from keras_gans.sampling import load

# The last bias of D cancels in their losses (in the hinge loss: within its margins).
OF_DIFFERENCES = WGAN, RSGAN, SNGAN, ESRGAN, SPADE
LOGGED = {
    "real_score",
    "fake_score",
    "fakes_passing",
    "d_gradient_norm",
    "g_gradient_norm",
    "score_spread",
}


def test_catalog_says_what_the_generator_takes(zoo_name, smoke_run):
    info = load.load(str(smoke_run(zoo_name) / "export/generator.tflite")).info
    [entry] = [e for e in catalog.list_models() if e.name == zoo_name]
    assert ("image" in entry.takes) == ("condition_shape" in info)
    assert ("noise" in entry.takes) == ("latent_dim" in info)
    classes = {"class", "code"} & set(entry.takes)
    assert bool(classes) == bool(info.get("num_classes"))


def test_run_leaves_what_it_promises(zoo_name, smoke_run):
    workdir = smoke_run(zoo_name)
    files = {str(p.relative_to(workdir)) for p in workdir.rglob("*") if p.is_file()}
    assert {
        "config.toml",
        "info.json",
        "metrics.jsonl",
        "samples/step_00000003.png",
        "samples/step_00000006.png",
        "checkpoints/step_00000006.npz",
        "export/saved_model/saved_model.pb",
        "export/generator.tflite",
    } <= files
    assert any(name.startswith("tensorboard/events") for name in files)
    assert not [name for name in files if name.endswith(".tmp")]
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    # values with log lines of their own
    own = {"modes_covered", "held_out_score", "diversity"}
    assert [r["step"] for r in rows if "diversity" in r] == [2, 4, 6]
    rows = [r for r in rows if not r.keys() & own]
    assert [row["step"] for row in rows] == [2, 4, 6]
    for row in rows:
        assert all(np.isfinite(value) for value in row.values())
        if zoo_name == "esrgan" and row["step"] <= 3:  # pretraining
            assert "d_real" not in row and "real_score" not in row and "g_l1" in row
            continue
        assert row.keys() >= LOGGED
        assert 0 <= row["fakes_passing"] <= 1


def test_each_player_moves_alone_and_every_weight_gets_a_gradient(zoo_name):
    model, source = smoke_model(zoo_name)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        # A weight of zeros blocks the gradients of earlier weights.
        if not weight.numpy().any():
            weight.assign(rng.normal(0, 0.1, weight.shape))
    batch = next(iter(source.stream(0)))
    for losses_fn, mine, optimizer in (
        (model.d_losses, model.discriminator, model.d_optimizer),
        (model.g_losses, model.generator, model.g_optimizer),
    ):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_mean(t) for t in losses_fn(batch).values())
        weights = mine.trainable_variables
        critic = isinstance(model, OF_DIFFERENCES)
        last = "logits/bias", "logits_half/bias"
        still = {w.path for w in weights if critic and w.path in last}
        for weight, gradient in zip(
            weights, tape.gradient(loss, [w.value for w in weights]), strict=True
        ):
            values = tf.convert_to_tensor(gradient).numpy()  # embeddings: IndexedSlices
            largest = np.abs(values).max()
            # larger than rounding errors
            assert largest > 1e-5 or weight.path in still, weight.path
        before = {id(v): v.numpy() for v in model.trainable_variables}
        engine.minimize([lambda: losses_fn(batch)], weights, optimizer)  # noqa: B023
        moved = {
            id(v)
            for v in model.trainable_variables
            if (v != before[id(v)]).numpy().any()
        }
        every = {id(v) for v in weights}
        assert moved <= every
        assert moved >= every - {id(w) for w in weights if w.path in still}


def test_sum_of_logged_terms_is_what_is_minimised(zoo_name):
    """A small SGD step lowers the logged sum by about rate * |logged norm|^2."""
    model, source = smoke_model(zoo_name, compiled=lambda: keras.optimizers.SGD(0.0))
    batch = next(iter(source.stream(0)))
    weights = model.discriminator.trainable_variables
    start = [w.numpy() for w in weights]
    small = 2e-4  # small beside the loss, large beside its rounding error

    def step(rate):
        """Take a step; return the sum before it, the norm and the terms."""
        model.d_optimizer.learning_rate = rate
        model.seeds.begin_step()  # use the same latents in each step
        for layer in model.discriminator.layers + model.generator.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([0, 0])
        logs = engine.minimize(
            [lambda: model.d_losses(batch)], weights, model.d_optimizer
        )
        norm = float(logs.pop("gradient_norm"))
        return sum(float(v) for v in logs.values()), norm, logs

    _, norm, terms = step(0.0)
    sums = []
    for sign in (1, -1):  # central difference: the second-order term cancels
        step(sign * small / norm**2)
        sums.append(step(0.0)[0])
        for weight, value in zip(weights, start, strict=True):
            weight.assign(value)
    # A gradient penalty jumps where a leaky ReLU changes its slope.
    within = 0.1 if "penalty" in terms else 0.02
    assert (sums[1] - sums[0]) / 2 == pytest.approx(small, rel=within)


def draw(sampler, num):
    """Sample from seed 3, or translate the same random condition images."""
    if "condition_shape" not in sampler.info:
        return sampler.sample(num, seed=3)
    rng = np.random.default_rng(3)
    given = rng.integers(0, 256, (num, *sampler.info["condition_shape"]), np.uint8)
    return np.stack([sampler.translate(picture) for picture in given])


def test_same_seed_gives_the_same_picture_from_each_source(zoo_name, smoke_run):
    workdir = smoke_run(zoo_name)
    sources = [
        workdir,
        workdir / "export/saved_model",
        workdir / "export/generator.tflite",
    ]
    pictures = []
    for source in sources:
        sampler = load.load(str(source))
        drawn = draw(sampler, 5)
        pictures.append(drawn.astype(int))
        assert drawn.shape == (5, *sampler.info["image_shape"])
        # An image depends on (seed, index) alone, not on the number of samples.
        np.testing.assert_array_equal(draw(sampler, 2), drawn[:2])
    for other in pictures[1:]:
        # Rounding may differ by one gray level.
        assert np.abs(other - pictures[0]).max() <= 1
        assert (other == pictures[0]).mean() > 0.999
    assert np.ptp(pictures[0]) > 0


def test_exports_agree_with_keras_on_random_latents(zoo_name, smoke_run):
    workdir = smoke_run(zoo_name)
    keras_sampler = load.load(str(workdir))
    if keras_sampler.model.is_translation:
        rng = np.random.default_rng(11)
        shape = 16, *keras_sampler.info["condition_shape"]
        inputs = {"condition": rng.uniform(-1, 1, shape).astype(np.float32)}
    else:
        latents = keras_sampler.latents(range(64), SampleOptions(seed=11))
        inputs = keras_sampler.inputs(latents, keras_sampler.labels(64, None))
    expected = keras_sampler.run(inputs)
    assert np.isfinite(expected).all() and np.abs(expected).max() <= 1
    for name in ("saved_model", "generator.tflite"):
        actual = load.load(str(workdir / "export" / name)).run(inputs)
        # assert_allclose would accept NaN beside NaN.
        assert np.abs(actual - expected).max() < 1e-4, name


def test_tflite_has_built_in_operations_only(zoo_name, smoke_run):
    from ai_edge_litert.interpreter import Interpreter

    path = smoke_run(zoo_name) / "export/generator.tflite"
    details = Interpreter(model_path=str(path))._get_ops_details()
    names = {op["op_name"] for op in details}
    assert names and not [n for n in names if n.startswith("Flex") or n == "CUSTOM"]


def test_recipe_is_complete_and_reads_back(recipe_name, tmp_path):
    recipe = config.load_config(recipe_name)
    path = tmp_path / f"{recipe_name}.toml"
    path.write_text(recipe.to_toml())
    assert config.load_config(str(path)) == recipe
    # A recipe of the zoo has no other top-level keys.
    raw = tomllib.loads((ROOT / "zoo_configs" / f"{recipe_name}.toml").read_text())
    assert set(raw) <= {"model", "networks", "smoke", *config.TABLES}


def test_module_says_idea_paper_and_differences(recipe_name):
    recipe = config.load_config(recipe_name)
    module, _, name = recipe.model.partition(":")
    path = pathlib.Path(importlib.util.find_spec(module).origin)
    text = path.read_text()
    doc = ast.get_docstring(ast.parse(text))
    assert doc.startswith(f"{name}: ")
    assert "\nPaper: " in doc and "\nDifferences from the paper:" in doc
    # Naming rule: wgan_gp -> WGANGP; a recipe may add a suffix.
    assert name.lower() == path.stem.replace("_", "")
    assert recipe_name == path.stem or recipe_name.startswith(f"{path.stem}_")
    [entry] = [e for e in catalog.list_models() if e.name == recipe_name]
    assert entry.idea and entry.paper


# Files that may import a backend, beside the folders `apart` below.
BACKEND = """backend.py benchmark.py cli/run.py sample.py
    sampling/saved_model_operations.py sampling/saved_model_sampler.py
    sampling/shards.py""".split()


def test_no_backend_in_variants_and_networks():
    """Only `BACKEND` and a few folders import TensorFlow, JAX or PyTorch."""
    root = ROOT / "keras_gans"
    apart = {"benchmarks", "data", "engine", "strategies"}
    files = [
        path
        for path in root.rglob("*.py")
        if path.relative_to(root).as_posix() not in BACKEND
        and path.relative_to(root).parts[0] not in apart
    ]
    assert all((root / name).is_file() for name in BACKEND)
    rooms = {path.relative_to(root).parts[0] for path in files}
    assert rooms >= {"core", "evaluation", "layers", "models", "networks", "training"}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            for name in names:
                assert (name or "").split(".")[0] not in (
                    "tensorflow",
                    "jax",
                    "torch",
                ), path


def test_predict_and_variables_of_the_base_are_kerass(zoo_name):
    model, data = smoke_model(zoo_name)
    assert model.step.numpy() == 0
    if model.is_translation:
        rng = np.random.default_rng(0)
        shape = 3, *data.info.condition_shape
        inputs = {"condition": rng.uniform(-1, 1, shape).astype(np.float32)}
    else:
        inputs = {"latents": np.zeros((3, model.latent_dim), np.float32)}
    if model.conditional:
        inputs["labels"] = np.zeros(3, np.int32)
    images = model.predict(inputs, verbose=0)
    for name, value in model.sampling_defaults.items():
        shape = model.generator.input[name].shape[1:]
        inputs[name] = np.full((3, *shape), value, np.float32)
    network = model.translator() if model.is_translation else model.ema_generator
    expected = np.clip(network(inputs), -1, 1)
    np.testing.assert_allclose(images, expected, atol=1e-5)
    assert len(variables_of(model)) > len(model.variables)  # also optimizer variables


def test_tensorboard_gets_the_same_numbers_and_the_grids(smoke_run):
    workdir = smoke_run("cgan")
    [events] = (workdir / "tensorboard").iterdir()
    scalars, pictures = {}, {}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            if value.HasField("image"):
                pictures[event.step] = value.image.encoded_image_string
            else:
                scalars[event.step, value.tag] = value.simple_value
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        step = row.pop("step")
        for name, value in row.items():
            assert scalars[step, name] == pytest.approx(value, rel=1e-6)
    assert sorted(pictures) == [3, 6]
    for step, picture in pictures.items():
        path = workdir / "samples" / f"step_{step:08d}.png"
        assert picture == path.read_bytes()

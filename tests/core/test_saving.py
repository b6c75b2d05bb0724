"""Keras's own API: save and load, `fit` on everyday data, predict, export."""

import functools
import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_gans
from harness import JAX, KINDS, ZOO, in_tiers, smoke_model, variables_of
from keras_gans.engine import optimizers
from keras_gans.networks import dcgan, freeze, saving

pytestmark = pytest.mark.jax

FIRST = ["cgan"]
RELEASE = [name for name in ZOO if name not in (*KINDS, "esrgan", "r3gan", "spade")]


def batches_of(source, num):
    """Return the first batches of a data set, as arrays."""
    stream = iter(source.stream(0))
    return [{k: np.asarray(v) for k, v in next(stream).items()} for _ in range(num)]


def inputs_of(model, num=3):
    """Return inputs of `call` for a few images."""
    rng = np.random.default_rng(0)
    inputs = {}
    for name, tensor in model.inputs_of_call().items():
        shape = [num, *(side or 16 for side in tensor.shape[1:])]
        inputs[name] = rng.uniform(-1, 1, shape).astype("float32")
        if tensor.dtype == "int32":
            inputs[name] = np.arange(num, dtype="int32")
    return inputs


def take_steps(model, batches):
    """Train on each batch once."""
    for batch in batches:
        model.train_on_batch(batch)


@pytest.mark.parametrize("name", in_tiers(ZOO, first=FIRST, release=RELEASE))
def test_a_loaded_model_goes_on(name, tmp_path):
    """A loaded model draws the same images, and trains on as the saved one."""
    overrides = {
        "cgan": ["train.precision=mixed_float16", "train.remat=true"],
        "dcgan": ["train.synchronized_batch_norm=true"],
    }
    model, source = smoke_model(name, overrides.get(name, []))
    if name == "stylegan2":
        freeze.freeze(model.discriminator, 1)
        adam = keras.optimizers.Adam
        model.compile(g_optimizer=adam(1e-3), d_optimizer=adam(1e-3))
    batches = batches_of(source, 3)
    if not JAX or name in KINDS:
        take_steps(model, batches[:1])
    model.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert type(loaded) is type(model) and loaded.name == model.name
    assert loaded.hparams == model.hparams
    for key in model.networks:
        mine, other = getattr(model, key), getattr(loaded, key)
        assert saving.changes(mine) == saving.changes(other)
    inputs = inputs_of(model)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(inputs)),
        keras.ops.convert_to_numpy(loaded(inputs)),
    )
    before, after = variables_of(model), variables_of(loaded)
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key], key)
    check_networks(model, tmp_path)
    if JAX and name not in KINDS:
        return  # compiling takes long
    take_steps(model, batches[1:])
    take_steps(loaded, batches[1:])
    trained, same = variables_of(model), variables_of(loaded)
    assert any((trained[key] != before[key]).any() for key in before)
    # The threads' order of additions changes the last bits of esrgan's gradients.
    atol = 1e-5 if name == "esrgan" else 0.0
    for key, value in trained.items():
        np.testing.assert_allclose(value, same[key], rtol=0.0, atol=atol, err_msg=key)


def check_networks(model, tmp_path):
    """Check that each network of a model loads with its weights."""
    for key in model.networks:
        network = getattr(model, key)
        network.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras")
        assert loaded.output_shape == network.output_shape
        assert loaded.name == network.name
        mine, other = network.get_weights(), loaded.get_weights()
        assert len(mine) == len(other) > 0
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b)


LOAD = """
import sys
import numpy as np
{imports}
model = keras.models.load_model("gan.keras")
network = keras.models.load_model("generator.keras")
inputs = dict(np.load("inputs.npz"))
images = [np.asarray(keras.ops.convert_to_numpy(m(inputs))) for m in (model, network)]
np.save(sys.argv[1], images)
assert keras.backend.backend() == sys.argv[2]
model.fit(**dict(np.load("data.npz")), batch_size=8, verbose=0)
assert int(model.step.numpy()) == 2, model.step
"""


@pytest.mark.second
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("imports", ["keras, keras_gans", "keras_gans, keras"])
def test_other_processes_load(backend, imports, tmp_path):
    """A new process under either backend loads a model, and trains on."""
    if backend == "jax":
        pytest.importorskip("jax")
    if backend == "tensorflow" and JAX:
        pytest.skip("TensorFlow need not be installed under JAX")
    model, source = smoke_model("cgan")
    [batch] = batches_of(source, 1)
    take_steps(model, [batch])
    model.save(tmp_path / "gan.keras")
    model.generator.save(tmp_path / "generator.keras")
    inputs = inputs_of(model)
    np.savez(tmp_path / "inputs.npz", **inputs)
    np.savez(tmp_path / "data.npz", x=batch["images"][:8], y=batch["labels"][:8])
    code = LOAD.format(imports="\n".join(f"import {n}" for n in imports.split(", ")))
    subprocess.run(
        [sys.executable, "-c", code, "images.npy", backend],
        cwd=tmp_path,
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    drawn, direct = np.load(tmp_path / "images.npy")
    expected = keras.ops.convert_to_numpy(model(inputs))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    generated = keras.ops.convert_to_numpy(model.generator(inputs))
    np.testing.assert_allclose(direct, generated, atol=1e-5)


def small(kind=keras_gans.CGAN, classes=10, **changes):
    """Make and compile a small GAN of 28 pixels."""
    sizes = ((28, 28, 1), classes) if classes else ((28, 28, 1),)
    networks = {
        "generator": functools.partial(dcgan.generator, *sizes, width=4),
        "discriminator": functools.partial(dcgan.discriminator, *sizes, width=4),
    }
    gan = kind(*(networks | changes).values())
    adam = functools.partial(keras.optimizers.Adam, 2e-4)
    return gan.compile(g_optimizer=adam(), d_optimizer=adam())


RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (50, 28, 28, 1)).astype("float32")
LABELS = np.arange(50, dtype="int32") % 10


def of_lambda(*sizes):
    """Return a factory that is no partial function."""
    return lambda: dcgan.generator(*sizes, width=4)


def test_saved_factories(tmp_path):
    """Lambdas of the zoo's networks are saved; schedules and options survive."""
    rate = optimizers.LinearAfter(1e-3, 100, 0.25)
    beta = keras.optimizers.schedules.ExponentialDecay(0.9, 10, 0.5)
    gan = small(generator=of_lambda((28, 28, 1), 10))
    gan.compile(
        g_optimizer=optimizers.ScheduledAdam(learning_rate=rate, beta_2=beta),
        d_optimizer=keras.optimizers.RMSprop(3e-4, clipnorm=1.0),
        accumulate=2,
        jit_compile=False,
    )
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    adam, rmsprop = loaded.g_optimizer, loaded.d_optimizer
    assert isinstance(adam, optimizers.ScheduledAdam)
    assert adam.get_config() == gan.g_optimizer.get_config()
    assert float(adam.beta_2) == pytest.approx(0.9)
    assert rmsprop.clipnorm == 1.0 and rmsprop.get_config()["learning_rate"] < 1e-3
    assert loaded.accumulate == 2 and loaded.jit_compile is False
    with zipfile.ZipFile(tmp_path / "gan.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert config["registered_name"] == "keras_gans>Trainer"
    uncompiled = keras.models.load_model(tmp_path / "gan.keras", compile=False)
    assert uncompiled.g_optimizer is None


def own_generator(image_shape, num_classes=0):
    """Make a generator without the decorator."""
    return keras.Model(
        *(lambda made: (made.input, made.output))(
            dcgan.generator(image_shape, num_classes, width=4)
        ),
        name="own",
    )


@keras_gans.network
def decorated_generator(image_shape, num_classes=0):
    """Make a generator of one's own that can be saved."""
    return own_generator(image_shape, num_classes)


@pytest.mark.second
def test_own_networks(tmp_path):
    """A decorated function is saved by its path; others are refused in a sentence."""
    own = functools.partial(own_generator, (28, 28, 1), 10)
    gan = small(generator=own)
    gan.save_weights(tmp_path / "gan.weights.h5")
    with pytest.raises(keras_gans.UserError, match="decorator keras_gans.network"):
        gan.save(tmp_path / "gan.keras")
    decorated = functools.partial(decorated_generator, (28, 28, 1), 10)
    gan = small(generator=decorated)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.generator.name == "own"
    inputs = inputs_of(gan)
    np.testing.assert_array_equal(*(np.asarray(m(inputs)) for m in (gan, loaded)))
    local = keras_gans.network(lambda: decorated())
    with pytest.raises(keras_gans.UserError, match="top level of a module"):
        small(generator=local).save(tmp_path / "local.keras")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("function", "os:system", "expected a function with the decorator"),
        ("function", "keras_gans.train:main", "expected a function with the decorator"),
        ("function", "not_imported:make", "import not_imported before"),
        ("function", "keras_gans.networks.dcgan:none", "no such name"),
        ("function", "keras_gans.networks.none:make", "no such module"),
        ("variant", "os:system", "expected a subclass of keras_gans.Trainer"),
        ("variant", "keras_gans.models.cgan:partial", "no such name|expected a sub"),
        ("variant", "evil:GAN", "import evil before"),
    ],
)
def test_files_choose_no_code(key, value, message):
    """A configuration reaches only network functions and variants."""
    config = small().get_config()
    if key == "function":
        config["networks"]["generator"]["{}"]["function"] = value
    else:
        config["variant"] = value
    with pytest.raises(keras_gans.UserError, match=message):
        keras_gans.CGAN.from_config(config)


class Batches(keras.utils.PyDataset):
    """Images and labels, the last batch smaller than the others."""

    def __len__(self):
        """Return the number of batches."""
        return 3

    def __getitem__(self, i):
        """Return a batch."""
        rows = slice(i * 20, i * 20 + 20)
        return IMAGES[rows], LABELS[rows]


def pairs():
    """Yield batches of two sizes."""
    for rows in (slice(0, 8), slice(8, 11), slice(11, 19)):
        yield IMAGES[rows], LABELS[rows]


DATA = {
    "arrays": lambda: {"x": IMAGES, "y": LABELS, "batch_size": 16},
    "dictionary": lambda: {"x": {"images": IMAGES, "labels": LABELS}},
    "64-bit labels": lambda: {"x": IMAGES, "y": LABELS.astype("int64")},
    "bytes as labels": lambda: {"x": IMAGES, "y": LABELS.astype("uint8")},
    "labels in a column": lambda: {"x": IMAGES, "y": LABELS[:, None]},
    "generator": lambda: {"x": pairs()},
    "PyDataset": lambda: {"x": Batches()},
    "one image": lambda: {"x": IMAGES[:1], "y": LABELS[:1]},
    "tensors": lambda: {"x": keras.ops.array(IMAGES), "y": keras.ops.array(LABELS)},
}


@pytest.mark.second
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed")
@pytest.mark.parametrize("kind", DATA)
def test_everyday_data(kind):
    """`fit` trains on data as people have them, the last batch smaller or not."""
    gan = small()
    gan.fit(**DATA[kind](), verbose=0)
    steps = int(gan.step.numpy())
    assert steps > 0
    gan.fit(IMAGES[:24], LABELS[:24], batch_size=12, verbose=0)  # another size
    assert int(gan.step.numpy()) == steps + 2
    assert all(np.isfinite(value).all() for value in variables_of(gan).values())


@pytest.mark.second
@pytest.mark.skipif(JAX, reason="for tf.data")
@pytest.mark.parametrize("name", KINDS)
def test_smaller_last_batches(name):
    """Each kind of model trains on a smaller last batch of unknown size."""
    import tensorflow as tf

    model, source = smoke_model(name)
    [batch] = batches_of(source, 1)
    size = len(batch["images"])
    data = tf.data.Dataset.from_tensor_slices(batch).batch(size - 1)
    model.fit(data, verbose=0)  # batches of size - 1 images, and of 1
    assert int(model.step.numpy()) == 2
    assert all(np.isfinite(value).all() for value in variables_of(model).values())


def changed(**entries):
    """Return arguments of `fit` of which some differ."""
    return {"x": IMAGES[:20], "y": LABELS[:20], "batch_size": 10} | entries


BAD = {
    "bytes": (changed(x=((IMAGES + 1) * 127.5).astype("uint8")), r"in \[-1, 1\]"),
    "0 to 255": (changed(x=(IMAGES + 1) * 127.5), r"in \[-1, 1\], got 0"),
    "not finite": (changed(x=np.full_like(IMAGES[:20], np.nan)), "finite"),
    "equal images": (changed(x=IMAGES[:1].repeat(20, 0)), "different images"),
    "other size": (changed(x=IMAGES[:20, :14]), r"\[batch, 28, 28, 1\], got"),
    "without channels": (changed(x=IMAGES[:20, ..., 0]), r"\[batch, 28, 28, 1\]"),
    "channels first": (changed(x=IMAGES[:20].transpose(0, 3, 1, 2)), "28, 28, 1"),
    "one-hot": (changed(y=np.eye(10)[LABELS[:20]]), "argmax"),
    "labels from 1": (changed(y=LABELS[:20] + 1), "got 1 to 10; use labels - 1"),
    "labels from -1": (changed(y=LABELS[:20] - 1), "expected 0 to 9, got -1"),
    "more classes": (changed(y=LABELS[:20] * 2), "expected 0 to 9, got 0 to 18"),
    "real labels": (changed(y=LABELS[:20] / 2), "expected integers, got float"),
    "names": (changed(y=np.array(["a"] * 20)), "expected integers, got"),
    "no labels": (changed(y=None), "no part 'labels'"),
    "validation images": (changed(validation_data=IMAGES), "keras_gans.evaluate"),
    "no images": ({"x": IMAGES[:0], "y": LABELS[:0]}, r"got \[0, 28, 28, 1\]"),
    "nothing": ({}, "expected images, got no data"),
    "validation": (changed(validation_data=(IMAGES, LABELS)), "keras_gans.evaluate"),
    "split": (changed(validation_split=0.1), "keras_gans.evaluate"),
    "weights": (changed(sample_weight=np.ones(20)), "leave it out"),
    "class weights": (changed(class_weight={0: 2.0}), "leave it out"),
}


@pytest.fixture(scope="module")
def gan():
    """Return one small GAN, which the tests of refusals do not train."""
    return small()


@pytest.mark.parametrize("kind", BAD)
def test_data_that_are_refused(kind, gan):
    """Wrong data are refused in one sentence, before the first step."""
    arguments, message = BAD[kind]
    with pytest.raises(keras_gans.UserError, match=message) as caught:
        gan.fit(**arguments, verbose=0)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert int(gan.step.numpy()) == 0


def test_values_above_zero_are_warned_of():
    """Images in [0, 1] may be right, since they are in [-1, 1], too."""
    with pytest.warns(UserWarning, match=r"expected values in \[-1, 1\], got 0"):
        small().fit(IMAGES[:8] / 2 + 0.5, LABELS[:8], verbose=0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda gan: gan.evaluate(IMAGES, LABELS),
        lambda gan: gan.test_on_batch(IMAGES, LABELS),
        lambda gan: gan.train_on_batch(IMAGES, np.eye(10)[LABELS]),
        lambda gan: gan.train_on_batch(IMAGES * 300, LABELS),
        lambda gan: gan.predict(IMAGES),
        lambda gan: gan.predict({"images": IMAGES, "labels": LABELS}),
        lambda gan: gan.predict(np.zeros((2, 100))),
        lambda gan: gan.predict([1, 2]),
        lambda gan: gan.predict({"latents": [[0.0] * 100]}),
        lambda gan: small().compile("adam", "adam", accumulate=0),
        lambda gan: keras_gans.CGAN.from_config(gan.get_config()).fit(IMAGES, LABELS),
    ],
)
def test_calls_that_are_refused(ask, gan):
    """A call without a meaning for a GAN ends in one sentence."""
    with pytest.raises(keras_gans.UserError) as caught:
        ask(gan)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.second
def test_predict_and_export(tmp_path):
    """`predict` draws as `call` does; an export takes its inputs by name."""
    gan = small()
    inputs = inputs_of(gan, 5)
    expected = keras.ops.convert_to_numpy(gan(inputs))
    drawn = gan.predict(inputs, 2, verbose=0)
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    plain = small(keras_gans.GAN, classes=0)
    plain.compile(g_optimizer="adam", d_optimizer="sgd")
    plain.fit(IMAGES[:8], -LABELS[:8], verbose=0)  # labels that no network takes
    latents = inputs_of(plain)["latents"]
    assert plain.predict(latents, verbose=0).shape == (3, 28, 28, 1)
    gan.summary(print_fn=lambda line: None)
    if JAX:
        return
    for exported, name in ((gan, "gan"), (gan.generator, "generator")):
        exported.export(tmp_path / name, verbose=False)
        layer = keras.layers.TFSMLayer(tmp_path / name)
        drawn, found = np.asarray(layer(inputs)), np.asarray(exported(inputs))
        np.testing.assert_allclose(drawn, found, atol=1e-5)


@pytest.mark.second
def test_checkpoints_of_keras(tmp_path):
    """`ModelCheckpoint` writes whole models and weights that can be loaded."""
    gan = small()
    save = keras.callbacks.ModelCheckpoint
    both = [
        save(tmp_path / "{epoch}.keras"),
        save(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True),
    ]
    gan.fit(IMAGES[:16], LABELS[:16], batch_size=8, epochs=2, verbose=0, callbacks=both)
    loaded = keras.models.load_model(tmp_path / "2.keras")
    other = small()
    other.load_weights(tmp_path / "2.weights.h5")
    mine = variables_of(gan)
    for copy in (loaded, other):
        for key, value in variables_of(copy).items():
            np.testing.assert_array_equal(value, mine[key], key)

"""Steps of a translation: one run of the generator, and phases of a run."""

import keras
import numpy as np
import pytest

from harness import JAX, in_tiers, smoke_model
from keras_gans import engine

pytestmark = pytest.mark.jax  # also with KERAS_BACKEND=jax

# Without dropout and statistics of batches, two runs of the generator give the same.
OPTIONS = {
    "pix2pix": ["generator.dropout=0.0"],
    "cyclegan": [],
    "cut": [],
    "esrgan": ["hparams.pretraining=0", "hparams.adversarial_weight=1.0"],
}


def take_steps(model, batches, num):
    """Take some steps in one call, and return the logs as arrays."""
    call = engine.train_function(model, [num])
    logs = call(None, batches)[0] if JAX else call(batches)
    return {name: np.asarray(values) for name, values in logs.items()}


def taught(name, shares):
    """Return the weights after two steps of SGD, and the generator's runs."""
    model, source = smoke_model(name, OPTIONS[name])
    sgd = keras.optimizers.SGD
    model.compile(sgd(0.005), sgd(0.005))
    runs, run = [], model.run_generator
    model.run_generator = lambda batch: runs.append(1) or run(batch)
    if not shares:  # each player runs the generator itself
        model.made = model.run_generator
    take_steps(model, iter(source.stream(0)), 2)
    return [v.numpy() for v in model.trainable_variables], len(runs)


@pytest.mark.parametrize("name", in_tiers(OPTIONS, first=["pix2pix"]))
def test_generator_runs_once_in_a_step(name):
    (one, runs), (two, runs_of_two) = (taught(name, x) for x in (True, False))
    assert runs == 1 < runs_of_two  # in the step, which is traced once
    assert len(one) > 10
    for value, other in zip(one, two, strict=True):
        np.testing.assert_allclose(value, other, atol=2e-6)


def test_parts_of_a_batch_share_nothing():
    model, source = smoke_model("pix2pix", OPTIONS["pix2pix"])
    model.compile("sgd", "sgd", accumulate=2)
    batch = next(iter(source.stream(0)))
    assert all("made" not in part for _, part in model.schedule(batch))


@pytest.mark.second
def test_a_generator_with_spectral_normalization_runs_for_each_player():
    model, source = smoke_model("spade")
    batch = next(iter(source.stream(0)))
    assert all("made" not in part for _, part in model.schedule(batch))


def test_the_discriminator_of_esrgan_trains_after_pretraining():
    model, source = smoke_model("esrgan", ["hparams.pretraining=2"])
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    first = [v.numpy() for v in model.discriminator.trainable_variables]
    batches = iter(source.stream(0))
    logs = take_steps(model, batches, 1)
    assert not logs["g_above"].any() and (logs["g_l1"] > 0).all()
    np.testing.assert_allclose(logs["d_real"], np.log(2), rtol=1e-6)
    now = [v.numpy() for v in model.discriminator.trainable_variables]
    assert all((a == b).all() for a, b in zip(first, now, strict=True))
    logs = take_steps(model, batches, 2)  # steps of both phases
    assert (logs["g_above"] > 0).tolist() == [False, True]
    now = [v.numpy() for v in model.discriminator.trainable_variables]
    assert any((a != b).any() for a, b in zip(first, now, strict=True))

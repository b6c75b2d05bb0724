"""Recipes for tests: their names, models of smoke size, and shared checks."""

import os
import pathlib

import keras
import numpy as np
import pytest

from keras_gans import data, engine, strategies
from keras_gans.recipes import build, config
from keras_gans.storage import checkpoint

JAX = os.environ.get("KERAS_BACKEND") == "jax"
ROOT = pathlib.Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# Larger sizes of a recipe, of the same networks and variant: see test_r3gan.py.
SIZES = {"r3gan_m": "r3gan", "r3gan_l": "r3gan"}
ZOO = [name for name in config.zoo_names() if name not in SIZES]

# Recipes that differ in kind.
KINDS = {
    "cgan": "The usual two players, on images of classes.",
    "infogan": "Codes for labels, and a head of the discriminator that reads them.",
    "wgan_gp": "Several critic steps; a gradient of a gradient; no labels.",
    "stylegan2": "Styles, noise and truncation; terms of every so many steps.",
    "rsgan_ring": "Points in place of images; a loss of pairs of logits.",
    "pix2pix": "Images from images, by pairs; a U-Net; images of any size.",
    "cyclegan": "Two players that hold two networks each; pools of earlier fakes.",
}
# The first tier trains these, the second all of the zoo.
FIRST = [name for name in KINDS if name != "stylegan2"]  # compiles slowly


def in_tiers(names, first=FIRST, slow=(), release=()):
    """Mark recipes by tier: the second tier, but for those in the other lists."""
    listed = {*first, *slow, *release}
    assert listed <= set(names), listed - set(names)
    marks = {name: [pytest.mark.second] for name in names}
    marks |= {name: [pytest.mark.slow] for name in slow}
    marks |= {name: [pytest.mark.release] for name in release}
    marks |= {name: [] for name in first}
    return [pytest.param(name, marks=marks[name]) for name in names]


def variables_of(model):
    """Return the arrays of a checkpoint by name."""
    return {k: v.numpy() for k, v in checkpoint.named_variables(model).items()}


def check_sizes_of_calls(ask):
    """Check that calls of one step and of several steps agree; `ask` runs a call."""
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
    """Build a recipe at smoke size; return (model, source)."""
    recipe = config.load_config(name, overrides, smoke=True)
    source = data.open_source(
        recipe.data, batches_per_step=recipe.hparams.batches_per_step
    )
    model = build.build_model(recipe, source.info)
    if compiled:
        model.compile(compiled(), compiled())
    return model, source


def trained(name, overrides, devices, rate=0.5, steps=3):
    """Return all variables after some steps of SGD."""
    team = strategies.make_team(devices)
    assert team.devices == (2 if devices == "mirrored" else 1)
    recipe = config.load_config(name, overrides, smoke=True)
    source = data.open_source(
        recipe.data, batches_per_step=recipe.hparams.batches_per_step
    )
    with team.scope():
        model = build.build_model(recipe, source.info)
        # SGD: Adam hides a wrong scale of the gradient
        sgd = keras.optimizers.SGD
        model.compile(sgd(rate), sgd(rate), accumulate=recipe.train.accumulate)
    before = variables_of(model)
    stream = team.stream(source, 0, 0)
    model.fit(stream, steps_per_epoch=steps, verbose=0, shuffle=False)
    after = variables_of(model)
    assert any(np.abs(after[k] - before[k]).max() > 1e-3 for k in after)
    return after


# What averages for each device apart is left out: standard deviations of groups.
UNLIKE = {
    # at its rate, statistics of batches make a rounding too large
    "dcgan": ["generator.normalization=none", "discriminator.normalization=none"],
    "lsgan": ["hparams.augment=ada", "hparams.ada_images=64"],
    "wgan": ["hparams.clip=0.1"],
    "stylegan2": ["discriminator.group_size=1"],
    # instance normalization amplifies rounding in flat images: 1e-8 becomes 1e-4
    "cyclegan": [
        "hparams.pool_size=12",
        "generator.norm=none",
        "discriminator.norm=none",
    ],
    "cut": ["generator.norm=none", "discriminator.norm=none"],
    "esrgan": ["hparams.pretraining=0", "hparams.adversarial_weight=1.0"],
}
# Larger rates make translation generators and penalties diverge.
RATES = {
    **dict.fromkeys(("gan", "dcgan", "cgan", "acgan", "infogan"), 0.5),
    **dict.fromkeys(("pix2pix", "cyclegan", "cut", "spade", "esrgan"), 0.005),
}

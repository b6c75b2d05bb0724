"""Ranges of a recipe's numbers: nonsense is refused before anything is built."""

import inspect

import pytest

from keras_gans.engine import optimizers
from keras_gans.errors import UserError
from keras_gans.networks import dcgan, mlp
from keras_gans.recipes import build, config

pytestmark = pytest.mark.jax  # and under TensorFlow

COSINE = 'class_name="CosineDecay", initial_learning_rate'
STEPS = 'class_name="PiecewiseConstantDecay"'


@pytest.mark.parametrize(
    "override, message",
    [
        ("g_optimizer.beta_1=2", "beta_1: expected 0 <= value < 1, got 2.0"),
        ("g_optimizer.beta_1=-0.1", "beta_1: expected 0 <= value < 1"),
        ("g_optimizer.beta_2=1", "beta_2: expected 0 <= value < 1"),
        ("g_optimizer.epsilon=-1e-7", "epsilon: expected at least 0"),
        ("g_optimizer.clipnorm=-1", "clipnorm: expected more than 0"),
        ("g_optimizer.clipvalue=0", "clipvalue: expected more than 0"),
        ("g_optimizer.global_clipnorm=-1", "global_clipnorm: expected more than 0"),
        ("g_optimizer.weight_decay=-1", "weight_decay: expected at least 0"),
        ("g_optimizer.learning_rate=0", "learning_rate: expected more than 0"),
        ("g_optimizer.learning_rate=-1e-3", "learning_rate: expected more than 0"),
        ("g_optimizer.ema_momentum=1.1", "ema_momentum: expected 0 <= value <= 1"),
        ("g_optimizer.loss_scale_factor=0", "loss_scale_factor: expected more than"),
        ("g_optimizer.gradient_accumulation_steps=1", "expected at least 2, got 1"),
        ("g_optimizer.ema_overwrite_frequency=0", "expected at least 1, got 0"),
        ("g_optimizer.ema_overwrite_frequency=1.5", "expected int, got 1.5"),
        ("g_optimizer.class_name=LossScaleOptimizer", "no class_name 'LossScaleOptimi"),
        ('g_optimizer.class_name=["Adam"]', "no class_name ['Adam']. Known: Adadelta"),
        ("g_optimizer.class_name=3", "no class_name 3"),
        ("g_optimizer.class_name=adam", "no class_name 'adam'; did you mean 'Adam'?"),
        ("g_optimizer.learning_rate={}", "learning_rate: 'class_name' is missing"),
        (
            'g_optimizer.learning_rate={class_name=["CosineDecay"]}',
            "learning_rate: no class_name ['CosineDecay']",
        ),
        ("g_optimizer.clipnorm={a=1}", "clipnorm: it cannot follow a schedule"),
        (f"g_optimizer.learning_rate={{{COSINE}=-1}}", "expected at least 0, got -1.0"),
        (f"g_optimizer.learning_rate={{{COSINE}=0}}", "expected a value above 0"),
        (f"g_optimizer.learning_rate={{{COSINE}='a'}}", "expected float, got 'a'"),
        (
            f"g_optimizer.learning_rate={{{COSINE}=1, decay_steps=0}}",
            "decay_steps: expected at least 1",
        ),
        (
            f"g_optimizer.learning_rate={{{COSINE}=1, alpha=-1}}",
            "alpha: expected at le",
        ),
        (
            f"g_optimizer.learning_rate={{{COSINE}=1, warmup_steps=-1}}",
            "warmup_steps: expected at least 0",
        ),
        (
            f"g_optimizer.beta_2={{{COSINE}=0.9, alpha=1.2}}",
            "beta_2: expected 0 <= value < 1",
        ),
        (
            f"g_optimizer.learning_rate={{{STEPS}, boundaries=[5, 3], values=[1,2,3]}}",
            "expected ascending boundaries",
        ),
        (
            f"g_optimizer.learning_rate={{{STEPS}, boundaries=[3, 5], values=[1, 2]}}",
            "one value more than boundaries",
        ),
        (
            f"g_optimizer.learning_rate={{{STEPS}, boundaries=[3], values=[1, -2]}}",
            "values: expected at least 0, got -2.0",
        ),
        (
            f"g_optimizer.learning_rate={{{STEPS}, boundaries=3, values=[1, 2]}}",
            "boundaries: expected a list of numbers, got 3",
        ),
        (
            "generator.width=0",
            "[generator] width: expected at least 1 and at most 16384",
        ),
        ("generator.latent_dim=1000000000", "latent_dim: expected at least 1 and at m"),
        ("generator.kernel_size=1", "kernel_size: expected at least 2 and at most 64"),
        ("generator.init_stddev=-1", "init_stddev: expected at least 0, got -1.0"),
        ("discriminator.dropout=1", "dropout: expected at least 0 and below 1"),
        ("discriminator.dropout=-0.1", "dropout: expected at least 0 and below 1"),
        ("discriminator.depth=5000", "depth: expected at least 0 and at most 32"),
        ("data.image_size=1000000", "image_size: expected at most 8192 pixels"),
        ("data.random_crop=1000000", "random_crop: expected at most 8192 pixels"),
        ("data.batch_size=1000000000", "batch_size: expected at least 1 and at most"),
        ("hparams.d_steps=100000", "d_steps: expected 1 to 1000"),
        ("hparams.r1_weight=-1", "r1_weight: expected at least 0"),
        ("hparams.ada_target=2", "ada_target: expected -1 to 1"),
        ("train.steps=2147483648", "steps: expected at most 2147483647"),
        ("train.grid_every=-1", "grid_every: expected at least 1"),
    ],
)
def test_nonsense_is_refused(override, message):
    with pytest.raises(UserError) as caught:
        config.load_config("cgan", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "g_optimizer.learning_rate=1",
        "g_optimizer.beta_1=0",
        "g_optimizer.epsilon=0",
        "g_optimizer.weight_decay=0",
        "g_optimizer.ema_momentum=1",
        "hparams.r1_weight=-0.0",
        "hparams.ada_target=-1",
        "train.steps=2147483647",
        "train.steps=0x10",
        "data.batch_size=0",
        "generator.width=16384",
        f"g_optimizer.learning_rate={{{COSINE}=0, warmup_target=1, warmup_steps=9}}",
        f"g_optimizer.learning_rate={{{COSINE}=1, decay_steps=1e4}}",
        f"g_optimizer.learning_rate={{{STEPS}, boundaries=[3, 5], values=[3, 2, 0]}}",
        f"g_optimizer.beta_2={{{COSINE}=0.9, alpha=1.1}}",
    ],
)
def test_ends_of_ranges_are_accepted(override):
    recipe = config.load_config("cgan", [override])
    build.make_optimizer(recipe.optimizers["g"])


def test_ranges_name_keywords_of_keras():
    """A range that no optimizer and no schedule of Keras has is a misspelling."""
    import keras

    known = set()
    for cls in (*vars(keras.optimizers).values(), *optimizers.SCHEDULES.values()):
        if inspect.isclass(cls):
            known |= set(inspect.signature(cls).parameters)
    assert set(optimizers.RANGES) <= known
    numbers = {"muon_a", "muon_b", "muon_c"}  # coefficients of a polynomial
    for name, cls in vars(keras.optimizers).items():
        if inspect.isclass(cls) and name not in optimizers.WRAPPERS:
            for key, parameter in inspect.signature(cls).parameters.items():
                if type(parameter.default) in (int, float):
                    assert key in numbers | set(optimizers.RANGES), (name, key)


def test_networks_check_their_ranges_outside_of_recipes():
    for call in (
        lambda: dcgan.generator((28, 28, 1), width=0),
        lambda: dcgan.generator((28, 28, 1), 0, 0),
        lambda: dcgan.discriminator((28, 28, 1), kernel_size=65),
        lambda: mlp.discriminator((28, 28, 1), dropout=1.0),
        lambda: mlp.generator((28, 28, 1), depth=65),
    ):
        with pytest.raises(UserError, match="expected at least"):
            call()
    assert list(inspect.signature(mlp.generator).parameters)[2:] == [
        "latent_dim",
        "units",
        "depth",
    ]

r"""Train a recipe for three steps of SGD on a given backend; write all variables.

    KERAS_BACKEND=jax python tests/three_steps.py \
        NAME RATE START.npz END.npz [KEY=VALUE ...]

Both backends start from the weights of START.npz, which is written if it is missing.
Both draw the same random numbers, which depend only on the law and the shape.
"""

import os
import sys

import numpy as np

from keras_gans.recipes import build

STEPS = 3
# Dropout does not draw through `keras.random`. Instance normalization of flat images
# amplifies rounding errors, as `UNLIKE` in harness.py explains.
NO_DROPOUT = ["discriminator.dropout=0.0"]
NO_NORM = ["generator.norm=none", "discriminator.norm=none"]
PLAIN = {
    "gan": NO_DROPOUT,
    "cgan": NO_DROPOUT,
    "acgan": NO_DROPOUT,
    "lsgan": NO_DROPOUT,
    "pix2pix": ["generator.dropout=0.0"],
    "cyclegan": NO_NORM,
    "cut": NO_NORM,
    "esrgan": ["hparams.pretraining=0", "hparams.adversarial_weight=1.0"],
}


def fix_draws():
    """Make `keras.random` draw numbers from NumPy that do not depend on the seed."""
    import keras

    def fixed(law):
        def draw(shape, *bounds, seed=None, dtype=None, **more):
            rng = np.random.default_rng([len(law), *shape])
            drawn = LAWS[law](rng, tuple(shape), *bounds, **more)
            return keras.ops.convert_to_tensor(drawn)

        return draw

    for law in LAWS:
        setattr(keras.random, law, fixed(law))
    keras.random.shuffle = lambda x, seed=None, **options: keras.ops.flip(x)
    keras.random.categorical = lambda logits, num, seed=None, **options: (
        keras.ops.zeros((logits.shape[0], num), "int32")
    )


def _uniform(rng, shape, minval=0.0, maxval=1.0):
    return rng.uniform(minval, maxval, shape).astype(np.float32)


def _integers(rng, shape, minval, maxval):
    return rng.integers(minval, maxval, shape).astype(np.int32)


def _normal(rng, shape, mean=0.0, stddev=1.0):
    return rng.normal(mean, stddev, shape).astype(np.float32)


LAWS = {"normal": _normal, "uniform": _uniform, "randint": _integers}


def three_steps(name, rate, start, end, overrides):
    """Train for three steps from the weights of `start`; write `end`."""
    import keras

    from keras_gans import data
    from keras_gans.recipes import config
    from keras_gans.storage import checkpoint

    recipe = config.load_config(name, overrides, smoke=True)
    size = recipe.hparams.batches_per_step
    source = data.open_source(recipe.data, batches_per_step=size)
    fix_draws()
    model = build.build_model(recipe, source.info)
    sgds = [keras.optimizers.SGD(float(rate)) for _ in range(2)]
    model.compile(*sgds, accumulate=recipe.train.accumulate)
    if os.path.exists(start):
        checkpoint.restore(model, start)
    else:
        os.rename(checkpoint.save(model, os.path.dirname(start)), start)
    batches = iter(source.stream(0))
    some = [next(batches) for _ in range(STEPS)]
    size = len(some[0]["images"])
    whole = [np.concatenate([np.asarray(batch[k]) for batch in some]) for k in some[0]]
    model.fit(*whole, batch_size=size, verbose=0, shuffle=False)
    os.rename(checkpoint.save(model, os.path.dirname(end)), end)


if __name__ == "__main__":
    three_steps(*sys.argv[1:5], sys.argv[5:])

"""Mixed precision: 16-bit layers, float32 weights, no vanishing gradients."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from harness import ZOO, in_tiers, smoke_model
from keras_gans import engine, train
from keras_gans.engine import precision as precision_lib
from keras_gans.recipes import build, config
from keras_gans.sampling import keras_sampler

QUICK = ("cgan",)
SLOW = "cyclegan", "infogan", "spade", "stylegan2", "wgan_gp_ring"
RELEASE = [name for name in ZOO if name not in (*QUICK, *SLOW, "wgan_gp", "pix2pix")]


def steps_of(model, source, num):
    call = engine.train_function(model, [num])
    return {k: v.numpy() for k, v in call(iter(source.stream(0))).items()}


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", in_tiers(ZOO, QUICK, SLOW, RELEASE))
def test_every_model_trains_in_16_bits(name, precision):
    model, source = smoke_model(name, [f"train.precision={precision}"])
    before = [w.numpy() for w in model.trainable_weights]
    logs = steps_of(model, source, 12)
    for key, values in logs.items():
        assert np.isfinite(values).all(), (key, values)
    moved = [
        np.abs(w.numpy() - b).max()
        for w, b in zip(model.trainable_weights, before, strict=True)
    ]
    assert np.mean(np.array(moved) > 0) > 0.9  # not all steps overflowed
    assert {w.dtype for w in model.weights} <= {"float32", "int32", "uint32", "int64"}
    networks = model.generator, model.ema_generator
    computed = [
        {layer.compute_dtype for layer in network._flatten_layers()}
        for network in networks
    ]
    assert precision.removeprefix("mixed_") in computed[0]
    assert computed[1] == {"float32"}  # used for samples and exports
    for network in (model.generator, model.discriminator):
        for output in tf.nest.flatten(network.output):
            assert output.dtype == "float32"
    scaled = isinstance(model.g_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")


def test_the_same_model_comes_out_of_a_checkpoint_and_an_export(tmp_path):
    """A float16 run stores float32 weights, which give the same images in float32."""
    args = ["--model=dcgan", "--smoke", f"--workdir={tmp_path}", "--export=none"]
    assert train.main([*args, "--set=train.precision=mixed_float16"]) == 0
    sampler = keras_sampler.load_workdir(str(tmp_path))
    with np.load(tmp_path / "checkpoints" / "step_00000006.npz") as arrays:
        assert {arrays[name].dtype.name for name in arrays.files} <= {
            "float32",
            "int32",
            "uint32",
            "int64",
        }
    plain = config.load_config("dcgan", smoke=True)
    info = keras_sampler.Workdir(str(tmp_path)).read()[1]
    other = build.build_model(plain, info)
    other.ema_generator.set_weights(sampler.model.ema_generator.get_weights())
    latents = {"latents": sampler.latents(range(4))}
    np.testing.assert_array_equal(sampler.run(latents), other(latents).numpy())
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert all(np.isfinite(v) for row in rows for v in json.loads(row).values())


def test_inner_gradients_of_float16_do_not_vanish():
    """D(x) = 2e-8 sum(x), as two factors: its gradient underflows in float16."""
    with precision_lib.policy("mixed_float16"):
        network = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
                keras.layers.Rescaling(2e-4),
                keras.layers.Rescaling(1e-4, dtype="float32"),
            ]
        )
    x, optimizer = tf.ones((3, 4)), keras.optimizers.SGD(0.0)
    weights = network.trainable_variables
    scaled = keras.optimizers.LossScaleOptimizer(optimizer)
    found = {}

    def losses():
        _, gradient = engine.value_and_gradient(network, x)
        return {"penalty": keras.ops.max(gradient, axis=1)}

    for name, chosen in (("plain", optimizer), ("scaled", scaled)):
        chosen.build(weights)
        found[name] = float(engine.minimize([losses], weights, chosen)["penalty"])
    assert found["scaled"] == pytest.approx(2e-8, rel=2e-3)
    assert abs(found["plain"] - 2e-8) > 1e-9  # underflows without the scale


def test_an_overflow_is_left_out_on_every_device():
    """No weight moves if one device's gradient overflows, and the scale is halved."""
    from keras_gans import strategies

    strategy = strategies.make_team("mirrored").strategy
    with strategy.scope():
        weight = keras.Variable(np.ones(3, np.float32))
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
        optimizer.build([weight])

    def step(x):
        return engine.minimize([lambda: {"loss": weight * x}], [weight], optimizer)

    @tf.function(autograph=False)
    def run(values):
        return strategy.run(step, (values,))

    def batch(second):
        def of_device(context):
            return tf.constant([1.0, second][context.replica_id_in_sync_group])

        return strategy.experimental_distribute_values_from_function(of_device)

    scale = float(optimizer.dynamic_scale.numpy())
    run(batch(np.inf))
    np.testing.assert_array_equal(weight.numpy(), np.ones(3))
    assert float(optimizer.dynamic_scale.numpy()) == scale / 2
    logs = run(batch(3.0))
    # The gradient is the mean over three entries and both devices: (1 + 3) / 2 / 3.
    np.testing.assert_allclose(weight.numpy(), 1.0 - 0.1 * 2.0 / 3.0, rtol=1e-6)
    norms = strategy.experimental_local_results(logs["gradient_norm"])
    for norm in norms:  # the whole gradient's norm on both devices
        assert float(norm) == pytest.approx(np.sqrt(3 * (2.0 / 3.0) ** 2), rel=1e-6)


def test_clipping_is_of_the_whole_gradient():
    from keras_gans import strategies

    found = []
    for word in ("one_device", "mirrored"):
        strategy = strategies.make_team(word).strategy
        with strategy.scope():
            weight = keras.Variable(np.zeros(2, np.float32))
            optimizer = keras.optimizers.SGD(1.0, global_clipnorm=0.5)
            optimizer.build([weight])

        def step(x, weight=weight, optimizer=optimizer):
            losses = [lambda: {"loss": keras.ops.sum(weight * x, axis=1)}]
            return engine.minimize(losses, [weight], optimizer)

        data = tf.data.Dataset.from_tensors(np.array([[4.0, 0.0], [0.0, 2.0]], "f4"))
        [batch] = strategy.experimental_distribute_dataset(data.unbatch().batch(2))
        strategy.run(step, (batch,))
        found.append(weight.numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert np.linalg.norm(found[0]) == pytest.approx(0.5)

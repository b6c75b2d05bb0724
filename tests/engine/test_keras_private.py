"""Private names of Keras and TensorFlow: all in one file, and still working."""

import ast
import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_gans
from harness import ROOT
from keras_gans import engine
from keras_gans.engine import keras_private

PLACE = "keras_gans/engine/keras_private.py"
OURS = "keras_gans", __name__
PRIVATE_MODULES = "keras.src", "tensorflow.python", "jax._src"
FILES = [
    path
    for folder in ("keras_gans", "export")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != ROOT / PLACE
]


def foreign_names(text):
    """Return private attributes and modules that a file uses but does not define."""
    tree = ast.parse(text)
    own, used = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value) in ("self", "cls"):
                own.add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            if private and (
                node.attr not in own or ast.unparse(node.value) not in ("self", "cls")
            ):
                used.append(ast.unparse(node))
        if isinstance(node, ast.ImportFrom):
            if node.module.startswith(PRIVATE_MODULES):
                used.append(node.module)
            used += [a.name for a in node.names if a.name.startswith("_")]
        if isinstance(node, ast.Import):
            used += [a.name for a in node.names if a.name.startswith(PRIVATE_MODULES)]
    return [name for name in used if name != "os._exit"]  # is documented


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_private_names_of_libraries_stand_in_one_file(path):
    found = foreign_names(path.read_text())
    assert not found, f"{', '.join(found)}: private; wrap it in {PLACE}, and say why"


@pytest.mark.parametrize(
    "text, name",
    [
        ("network._nodes_by_depth", "network._nodes_by_depth"),
        ("network._run_through_graph = run", "network._run_through_graph"),
        ("class A:\n def f(self):\n  return self._kernel", "self._kernel"),
        ("def _run(): pass\nmodule._run()", "module._run"),
        ("from tensorflow.python.framework import ops", "tensorflow.python.framework"),
        ("import keras.src.layers", "keras.src.layers"),
        ("class A:\n def f(self):\n  self._a = 1\n  return self._a", None),
        ("class A:\n _a: int\n def f(self):\n  return self._a", None),
    ],
)
def test_search_finds_what_is_foreign(text, name):
    assert foreign_names(text) == ([name] if name else [])


def package_classes():
    other = "_jax" if keras.backend.backend() == "tensorflow" else "_tensorflow"
    for module in pkgutil.walk_packages(keras_gans.__path__, "keras_gans."):
        last = module.name.rpartition(".")[2]
        if f"_{last}".endswith(other) or last in ("__main__", "torch_dcgan"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and value.__module__ == module.name:
                yield value


def replaced_names(ours):
    libraries = [c for c in ours.__mro__ if not c.__module__.startswith(OURS)]
    private = {n for c in libraries for n in vars(c) if n.startswith("_")}
    private = {n for n in private if not n.startswith(("__", "_abc_", "_is_protocol"))}
    return private & set(vars(ours))


def test_no_class_replaces_a_private_name_of_its_library():
    """A method or attribute of ours with a private name would break its base class."""
    for ours in package_classes():
        replaced = replaced_names(ours)
        assert not replaced, (
            f"{ours}: {replaced} is private to its library; see {PLACE}"
        )


def test_search_finds_a_replaced_name():
    class Replacing(keras.Model):
        def _flatten_layers(self):
            return []

        def _ours(self):
            return []

    assert replaced_names(Replacing) == {"_flatten_layers"}


def functional():
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(2, name="deep")])
    x = layers.Input((3,))
    outputs = {"y": layers.Dense(4, name="last")(inner(x))}
    return keras.Model(x, outputs)


def gone(name, broken):
    return f"{name} is gone, or does another thing: {broken}; see {PLACE}"


def test_is_compiling_knows_what_xla_compiles():
    seen = []

    @tf.function(jit_compile=True)
    def compiled(x):
        seen.append(keras_private.is_compiling())
        return tf.cond(
            x > 0, lambda: seen.append(keras_private.is_compiling()) or x, lambda: x
        )

    compiled(tf.constant(1.0))
    reason = gone("GraphOrParentsInXlaContext", "kernels are chosen without XLA")
    assert seen == [True, True], reason
    assert not keras_private.is_compiling(), reason
    assert not tf.function(keras_private.is_compiling)(), reason


def test_fit_builds_no_symbolic_model():
    name = "_maybe_symbolic_build"
    reason = gone(name, "fit of several hosts sums their batch sizes once more")
    assert hasattr(keras.Model, name), reason
    assert f"self.{name}(" in inspect.getsource(inspect.unwrap(keras.Model.fit)), reason
    assert getattr(engine.Model, name) is getattr(keras_private.NoSymbolicBuild, name)


@pytest.mark.parametrize("scaled", [False, True])
def test_optimizer_leaves_the_sum_over_replicas_to_the_engine(scaled):
    name = "_all_reduce_sum_gradients"
    reason = gone(name, "gradients of several devices are summed twice")
    optimizer = keras.optimizers.SGD(1.0)
    assert hasattr(optimizer, name), reason
    outer = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
    keras_private.sum_no_gradients(outer)
    tf_base = next(c for c in type(optimizer).__mro__ if name in vars(c))
    assert f"self.{name}(" in inspect.getsource(tf_base), reason
    # Keras calls the replaced method, which returns the pairs unchanged.
    seen = []
    setattr(optimizer, name, lambda pairs: seen.append(list(pairs)) or seen[-1])
    variable = keras.Variable(np.ones(2, "float32"))
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        optimizer.build([variable])
    optimizer.apply([tf.ones(2)], [variable])
    assert len(seen) == 1, reason
    np.testing.assert_array_equal(variable.numpy(), np.zeros(2))


def test_layers_are_found_at_any_depth():
    reason = gone("_flatten_layers", "layers inside of networks and layers are missed")
    assert hasattr(keras.Layer, "_flatten_layers"), reason
    network = functional()
    found = {layer.name for layer in keras_private.flatten_layers(network)}
    assert {"deep", "last", network.name} <= found, reason


def test_calls_of_a_network_come_in_order():
    network = functional()
    reason = gone("_nodes_by_depth", "train.remat cannot cut a network")
    assert hasattr(network, "_nodes_by_depth"), reason
    nodes = keras_private.calls_in_order(network)
    kinds = [type(node.operation).__name__ for node in nodes]
    assert kinds == ["InputLayer", "Sequential", "Dense"], reason
    ready = {id(network.inputs[0])}
    for node in nodes[1:]:
        assert {id(x) for x in node.input_tensors} <= ready, reason
        ready |= {id(x) for x in node.outputs}


def test_the_forward_pass_can_be_replaced():
    network = functional()
    reason = gone("_run_through_graph", "train.remat has no effect")
    assert hasattr(network, "_run_through_graph"), reason
    keras_private.replace_forward(network, lambda inputs, operation_fn: {"y": "ours"})
    assert network(np.zeros((1, 3), "float32")) == {"y": "ours"}, reason


def test_body_of_a_called_function_is_found():
    inner = tf.function(lambda x: tf.matmul(x, x))
    graph = tf.function(lambda x: inner(x) + 1).get_concrete_function(tf.eye(3)).graph
    reason = gone("Graph._get_function", "benchmark throughput counts no operations")
    assert hasattr(graph, "_get_function"), reason
    [call] = [op for op in graph.get_operations() if "PartitionedCall" in op.type]
    body = keras_private.function_graph(graph, call.get_attr("f").name)
    assert "MatMul" in {op.type for op in body.get_operations()}, reason


def test_dense_layers_can_share_a_scale():
    function = tf.function(lambda x: x).get_concrete_function(tf.ones(1))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    name = "_experimental_disable_per_channel_quantization_for_dense_layers"
    assert getattr(converter, name, None) is False, gone(
        f"TFLiteConverter.{name}", "a .tflite of 8 bits grows"
    )
    keras_private.share_dense_scales(converter)
    assert getattr(converter, name) is True

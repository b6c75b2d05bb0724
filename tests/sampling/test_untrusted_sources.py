"""SavedModels and workdirs of other people: nothing of theirs runs without a word."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from harness import in_tiers
from keras_gans import evaluate, sample, train
from keras_gans.device.sampler import INFO_NAME, SamplerError
from keras_gans.errors import UserError
from keras_gans.sampling import load
from keras_gans.sampling import saved_model_operations as operations

INFO = {
    "name": "theirs",
    "image_shape": [4, 4, 1],
    "latent_dim": 2,
    "latents": "normal",
    "num_classes": 0,
    "class_names": [],
    "step": 1,
    "recipe": "",
}


def write_file(z, path):
    with tf.control_dependencies([tf.io.write_file(path, "x")]):
        return tf.identity(z)


def table(z, path):
    """Look up a table that TensorFlow fills from a file when it loads the model."""
    with open(path, "w") as file:
        file.write("0\n1\n")
    initializer = tf.lookup.TextFileInitializer(
        path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    return initializer


def in_a_gradient(z, path):
    @tf.custom_gradient
    def function(x):
        return x, lambda g: write_file(g, path)

    with tf.GradientTape() as tape:
        tape.watch(z)
        y = function(z)
    return tape.gradient(y, z)


# What the function `generate` of a SavedModel does, and the operation that the message
# names.
HOSTILE = {
    "writes": (write_file, "WriteFile"),
    "reads": (lambda z, path: z + float(0) * tf.cast(
        tf.strings.length(tf.io.read_file(path)), tf.float32), "ReadFile"),
    "lists": (lambda z, path: z + 0 * tf.cast(
        tf.size(tf.io.matching_files(path)), tf.float32), "MatchingFiles"),
    "prints to a file": (lambda z, path: tf.identity(z) if tf.print(
        "x", output_stream=f"file://{path}") is None else z, "PrintV2"),
    "saves": (lambda z, path: tf.identity(z) if tf.raw_ops.Save(
        filename=path, tensor_names=["x"], data=[z]) is None else z, "Save"),
    "saves as a checkpoint": (lambda z, path: tf.identity(z) if tf.raw_ops.SaveV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[z]
        ) is None else z, "SaveV2"),
    "restores": (lambda z, path: z + tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""],
        dtypes=[tf.float32])[0], "RestoreV2"),
    "merges checkpoints": (lambda z, path: tf.identity(z)
        if tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=[path], destination_prefix=path) is None else z,
        "MergeV2Checkpoints"),
    "Python": (lambda z, path: tf.ensure_shape(
        tf.py_function(lambda x: x, [z], tf.float32), z.shape), "EagerPyFunc"),
    "NumPy": (lambda z, path: tf.ensure_shape(
        tf.numpy_function(lambda x: x, [z], tf.float32), z.shape), "PyFunc"),
    "TFRecords": (lambda z, path: z + tf.cast(tf.data.TFRecordDataset(path).reduce(
        np.int64(0), lambda x, _: x + 1), tf.float32), "TFRecordDataset"),
    "aborts": (lambda z, path: tf.identity(z) if tf.raw_ops.Abort() is None else z,
        "Abort"),
    "maps memory": (lambda z, path: z + tf.raw_ops.ImmutableConst(
        dtype=tf.float32, shape=[2], memory_region_name=path), "ImmutableConst"),
    "in a branch": (lambda z, path: tf.cond(
        tf.reduce_sum(z) > 9e9, lambda: write_file(z, path), lambda: z), "WriteFile"),
    "in a loop": (lambda z, path: tf.while_loop(
        lambda i, x: i < 1, lambda i, x: (i + 1, write_file(x, path)),
        [0, z])[1], "WriteFile"),
    "in a map": (lambda z, path: tf.map_fn(lambda x: write_file(x, path), z),
        "WriteFile"),
    "in a function": (lambda z, path: tf.function(write_file)(z, path), "WriteFile"),
    "in a gradient": (in_a_gradient, "WriteFile"),
}  # fmt: skip


def save(folder, function, info=INFO, other=None):
    """Write a SavedModel, and return its path."""

    class Generator(tf.Module):
        def __init__(self):
            self.scale = tf.Variable(0.5)

        @tf.function(input_signature=[tf.TensorSpec((None, 2), name="latents")])
        def generate(self, latents):
            z = self.scale * function(latents)
            images = tf.reshape(tf.tanh(tf.reduce_sum(z, 1)), (-1, 1, 1, 1))
            return {"images": tf.tile(images, (1, 4, 4, 1))}

    model, path = Generator(), str(folder / "saved_model")
    if other is not None:
        model.other = other
    tf.saved_model.save(model, path, signatures={"generate": model.generate})
    os.makedirs(os.path.join(path, "assets.extra"))
    with open(os.path.join(path, "assets.extra", INFO_NAME), "w") as file:
        json.dump(info, file)
    return path


def change(path, function):
    """Change the protocol buffer of a SavedModel."""
    file = os.path.join(path, "saved_model.pb")
    with open(file, "rb") as opened:
        model = saved_model_pb2.SavedModel.FromString(opened.read())
    function(model.meta_graphs[0])
    with open(file, "wb") as opened:
        opened.write(model.SerializeToString())


@pytest.mark.parametrize("kind", HOSTILE)
def test_operations_beside_computation_are_refused_by_name(kind, tmp_path, capsys):
    function, name = HOSTILE[kind]
    target = str(tmp_path / "written")
    path = save(tmp_path, lambda z: function(z, target))
    with pytest.raises(UserError, match=f"such as read or write files: .*{name}"):
        load.load(path)
    assert sample.main([f"--source={path}", f"--out={tmp_path / 'x.png'}"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "pass --allow_code" in err and len(err) < 500
    assert not os.path.exists(target) and not os.path.exists(tmp_path / "x.png")


def test_allowed_operations_run(tmp_path):
    target = str(tmp_path / "written")
    path = save(tmp_path, lambda z: write_file(z, target))
    words = [f"--source={path}", f"--out={tmp_path / 'x.png'}", "--num=2"]
    assert sample.main([*words, "--allow_code"]) == 0
    assert os.path.isfile(target)


def test_initializers_and_functions_without_a_caller_count(tmp_path):
    initializer = table(None, str(tmp_path / "words"))
    other = tf.lookup.StaticHashTable(initializer, 0)
    with pytest.raises(UserError, match="InitializeTableFromTextFileV2"):
        load.load(save(tmp_path, lambda z: z, other=other))
    shutil.rmtree(tmp_path / "saved_model")

    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 2))])
        def unused(self, z):
            return write_file(z, str(tmp_path / "written"))

    with pytest.raises(UserError, match="WriteFile"):
        load.load(save(tmp_path, lambda z: z, other=Other()))


def add_call(graph):
    """Add a call to the signature; return (name of the saver, of the signature, call).

    The caller sets the function that the call runs.
    """
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    [saver] = [name for name in functions if "traced_save" in name]
    [main] = [name for name in functions if "inference_generate" in name][:1]
    node = functions[main].node_def.add(name="x", op="StatefulPartitionedCall")
    return saver, main, node


def test_functions_of_the_saver_are_its_own(tmp_path):
    """Check that a signature may not call the functions that write checkpoints."""
    path = save(tmp_path, lambda z: z)
    operations.check_operations(path)

    def call_saver(graph):
        saver, _, node = add_call(graph)
        node.attr["f"].func.name = saver

    def name_saver(graph):
        [saver] = [
            f.signature.name
            for f in graph.graph_def.library.function
            if "traced_save" in f.signature.name
        ]
        node = graph.object_graph_def.nodes.add()
        node.bare_concrete_function.concrete_function_name = saver

    def hide_in_an_attribute(graph):
        saver, main, node = add_call(graph)
        node.attr["f"].func.name = main
        node.attr["f"].func.attr["g"].list.func.add().name = saver

    def hide_behind_a_name(graph):
        function = graph.graph_def.library.function.add()
        function.signature.name = "WriteFile"
        [main] = [
            f
            for f in graph.graph_def.library.function
            if "inference_generate" in f.signature.name
        ][:1]
        main.node_def.add(name="x", op="WriteFile")

    def write_in_the_saver(graph):
        [saver] = [
            f
            for f in graph.graph_def.library.function
            if "traced_save" in f.signature.name
        ]
        saver.node_def.add(name="x", op="WriteFile")

    def write_beside_the_functions(graph):
        graph.graph_def.node.add(name="x", op="WriteFile")

    for function, name in (
        (call_saver, "SaveV2"),
        (name_saver, "SaveV2"),
        (hide_in_an_attribute, "SaveV2"),
        (hide_behind_a_name, "WriteFile"),
        (write_in_the_saver, "WriteFile"),
        (write_beside_the_functions, "WriteFile"),
    ):
        copy = tmp_path / function.__name__
        shutil.copytree(path, copy)
        change(copy, function)
        with pytest.raises(UserError, match=name):
            operations.check_operations(str(copy))


def test_operations_of_the_list_exist_and_only_compute():
    raw = set(dir(tf.raw_ops))
    assert not (operations.SAFE | operations.SAVER) - raw
    words = "File Save Restore PyFunc Dataset Checkpoint Summary Print Abort Immutable"
    for word in [*words.split(), "Record", "Send", "Recv", "Rpc", "Xla", "Custom"]:
        named = [n for n in operations.SAFE if word.lower() in n.lower()]
        assert not named, named


@pytest.mark.parametrize("name", in_tiers(["cgan", "pix2pix"], first=["cgan"]))
def test_own_exports_are_safe(name, smoke_run):
    operations.check_operations(str(smoke_run(name) / "export" / "saved_model"))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"no protocol buffer", b"\xff" * 1000, None, 0.5, 0.9],
    ids=lambda content: str(content)[:12],
)
def test_damaged_saved_models_are_one_line(content, smoke_run, tmp_path, capsys):
    path = tmp_path / "saved_model"
    shutil.copytree(smoke_run("cgan") / "export" / "saved_model", path)
    file = path / "saved_model.pb"
    if content is None:  # the variables are missing
        (path / "variables" / "variables.index").unlink()
    elif isinstance(content, float):  # a part of the file
        whole = file.read_bytes()
        file.write_bytes(whole[: int(content * len(whole))])
    else:
        file.write_bytes(content)
    assert sample.main([f"--source={path}", f"--out={tmp_path / 'x.png'}"]) == 2
    err = capsys.readouterr().err
    assert "truncated, or not a SavedModel that keras_gans wrote" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"latent_dim": 3}, "latents of the model is float32 [-1, 2]"),
        ({"image_shape": [8, 4, 1]}, "images of the model is float32 [-1, 4, 4, 1]"),
        ({"image_shape": [100_000, 4, 1]}, "image_shape: expected"),
        ({"num_classes": 1, "class_names": ["x"]}, "names labels, latents"),
        ({"name": None}, "name: expected text"),
        ({"recipe": 5}, "recipe: expected text"),
        ({"step": "x"}, "step: expected a whole number"),
    ],
)
def test_description_of_a_saved_model_is_checked(keys, message, tmp_path):
    path = save(tmp_path, lambda z: z, {**INFO, **keys})
    with pytest.raises(SamplerError) as caught:
        load.load(path)
    assert message in str(caught.value)


# ---- workdirs ----


def hostile_run(smoke_run, tmp_path, key, value):
    run = tmp_path / "theirs"
    shutil.copytree(smoke_run("cgan"), run)
    lines = (run / "config.toml").read_text().splitlines()
    lines = [line for line in lines if not line.startswith(f"{key} = ")]
    (run / "config.toml").write_text("\n".join([f'{key} = "{value}"', *lines]))
    for folder in (run, tmp_path):
        (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    return run


@pytest.mark.parametrize(
    "key, value",
    [
        ("networks", "evil"),
        pytest.param("model", "evil:X", marks=pytest.mark.second),
        pytest.param("networks", "os", marks=pytest.mark.second),
    ],
)
def test_commands_import_no_module_of_a_run(
    key, value, smoke_run, tmp_path, monkeypatch, capsys
):
    from keras_gans import benchmark, doctor
    from keras_gans.export import __main__ as export
    from keras_gans.export import tflite, web

    run = hostile_run(smoke_run, tmp_path, key, value)
    new = ["--model=cgan", "--smoke", f"--workdir={tmp_path / 'new'}", "--export=none"]
    for main, words in (
        (sample.main, [f"--source={run}", "--num=2", "--out=x.png"]),
        (sample.main, ["--source=.", "--num=2", "--out=x.png"]),
        (evaluate.main, [f"--source={run}", "--num=20"]),
        (export.main, [f"--workdir={run}"]),
        (tflite.main, [f"--workdir={run}"]),
        (web.main, [f"--workdir={run}"]),
        (train.main, [f"--model={run / 'config.toml'}"]),
        (train.main, [*new, f"--init_from={run}"]),
        (benchmark.main, ["watermark", f"--source={run}"]),
        (benchmark.main, ["throughput", f"--model={run / 'config.toml'}"]),
    ):
        monkeypatch.chdir(run)
        capsys.readouterr()
        assert main(words) == 2, words
        err = capsys.readouterr().err
        module = value.partition(":")[0]
        assert f"'{module}' is code outside of keras_gans.models" in err, words
        assert err.count("\n") == 1 and "--allow_code" in err and len(err) < 500
    assert doctor.main([f"--workdir={run}"]) in (0, 1)  # imports nothing
    assert not (tmp_path / "ran").exists() and not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="allow_code=True"):
        load.load(str(run))


def test_saved_models_of_version_1_are_refused(tmp_path):
    """TensorFlow runs the saver of such a model while it loads the model."""
    path = save(tmp_path, lambda x: x)
    operations.check_operations(path)
    with_one = tmp_path / "two"
    shutil.copytree(path, with_one)
    change(path, lambda graph: graph.ClearField("object_graph_def"))
    with pytest.raises(UserError, match="one graph that TensorFlow 2 wrote"):
        operations.check_operations(path)
    file = with_one / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    model.meta_graphs.add().CopyFrom(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="one graph that TensorFlow 2 wrote"):
        load.load(str(with_one))


@pytest.mark.second
def test_commands_take_no_module_from_the_current_folder(smoke_run, tmp_path):
    """Check the program and `python -m`, which puts the current folder on the path."""
    run = hostile_run(smoke_run, tmp_path, "networks", "keras_gans.networks.dcgan")
    names = "numpy absl keras tensorflow PIL rich json tomllib zipfile ai_edge_litert"
    names += " re enum types typing functools itertools dataclasses importlib argparse"
    for name in names.split():
        (run / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    words = ["--source=export/generator.tflite", "--num=2", "--out=x.png"]
    program = os.path.join(os.path.dirname(sys.executable), "keras-gans")
    for command in (
        [sys.executable, "-m", "keras_gans.sample"],
        [sys.executable, "-um", "keras_gans.sample"],
        [sys.executable, "-mkeras_gans.sample"],
        [sys.executable, "-m", "keras_gans", "sample"],
        [program, "sample"] if os.path.isfile(program) else [],
    ):
        if not command:
            continue
        done = subprocess.run([*command, *words], cwd=run, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "ran").exists(), command


@pytest.mark.parametrize(
    "text, message",
    [
        ("[" * 100_000, "damaged: nested too deep"),
        ('{"a":' * 100_000, "damaged: nested too deep"),
        ("", "damaged: no JSON"),
        ("\x00" * 300, "damaged: no JSON"),
        ("null", "expected keys and values, got None"),
        ("{}", "damaged: it has no key 'image_shape'"),
        (" " * 2**22 + "{}", "expected at most 4194304 bytes"),
        ({"image_shape": "28"}, "image_shape: expected [height, width, channels]"),
        ({"image_shape": [28, 28, 10**9]}, "image_shape: expected"),
        ({"num_classes": 10**9}, "num_classes: expected a whole number"),
        ({"class_names": [1]}, "class_names: expected a list of names"),
        ({"credit": 5}, "credit: expected text"),
        ({"condition_shape": [1]}, "condition_shape: expected"),
        ({"unpaired": 0}, "unpaired: expected true or false"),
        ({"num_examples": -1}, "num_examples: expected a whole number"),
        ({"other": 1}, "unexpected keyword argument 'other'"),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_damaged_info_of_a_run_is_one_line(text, message, smoke_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(smoke_run("cgan"), run)
    if isinstance(text, dict):
        text = json.dumps(json.loads((run / "info.json").read_text()) | text)
    (run / "info.json").write_text(text)
    assert sample.main([f"--source={run}", f"--out={tmp_path / 'x.png'}"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "info.json: " in err and message in err
    assert len(err) < 500

"""Page of the sizes and deviations of the zoo's exports."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from keras_gans import benchmark
from keras_gans.export import tflite


@pytest.mark.second
def test_exports_of_several_models_make_a_page(tmp_path, capsys):
    args = ["exports", f"--out={tmp_path / 'out'}", f"--docs={tmp_path / 'docs'}"]
    small = ["--set=generator.width=4", "--set=discriminator.width=4", "--steps=2"]
    assert benchmark.main([*args, "--model=dcgan", *small]) == 0
    report = tmp_path / "out" / "dcgan" / "export" / "report.json"
    rows = {row["file"]: row for row in json.loads(report.read_text())}
    page = (tmp_path / "docs" / "exports.md").read_text()
    [line] = [line for line in page.splitlines() if line.startswith("| `")]
    name, kib, _, half, *_ = line.strip("| ").split(" | ")
    plain = rows["generator.tflite"]["bytes"]
    assert (name, kib) == ("`dcgan`", f"{plain / 1024:,.0f}")
    assert half == f"{rows['generator_float16.tflite']['bytes'] / plain:.3f}"
    # An existing export is kept; the page lists the new one as well.
    written = report.stat().st_mtime_ns
    capsys.readouterr()
    both = ["--model=dcgan", "--model=lsgan", *small]
    assert benchmark.main([*args, *both]) == 0
    assert "exported dcgan" not in capsys.readouterr().out
    assert report.stat().st_mtime_ns == written
    page = (tmp_path / "docs" / "exports.md").read_text()
    assert page.index("| `dcgan` |") < page.index("| `lsgan` |")


def test_mistakes_are_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    for args, message in (
        ([f"--out={tmp_path / 'file' / 'none'}"], "file"),
        (["--model=dcgann"], "did you mean 'dcgan'"),
    ):
        capsys.readouterr()
        assert benchmark.main(["exports", *args]) == 2
        out, err = capsys.readouterr()
        assert err.count("\n") == 1 and message in err, err


@pytest.mark.second
def test_equal_vectors_are_written_once(smoke_run, tmp_path):
    """A file with shared vectors is smaller and generates the same images."""
    path = smoke_run("cgan") / "export" / "generator.tflite"
    content = path.read_bytes()
    shared = tflite._share_vectors(content)
    again = tflite._share_vectors(shared)
    assert len(again) == len(shared) < len(content)
    made = []
    for file in (content, shared):
        interpreter = Interpreter(model_content=file)
        run = interpreter.get_signature_runner("generate")
        rng = np.random.default_rng(0)
        z = rng.normal(size=run.get_input_details()["latents"]["shape"])
        label = np.zeros(1, np.int32)
        made.append(run(latents=z.astype(np.float32), labels=label)["images"].copy())
        del run
    np.testing.assert_array_equal(*made)


@pytest.mark.release
@pytest.mark.parametrize("name", ["biggan", "r3gan"])
def test_exports_are_as_small_as_promised(name, tmp_path):
    """Recipes at full size; biggan and r3gan have the most small layers."""
    args = ["exports", f"--model={name}", "--steps=2", f"--out={tmp_path}"]
    assert benchmark.main([*args, f"--docs={tmp_path}"]) == 0
    report = tmp_path / name / "export" / "report.json"
    rows = {row["file"]: row for row in json.loads(report.read_text())}
    plain = rows["generator.tflite"]
    assert plain["largest_deviation"] < 1e-4
    half, eighth = (rows[f"generator_{q}.tflite"] for q in ("float16", "int8"))
    assert half["largest_deviation"] < 5e-3
    assert half["bytes"] < 0.55 * plain["bytes"]
    assert eighth["bytes"] < 0.32 * plain["bytes"]

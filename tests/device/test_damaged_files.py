"""Damaged and hostile .tflite files, and what a terminal shows of their names."""

import io
import json
import os
import resource
import struct
import zipfile

import numpy as np
import pytest

from keras_gans import sample
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import INFO_NAME, Sampler, SamplerError


@pytest.fixture(scope="module")
def parts(smoke_run):
    """Return the model and the description of an export, apart."""
    path = smoke_run("cgan") / "export" / "generator.tflite"
    with zipfile.ZipFile(path) as archive:
        info = json.loads(archive.read(INFO_NAME))
    return path.read_bytes()[: info["bytes"]], info


def write(path, model, text, name=INFO_NAME, compression=zipfile.ZIP_DEFLATED):
    """Write a .tflite file with a description, and return its path."""
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr(name, text)
    return str(path)


def message_of(path):
    """Return the one line with which the sampler refuses a file."""
    with pytest.raises(SamplerError) as caught:
        Sampler(path)
    line = str(caught.value)
    assert line.startswith(path) and "\n" not in line and len(line) < 500
    return line.removeprefix(path)


def changed(info, **keys):
    kept = {k: v for k, v in {**info, **keys}.items() if v is not ...}
    return json.dumps(kept)


KEYS = [
    *({key: ...} for key in ("name", "image_shape", "step", "recipe", "latent_dim")),
    *({key: ...} for key in ("latents", "num_classes", "class_names")),
    {"name": 5},
    {"name": "\ud800"},
    {"recipe": ["x"]},
    {"recipe": None},
    {"step": -1},
    {"step": 1.5},
    {"step": "6"},
    {"step": 2**70},
    {"image_shape": 1.5},
    {"image_shape": []},
    {"image_shape": [28, 28]},
    {"image_shape": [28, 28, True]},
    {"image_shape": [28, 0, 1]},
    {"image_shape": [28, 28, 5]},
    {"image_shape": [100_000, 100_000, 3]},
    {"latent_dim": "x"},
    {"latent_dim": 0},
    {"latent_dim": 10**9},
    {"latents": "cauchy"},
    {"latents": []},
    {"num_classes": {}},
    {"num_classes": True},
    {"num_classes": 10**9},
    {"class_names": None},
    {"class_names": "0123456789"},
    {"class_names": ["0"]},
    {"class_names": [[]] * 10},
    {"num_codes": 9},
    {"num_codes": -1},
    {"inputs": 5},
    {"inputs": {"x": None}},
    {"inputs": {"x": {"shape": [], "default": "1"}}},
    {"inputs": {"x": {"shape": [10**9], "default": 1}}},
    {"inputs": {"x": {"shape": [[]], "default": 1}}},
    {"inputs": {"truncation": {"shape": [], "default": 1}}},
    {"condition_shape": [28, 28]},
    {"condition_shape": [28, 28, 1], "tile": "28"},
    {"condition_shape": [28, 28, 1], "backward": 1},
    {"condition_shape": [56, 56, 1]},
    {"versions": [1]},
    {"data_credit": 5},
    {"bytes": 0},
    {"sha256": 5},
]


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: json.dumps(keys, default=str))
def test_wrong_keys_are_named(keys, parts, tmp_path):
    model, info = parts
    line = message_of(write(tmp_path / "g.tflite", model, changed(info, **keys)))
    assert line.startswith(f": {INFO_NAME}: damaged: ")
    assert list(keys)[0] in line or list(keys)[-1] in line


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "1e999", "9" * 5000])
def test_numbers_out_of_range_are_refused(value, parts, tmp_path):
    model, info = parts
    text = changed(info, inputs={"x": {"shape": [], "default": "VALUE"}})
    text = text.replace('"VALUE"', value)
    line = message_of(write(tmp_path / "g.tflite", model, text))
    assert "inputs: expected" in line or "no JSON" in line


@pytest.mark.parametrize(
    "text, message",
    [
        ("[]", "expected keys and values, got []"),
        ("null", "expected keys and values, got None"),
        ("5", "expected keys and values, got 5"),
        ("{}", "damaged: it has no key 'name'"),
        ("", "damaged: no JSON"),
        ("{", "damaged: no JSON"),
        ("\x1b[2J", "damaged: no JSON"),
        ("[" * 100_000, "damaged: nested too deep"),
        ('{"a":' * 100_000, "damaged: nested too deep"),
        (b"\xff\xfe\x00", "damaged: no JSON"),
        (" " * 2**22 + "{}", "expected at most 4194304 bytes"),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_damaged_descriptions_are_one_line(text, message, parts, tmp_path):
    line = message_of(write(tmp_path / "g.tflite", parts[0], text))
    assert message in line


def test_blanks_need_no_memory(parts, tmp_path):
    path = tmp_path / "g.tflite"
    path.write_bytes(parts[0])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(INFO_NAME, "w") as entry:
            for _ in range(100):
                entry.write(b" " * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "expected at most 4194304 bytes" in message_of(str(path))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 60 * 1024  # KiB


def test_damaged_archives_are_one_line(parts, tmp_path):
    model, info = parts
    path = tmp_path / "g.tflite"
    whole = open(write(path, model, json.dumps(info)), "rb").read()
    at = len(model)
    cases = {
        "model alone": model,
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "cut": whole[:-1],
        "text after it": whole + b"x" * 70_000,
        "archive alone": whole[at:],  # LiteRT finds no model
        "deflate stream": whole[: at + 60] + b"\xff" * 20 + whole[at + 80 :],
        "method": whole.replace(struct.pack("<H", 8), struct.pack("<H", 97)),
        "encrypted": whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00",
                                   b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
    }  # fmt: skip
    for name, content in cases.items():
        path.write_bytes(content)
        line = message_of(str(path))
        assert "truncated, or not a .tflite" in line or "damaged: " in line, name
    write(path, model, json.dumps(info), name="other.json")
    assert "truncated, or not a .tflite" in message_of(str(path))


def test_checksum_finds_damage(parts, tmp_path):
    model, info = parts
    path = tmp_path / "g.tflite"
    rng = np.random.default_rng(0)
    for at in rng.integers(len(model), size=20):
        flipped = bytearray(model)
        flipped[at] ^= 1 << int(rng.integers(8))
        line = message_of(write(path, bytes(flipped), json.dumps(info)))
        assert "the model differs from the one that was exported" in line
    for keys in ({"bytes": len(model) - 1}, {"bytes": ...}, {"sha256": "0"}):
        line = message_of(write(path, model, changed(info, **keys)))
        assert "the model differs" in line
    # Exports of older versions have no checksum.
    older = Sampler(write(path, model, changed(info, bytes=..., sha256=...)))
    newer = Sampler(write(tmp_path / "new.tflite", model, json.dumps(info)))
    np.testing.assert_array_equal(older.sample(3), newer.sample(3))
    assert not {"bytes", "sha256"} & newer.info.keys()


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"latent_dim": 9}, "latents of the model is float32 [-1, 8]"),
        ({"image_shape": [28, 29, 1]}, "images of the model is float32"),
        ({"image_shape": [28, 28, 3]}, "images of the model is float32"),
        ({"image_shape": [8192, 8192, 4]}, "images of the model is float32"),
        ({"num_classes": 0, "class_names": []}, "the model takes labels, latents"),
        ({"inputs": {"noise": {"shape": [], "default": 1}}}, "names labels, latents, "),
        ({"inputs": {"labels": {"shape": [], "default": 1}}}, "labels of the model"),
        ({"condition_shape": [28, 28, 1]}, f"{INFO_NAME} names condition"),
    ],
)
def test_model_is_that_of_the_description(keys, message, parts, tmp_path):
    model, info = parts
    line = message_of(write(tmp_path / "g.tflite", model, changed(info, **keys)))
    assert message in line


def test_class_names_of_a_message_are_limited(parts, tmp_path):
    model, info = parts
    names = [f"{i}{'x' * 500}" for i in range(5000)]
    text = changed(info, num_classes=5000, class_names=names)
    sampler = Sampler(write(tmp_path / "g.tflite", model, text))
    for ask in (lambda: sampler.label("y"), lambda: sampler.labels(1, 5000)):
        with pytest.raises(SamplerError) as caught:
            ask()
        assert len(str(caught.value)) < 500


NAMES = [
    ("\x1b[2J", r"\x1b[2J"),
    ("\x9b2J", r"\x9b2J"),
    ("\x07", r"\x07"),
    ("a\nb", r"a\nb"),
    ("a\rb", r"a\rb"),
    ("a\u202egnp", r"a\u202egnp"),
    ("\u2066x", r"\u2066x"),
    ("a\u2028b", r"a\u2028b"),
    ("\ud800", r"\ud800"),
    ("\x7f", r"\x7f"),
    ("Zürich 猫 é \u3000", "Zürich 猫 é \u3000"),
    (5, "5"),
]


@pytest.mark.parametrize("name, text", NAMES)
def test_control_characters_are_shown_as_text(name, text):
    assert sampler_lib.shown(name) == text
    assert sampler_lib.shown(f"{name}\n", keep="\n") == (
        f"{text}\n" if "\n" not in str(name) else f"{name}\n"
    )


@pytest.mark.parametrize("main", [sample.main, sampler_lib.main])
def test_names_of_a_file_do_not_reach_the_terminal(main, parts, tmp_path, capsys):
    model, info = parts
    names = ["\x1b]0;evil\x07\n", *info["class_names"][1:]]
    path = write(tmp_path / "g.tflite", model, changed(info, class_names=names))
    first = f"--source={path}" if main is sample.main else path
    out = f"--out={tmp_path / 'x.png'}"
    assert main([first, "--label=y", out]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.isprintable() is False
    assert err[:-1].isprintable() and r"\x1b]0;evil\x07" in err
    assert main([first, "--num=1", out]) == 0 and os.path.isfile(tmp_path / "x.png")


def test_archive_with_many_names_needs_little_memory(parts, tmp_path):
    path = tmp_path / "g.tflite"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", b"")
    local, rest = buffer.getvalue().split(b"PK\x01\x02")
    entry = b"PK\x01\x02" + rest.partition(b"PK\x05\x06")[0]
    count = 2**18
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535,
                      count * len(entry), len(parts[0]) + len(local), 0)  # fmt: skip
    path.write_bytes(parts[0] + local + count * entry + end)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "truncated, or not a .tflite" in message_of(str(path))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200 * 1024  # KiB

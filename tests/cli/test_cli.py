"""The `keras-gans` program, and all forms of its flags."""

import configparser
import importlib
import io
import os
import re
import subprocess
import sys

import pytest
from absl import flags

import keras_gans
from harness import ROOT
from keras_gans import benchmark, train
from keras_gans.cli.main import commands, main
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError


def test_help_lists_every_command_without_tensorflow():
    code = (
        "import sys; from keras_gans.cli.main import main; main(['--help']); "
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    files = ROOT.joinpath("keras_gans").glob("[!_]*.py")
    expected = {f.stem for f in files if "\ndef main(" in f.read_text()} | {"export"}
    listed = re.findall(r"^  (\w+)  +\S.*", done.stdout, re.M)
    assert listed == sorted(expected)
    for name, line in commands().items():
        module = importlib.import_module(
            f"keras_gans.{name}" + ".__main__" * (name == "export")
        )
        assert line == module.__doc__.splitlines()[0]


def test_program_is_installed(capsys):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    entry = setup["options.entry_points"]["console_scripts"].strip()
    module, function = entry.removeprefix("keras-gans = ").split(":")
    assert getattr(importlib.import_module(module), function) is main
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"keras-gans {keras_gans.__version__}\n"
    for argv in ([], ["-h"], ["--help"]):
        assert main(argv) == 0
        assert capsys.readouterr().out.startswith("GANs for")


def test_unknown_command_is_one_line(capsys):
    assert main(["trian", "--model=cgan"]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
    assert err.startswith("keras-gans: no command 'trian'; did you mean 'train'?")
    assert main(["--model=cgan"]) == 2
    assert "no command '--model=cgan'" in capsys.readouterr().err


def test_commands_run_by_name(capsys):
    words = ["--model=cgan", "--steps=7", "--dry_run"]
    assert train.main(words) == 0
    expected = capsys.readouterr().out
    assert main(["train", "--model", "cgan", "--steps", "7", "--dry-run"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["export"]) == 2
    message = "expected the folder of a run, such as --workdir=runs/cgan"
    assert capsys.readouterr().err == f"export: --workdir: {message}\n"
    assert main(["train", "--help"]) == 0
    assert capsys.readouterr().out.startswith(train.__doc__[:40])


def parsed(*argv, takes_words=False):
    """Parse flags of each kind; return their values and the other words."""
    caught = {}

    def define_flags(values):
        flag = {"flag_values": values}
        flags.DEFINE_string("a_text", None, "", **flag)
        flags.DEFINE_integer("a_number", None, "", **flag)
        flags.DEFINE_list("a_list", [], "", **flag)
        flags.DEFINE_multi_string("a_set", [], "", **flag)
        flags.DEFINE_enum("an_enum", None, ["x", "y-z"], "", **flag)
        flags.DEFINE_bool("a_switch", None, "", **flag)
        flags.DEFINE_string("no_name", None, "", **flag)

    def body(values, words=()):
        caught.update(values.flag_values_dict(), words=list(words))

    status = run_command("try", "Doc.", define_flags, body, list(argv), takes_words)
    assert status == (0 if caught else 2)
    return {k: v for k, v in caught.items() if v not in (None, [])}


@pytest.mark.parametrize("name", ["a_number", "a-number"])
def test_a_value_follows_an_equals_sign_or_a_space(name):
    assert parsed(f"--{name}=-3") == parsed(f"--{name}", "-3") == {"a_number": -3}


def test_values_stay_as_they_are():
    values = parsed(
        *("--a-text", "--not-a-flag", "--a-list", "x-y,--z-w", "--an-enum", "y-z"),
        *("--a-set=g-h.i-j=k-l", "--a_set", "m-n=--o-p"),
    )
    assert values == {
        "a_text": "--not-a-flag",
        "a_list": ["x-y", "--z-w"],
        "an_enum": "y-z",
        "a_set": ["g-h.i-j=k-l", "m-n=--o-p"],
    }


def test_switches_and_their_negation():
    for word in ("--a_switch", "--a-switch", "--a-switch=true"):
        assert parsed(word) == {"a_switch": True}
    for word in ("--noa_switch", "--no-a-switch", "--no_a_switch", "--a-switch=false"):
        assert parsed(word) == {"a_switch": False}
    assert parsed("--no-name", "x") == {"no_name": "x"}  # not a negation


def test_words_that_are_no_flags(capsys):
    words = ("one", "--a-text", "two", "--a-switch", "three", "--", "--a-number")
    assert parsed(*words, takes_words=True) == {
        "a_text": "two",
        "a_switch": True,
        "words": ["one", "three", "--a-number"],
    }
    for argv, message in (
        (["one"], "expected only flags, got 'one'"),
        (["--a-switch", "true"], "expected only flags, got 'true'"),
        (["--no-a-switch=1"], "does not take an argument"),
        (["--a-text"], "Missing value for flag --a_text"),
        (["--a-txet=1"], "no flag --a_txet; did you mean 'a_text'?"),
    ):
        assert parsed(*argv) == {}
        out, err = capsys.readouterr()
        assert message in err and not out and err.count("\n") == 1


def test_benchmark_takes_its_kind_anywhere(capsys):
    # "models" is the value of a flag here, not a second benchmark.
    words = ["--out", "models", "watermark", "--num", "20"]
    assert benchmark.main(words) == 2
    assert capsys.readouterr().err.startswith("benchmark: --source: expected")
    assert benchmark.main(["gpu", "models"]) == 2
    assert "expected one benchmark, got gpu models" in capsys.readouterr().err
    assert benchmark.main(["modles"]) == 2
    assert "did you mean 'models'?" in capsys.readouterr().err


SHORT = [
    ("data", "fashion", "data.dataset"),
    ("data", "folder:/my/a=b images", "data.dataset"),
    ("steps", "9", "train.steps"),
    ("image-size", "32", "data.image_size"),
    ("image_size", "32", "data.image_size"),
    ("batch-size", "16", "data.batch_size"),
    ("batch_size", "16", "data.batch_size"),
    ("seed", "3", "train.seed"),
    ("init-from", "runs/other", "train.init_from"),
]


@pytest.mark.parametrize("flag, value, key", SHORT)
def test_common_settings_are_short_for_set(flag, value, key, capsys):
    recipes = []
    for words in (
        [f"--{flag}={value}"],
        [f"--{flag}", value],
        [f"--set={key}={value}"],
        [f"--{flag}={value}", f"--set={key}={value}"],
    ):
        assert train.main(["--model=cgan", *words, "--dry_run"]) == 0
        recipes.append(capsys.readouterr().out)
    assert len(set(recipes)) == 1
    assert train.main(["--model=cgan", "--dry_run"]) == 0
    assert capsys.readouterr().out != recipes[0]
    assert value in recipes[0]


def test_a_flag_and_a_set_that_disagree_are_one_line(capsys):
    words = ["--set=train.steps=8", "--steps=9", "--dry_run"]
    assert train.main(["--model=cgan", *words]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err == (
        "train: --steps=9 and --set=train.steps=8: expected one value, got two; leave "
        "one out\n"
    )


@pytest.mark.parametrize("words", [["zoo"], ["train", "--help"]])
def test_reader_of_the_output_may_leave(words):
    read, write = os.pipe()
    os.close(read)
    code = f"import sys; from keras_gans.cli import main; sys.exit(main.main({words}))"
    with os.fdopen(write, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "name, text",
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("title\x1b]0;x\x07", r"title\x1b]0;x\x07"),
        ("back\x08\x08", r"back\x08\x08"),
        ("over\rwritten", r"over\rwritten"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2067left", r"\u2067left"),
        ("line\u2028", r"line\u2028"),
        ("\udcff", r"\udcff"),
        ("Ä 猫\ttab", "Ä 猫\ttab"),
    ],
)
def test_output_shows_control_characters_as_text(name, text, capsys):
    def body(values):
        print(f"class {name}", flush=True)
        assert sys.stdout.isatty() is False
        raise UserError(f"{name}\nforged line")

    before = sys.stdout
    assert run_command("test", "Help.", lambda values: None, body, []) == 2
    assert sys.stdout is before
    out, err = capsys.readouterr()
    assert out == f"class {text}\n"
    assert err.startswith("test: ") and err.endswith(" forged line\n")
    assert err.count("\n") == 1 and err[:-1].isprintable()


def test_output_shows_characters_that_the_stream_cannot_encode(monkeypatch):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", file)

    def body(values):
        print("Zürich 猫")

    assert run_command("test", "Help.", lambda values: None, body, []) == 0
    assert file.buffer.getvalue() == b"Z\\xfcrich \\u732b\n"

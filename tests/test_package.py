"""Package: imports, public names, dependencies, and files of the wheel."""

import configparser
import subprocess
import sys
import zipfile

from harness import ROOT


def python(code, **kwargs):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, **kwargs
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light():
    """`import keras_gans` loads only the package and the standard library."""
    python(
        "import sys; before = set(sys.modules); import keras_gans; "
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "others = loaded - sys.stdlib_module_names - {'keras_gans'}; "
        "assert not others, others"
    )


def test_every_public_name_can_be_had():
    python(
        "import keras_gans; assert 'CGAN' in dir(keras_gans); "
        "[getattr(keras_gans, name) for name in keras_gans.__all__]\n"
        "try: keras_gans.Cgan\n"
        "except AttributeError as error: assert 'Cgan' in str(error)\n"
        "else: raise SystemExit('no error')"
    )


def test_wheel_holds_all_and_nothing_at_top_level(tmp_path):
    # The installed setuptools builds the wheel without network access.
    code = (
        "from setuptools import build_meta; "
        f"print(build_meta.build_wheel({str(tmp_path)!r}))"
    )
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    python(code, cwd=source)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"keras_gans"}
    tracked = subprocess.run(
        ["git", "ls-files", "keras_gans", "export", "zoo_configs"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout.split()
    for path in tracked:
        prefix = "" if path.startswith("keras_gans/") else "keras_gans/"
        assert prefix + path in names, path
    for name in ("digits.npz", "fashion.npz"):
        assert f"keras_gans/data/{name}" in names
    assert any(name.endswith("NOTICE") for name in names)
    assert any(name.endswith("LICENSE") for name in names)


def test_folders_of_tests_mirror_the_package():
    rooms = {path.parent.name for path in (ROOT / "keras_gans").glob("*/__init__.py")}
    tests = ROOT / "tests"
    folders = {path.parent for path in tests.rglob("test_*.py")} - {tests}
    assert folders <= {tests / room for room in rooms | {"commands", "export", "fuzz"}}


def test_every_dependency_has_its_reason():
    parser = configparser.RawConfigParser(comment_prefixes=("%",))
    parser.read(ROOT / "setup.cfg")
    for section, key in (
        ("options", "install_requires"),
        ("options.extras_require", "benchmark"),
        ("options.extras_require", "evaluate"),
        ("options.extras_require", "test"),
    ):
        lines = [line for line in parser[section][key].splitlines() if line]
        reasons = 0
        for before, line in zip(["", *lines], lines, strict=False):
            if not line.startswith("#"):
                assert before.startswith("#"), line
                reasons += 1
        assert reasons


def test_versions_agree():
    import keras_gans

    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    assert parser["metadata"]["version"] == keras_gans.__version__

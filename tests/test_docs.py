"""Documentation: links, generated pages, and blocks that run."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import shlex
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

import keras_gans
from harness import ROOT
from keras_gans import train, zoo
from keras_gans.cli.run import run_command
from keras_gans.recipes import catalog

README = (ROOT / "README.md").read_text()
SITE = sorted(ROOT.joinpath("docs").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *(p for p in SITE if "_build" not in p.parts)]

FENCE = re.compile(r"^(<!--[^\n]*-->\n)?```(\w+)\n(.*?)^```", re.M | re.S)
# Lines of the shell that .ci/run runs, since they install.
INSTALLS = re.compile(
    r"python3 -m venv |(\.venv/bin/)?pip install |\. \.venv/bin/activate"
    r"|\.venv/bin/python -m pytest"
)
COMMAND = re.compile(r"(?:\S*python -m keras_gans\.|keras-gans )([a-z_.]+)\b(.*)")


def name_of(path):
    return str(path.relative_to(ROOT))


def blocks(path):
    """Yield (language, code, reason not to run it) of a page's blocks."""
    for comment, language, code in FENCE.findall(path.read_text()):
        reason = re.fullmatch(r"<!-- not run: (.+) -->\n", comment or "")
        yield language, code, reason[1] if reason else ""


def shell_lines(code):
    for line in code.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            yield line


def runnable_pages():
    """Yield the pages that have blocks to run; the README is of the first tier."""
    for path in PAGES:
        if any(lang in ("sh", "python") and not why for lang, _, why in blocks(path)):
            # Two groups: pages share a run, and both cores have work.
            group = pytest.mark.xdist_group(f"pages_{len(path.name) % 2}")
            marks = [group] if path.name == "README.md" else [group, pytest.mark.second]
            yield pytest.param(path, id=name_of(path), marks=marks)


def test_zoo_table_is_generated():
    assert zoo.table(short=True) in README


def test_readme_is_one_screen():
    assert len(README.encode()) <= 8 * 1024


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_are_there(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for link in re.findall(r"\]\(([^)#\s]+)\)?", text):
        if not re.match(r"https?:|mailto:", link):
            assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_blocks_say_what_they_are(path):
    """Every block has a language, and every reason has the form that `blocks` reads."""
    fences = re.findall(r"^```(.*)$", path.read_text(), re.M)
    assert all(fences[::2]), "a block without a language"
    assert not any(fences[1::2])
    for comment in re.findall(r"<!-- not run.*?-->", path.read_text()):
        assert re.fullmatch(r"<!-- not run: \w[^<>]+ -->", comment), comment


def test_generated_pages_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pages = importlib.import_module("pages").pages()
    assert len(pages) > 28
    for path, text in pages.items():
        assert path.read_text() == text, f"{name_of(path)}: run python docs/pages.py"


def test_short_results_are_figures_of_the_results():
    for entry in catalog.list_models():
        figures = re.findall(r"\d+\.\d+", entry.in_short)
        assert set(figures) <= set(re.findall(r"\d+\.\d+", entry.result)), entry.name


# A measurement: a metric, speed, size or machine with a figure.
MEASURED = r"\bKID \d|\d (MiB/s|dB|images/s|steps/s)|EPYC|\b20\d\d-\d\d-\d\d"


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/guides/*.md")), ids=name_of)
def test_guides_leave_measurements_to_the_results(path):
    assert not re.findall(MEASURED, path.read_text())


def root_commands():
    """Return the names of the root's files that define `main`."""
    return {
        path.stem
        for path in (ROOT / "keras_gans").glob("*.py")
        if re.search(r"^def main\(", path.read_text(), re.M)
    }


def commands(text):
    """Yield (module, words) of each command in a text."""
    for name, words in COMMAND.findall(text.replace("\\\n", " ")):
        words = re.split(r"[`#\n]| {2,}#", words)[0]
        yield {"export": "export.__main__"}.get(name, name), words


def test_every_command_is_shown_with_flags_that_it_has():
    shown = [c for path in PAGES for c in commands(path.read_text())]
    docs = [
        inspect.getdoc(importlib.import_module(f"keras_gans.{n}")) for n, _ in shown
    ]
    assert {name for name, _ in shown} >= root_commands()
    for name, words in [*shown, *(c for doc in docs for c in commands(doc or ""))]:
        source = inspect.getsource(importlib.import_module(f"keras_gans.{name}"))
        for flag in re.findall(r"(?:^| )--([\w-]+)", words):
            flag = flag.replace("-", "_")
            if flag in ("help", "version"):
                continue
            if name.startswith("export.") and name != "export.__main__":
                known = flag == "workdir" or "argparse" in source
                assert known or f'"{flag}"' in source, (name, flag)
            else:
                known = rf'"(--)?(no)?{flag}"|\bdefine_{flag}\('
                assert re.search(known, source), (name, flag)


def test_train_commands_resolve():
    """Every train command of every page is valid, by `--dry_run`."""
    shown = {
        words
        for path in PAGES
        for n, words in commands(path.read_text())
        if n == "train" and "--model" in words
    }
    assert len(shown) > 28
    for words in sorted(shown):
        words = re.sub(r"--set=\S+=[A-Z]+(?= |$)", "", words)  # a value to fill in
        args = [w for w in shlex.split(words) if w not in ("...", "--help")]
        if any("my_gan" in w or "{" in w or "<" in w for w in args):
            continue  # a recipe that another command of the page writes
        assert train.main([*args, "--dry_run"]) == 0, words


def modules():
    names = [
        m.name
        for m in pkgutil.walk_packages(keras_gans.__path__, "keras_gans.")
        if not m.name.startswith("keras_gans.export")
    ]
    names += [
        f"keras_gans.export.{n}"
        for n in ("saved_model", "tflite", "sampler", "watermark", "web")
    ]
    return names


@pytest.mark.parametrize("name", modules())
def test_public_functions_say_what_they_take_and_give(name):
    if "jax" in name:
        pytest.importorskip("jax", reason="JAX is not installed")
    module = importlib.import_module(name)
    doctest_failures = doctest.testmod(module).failed
    assert not doctest_failures
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        if inspect.isfunction(value):
            check(value)
        elif inspect.isclass(value):
            assert value.__doc__, f"{name}.{key}"
            for attribute, member in vars(value).items():
                if inspect.isfunction(member) and not attribute.startswith("_"):
                    check(member)


def check(function):
    """Type hints on all, and a docstring that names each argument (or is one line)."""
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    where = f"{function.__module__}.{function.__qualname__}"
    doc = inspect.getdoc(function)
    assert doc, where
    if "Args:" in doc:
        for parameter in parameters:
            assert re.search(rf"^    \*{{0,2}}{parameter}: ", doc, re.M), (
                where,
                parameter,
            )
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    node = tree.body[0]
    for argument in node.args.args + node.args.kwonlyargs:
        if argument.arg != "self":
            assert argument.annotation, (where, argument.arg)


def test_run_command_is_what_every_command_goes_through():
    assert run_command("x", "Doc.", lambda values: None, lambda values: None, []) == 0


def prepare(folder, run):
    """Create the files that blocks of pages read."""
    rng = np.random.default_rng(0)

    def image(path, side=32):
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(coarse).resize((side, side)).save(path)

    for name in (
        "my_images",
        "held_out",
        "samples",
        "my_classes/cats",
        "my_classes/dogs",
    ):
        for i in range(40):
            image(folder / name / f"{i}.png")
    for name in ("outlines", "colors", "test/outlines", "test/colors"):
        for i in range(12):
            image(folder / name / f"{i}.png")
    image(folder / "drawing.png")
    image(folder / "photo.png", 48)
    shutil.copytree(run, folder / "runs" / "cgan")


SMALLER = {
    r"--num=\d+": "--num=16",
    r"--shards=\d+": "--shards=2",
    r"--evaluate=\d+": "--evaluate=100",
    r"--image_size=\d+": "--image_size=32",
}


def smaller(name, words, page):
    """Shrink a command to smoke size; keep exports only if the page reads them."""
    for large, small in SMALLER.items():
        if name == "evaluate" and large.startswith("--num"):
            small = "--num=40"
        words = re.sub(large, small, words)
    if name == "evaluate" and "--num=" not in words:
        words += " --num=40"
    if name == "train" and "--dry_run" not in words and "--help" not in words:
        model = re.search(r"--model[= ](\w+)", words)[1]
        workdir = (re.findall(r"--workdir=(\S+)", words) or [f"runs/{model}"])[0]
        exported = f"{workdir}/export" in page
        words += " --smoke" if exported else " --smoke --export=none"
    return shlex.split(words)


def run_line(line, page):
    [(name, words)] = commands(line)
    module = importlib.import_module(f"keras_gans.{name}")
    assert module.main(smaller(name, words, page)) == 0, line


def run_shell(code, page):
    for line in shell_lines(code):
        if not COMMAND.fullmatch(line):
            assert all(INSTALLS.match(part.strip()) for part in line.split("&&")), line
            continue
        run_line(line, page)


def run_python(code, names):
    code = re.sub(r'from_recipe\(("\w+")', r"from_recipe(\1, smoke=True", code)
    code = code.replace("num=1000", "num=40")
    exec(compile(code, "page", "exec"), names)  # noqa: S102


# Names that the Python blocks of these pages leave.
LEFT = {
    "README.md": {"gan", "images"},
    "docs/guides/device.md": {"images"},
    "docs/guides/exporting.md": {"images", "files"},
    "docs/guides/python.md": {"gan", "images"},
}


def check_python(path, names):
    """Check the results of a page's Python blocks, by their names."""
    left = LEFT.get(name_of(path), set())
    assert names.keys() >= left
    if "gan" in names:
        model = getattr(names["gan"], "model", names["gan"])
        assert int(model.step.numpy()) > 0
    if "images" in left:
        images = np.asarray(names["images"])
        assert images.shape == (16, 28, 28, 1) and np.ptp(images) > 0
    if "files" in names:
        assert [file[1:4] for file in names["files"].numpy()] == [b"PNG"] * 16


@pytest.mark.parametrize("path", list(runnable_pages()))
def test_blocks_run(path, smoke_run, tmp_path, monkeypatch):
    """Every block of a page runs, in order, in one folder, at smoke size."""
    prepare(tmp_path, smoke_run("cgan"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_gan", raising=False)  # another page's
    names, page = {"__name__": "page"}, path.read_text()
    for language, code, reason in blocks(path):
        if reason:
            continue
        if language == "sh":
            first = "&& .venv/bin/python -m keras_gans.train" in code
            if not first:  # installs and trains: .ci/run does both
                run_shell(code, page)
        elif language == "python":
            run_python(code, names)
    check_python(path, names)


# Commands in docstrings that do not run here, and why.
NOT_RUN = {
    r"keras_gans\.benchmark ": "takes minutes; tests/benchmarks runs each small",
    r"=tfds:": "needs the files of TensorFlow Datasets",
    r"=pairs:A,B": "needs the data of the run; docs/guides/translation.md runs it",
    r"--serve": "serves until it is stopped; tests/export/test_web.py starts it",
    r"^python sampler\.py": "tests/sampling runs the copied file",
    r"pytest|my_gan": "tests/commands/test_new.py runs them in order",
}


def docstring_commands():
    """Yield the commands in modules' docstrings."""
    for path in [*ROOT.glob("keras_gans/**/*.py"), *ROOT.glob("export/*.py")]:
        doc = ast.get_docstring(ast.parse(path.read_text())) or ""
        lines = re.sub(r"\\\n\s*", "", doc)
        yield from re.findall(r"^ +((?:python|keras-gans) .*)", lines, re.M)


@pytest.mark.second
@pytest.mark.xdist_group("pages_0")
def test_commands_of_docstrings_run(smoke_run, tmp_path, monkeypatch):
    prepare(tmp_path, smoke_run("cgan"))
    for name in ("infogan", "pix2pix"):
        shutil.copytree(smoke_run(name), tmp_path / "runs" / name)
    shutil.copytree(tmp_path / "runs" / "cgan", tmp_path / "runs" / "dcgan")
    shutil.copytree(tmp_path / "colors", tmp_path / "folder")
    shutil.copy(tmp_path / "photo.png", tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    shown = sorted(set(docstring_commands()))
    run = [c for c in shown if not any(re.search(why, c) for why in NOT_RUN)]
    assert len(run) > 15
    for reason in NOT_RUN:
        assert any(re.search(reason, command) for command in shown), reason
    for command in sorted(run, key=lambda c: ".sample " not in c):  # others read these
        run_line(command, "")

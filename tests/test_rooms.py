"""Rooms of the package: imports run down only, and the docs list every room."""

import ast
import configparser
import re

import pytest

from harness import ROOT

DOCS = ROOT / "docs" / "architecture.md"
PACKAGE = "keras_gans"
# Root files that are no commands; `__init__`, the highest, holds the public names, and
# `__main__` runs the program that runs the commands.
NOT_COMMANDS = ("__init__", "errors", "backend", "__main__")


def table(heading):
    """Read a table of the docs as {first column: second column}, in order."""
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    rows = re.findall(r"^\| `(\S+)` \| (.+) \|$", section[1], re.M)
    assert rows, heading
    assert len(rows) == len(dict(rows)), "listed twice"
    return dict(rows)


def rooms():
    """Names of the rooms, from the lowest to the highest."""
    return [row.removesuffix("/").removesuffix(".py") for row in table("Rooms")]


def folders():
    """Folders of the package's parts in setup.cfg: {dotted name: path}."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["package_dir"].strip().splitlines()
    return {k: ROOT / v for k, v in (line.split(" = ") for line in lines)}


def modules():
    """Return {dotted name: text} of all modules; packages end in `.__init__`."""
    return {
        ".".join([name, *path.relative_to(folder).with_suffix("").parts]): (
            path.read_text(encoding="utf-8")
        )
        for name, folder in folders().items()
        for path in folder.rglob("*.py")
        if path.with_name("__init__.py").exists()  # leaves out files that `new` copies
    }


def imports(module, sources):
    """List a module's imports of the package's modules as (line, dotted name)."""
    known = {name.removesuffix(".__init__") for name in sources}
    found = []
    for node in ast.walk(ast.parse(sources[module])):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in known else base for name in names]
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            value = getattr(node.args[0], "value", None)
            if called in ("import_module", "__import__") and isinstance(value, str):
                names = [value]
        found += [
            (node.lineno, name)
            for name in names
            if name == PACKAGE or name.startswith(f"{PACKAGE}.")
        ]
    return found


def room_of(module, order):
    """Room of a module; "commands" for other root files, "" for the package itself."""
    name = (module.removesuffix(".__init__").split(".") + [""])[1]
    return name if name in order or not name else "commands"


def wrong_imports(sources, order):
    """List imports that do not run down, as "module:line imports module"."""
    heights = {name: height for height, name in enumerate([*order, "commands", ""])}
    found = []
    for module in sources:
        # The lazy table of public names may name any module.
        if module == f"{PACKAGE}.__init__":
            continue
        own = room_of(module, order)
        for line, name in imports(module, sources):
            other = room_of(name, order)
            inside = own == other != "commands" or module == name
            if not inside and heights[other] >= heights[own]:
                found.append(f"{module}:{line} imports {name}")
    return found


def defines_main(source):
    return any(
        isinstance(node, ast.FunctionDef) and node.name == "main"
        for node in ast.parse(source).body
    )


def loose_files(sources):
    """List files of the package's root that are no commands."""
    return [
        module
        for module, source in sources.items()
        if module.count(".") == 1
        and module.rpartition(".")[2] not in NOT_COMMANDS
        and not defines_main(source)
    ]


def circles(sources):
    """List circular imports between modules, each as a sorted list of modules.

    A module may import the `__init__` of its own room: that is no circle.
    """
    edges = {}
    for module in sources:
        own = module.removesuffix(".__init__")
        if own != PACKAGE:
            found = {name for _, name in imports(module, sources)}
            edges[own] = {
                name for name in found if not f"{own}.".startswith(f"{name}.")
            }
    reached = {}
    for start in edges:
        seen, todo = set(), [start]
        while todo:
            new = edges.get(todo.pop(), set()) - seen
            seen |= new
            todo += new
        reached[start] = seen
    both = (
        sorted({start, *(x for x in seen if start in reached.get(x, ()))})
        for start, seen in reached.items()
        if start in seen
    )
    return [list(x) for x in sorted({tuple(circle) for circle in both})]


def test_imports_run_down_only():
    assert wrong_imports(modules(), rooms()) == []


def test_imports_make_no_circle():
    assert circles(modules()) == []


def test_root_files_are_commands():
    assert loose_files(modules()) == []


def test_only_commands_know_absl():
    """Only `cli` and files with a `main` import absl; other modules define no flags."""
    found = [
        module
        for module, source in modules().items()
        if room_of(module, rooms()) != "cli" and not defines_main(source)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(
            name.split(".")[0] == "absl"
            for name in [
                getattr(node, "module", None) or "",
                *(alias.name for alias in node.names),
            ]
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    "module, planted",
    [
        ("layers.sizes", "from keras_gans.networks import dcgan"),
        ("layers.sizes", "import keras_gans.networks.dcgan"),
        ("layers.sizes", "from keras_gans import networks"),
        ("layers.sizes", "from ..networks import dcgan"),
        ("layers.__init__", "from ..networks import dcgan"),
        (
            "layers.sizes",
            "def f():\n    from keras_gans.networks.dcgan import generator",
        ),
        (
            "layers.sizes",
            "if TYPE_CHECKING:\n    from keras_gans.networks import dcgan",
        ),
        ("layers.sizes", 'importlib.import_module("keras_gans.networks.dcgan")'),
        ("layers.sizes", "from keras_gans import train"),
        ("layers.sizes", "from keras_gans import BaseGAN"),  # from `__init__`
        ("backend", "from keras_gans.engine import kernels"),
        ("errors", "from keras_gans import backend"),
        ("train", "from keras_gans import sample"),  # one command from another
        ("core.gan", "def f():\n    from keras_gans.export import export_workdir"),
        ("export.tflite", "from keras_gans import train"),
    ],
)
def test_planted_import_is_found(module, planted):
    sources, name = modules(), f"{PACKAGE}.{module}"
    sources[name] += f"\n{planted}\n"
    [found] = wrong_imports(sources, rooms())
    assert found.startswith(f"{name}:")


def test_planted_circles_are_found():
    # Between two rooms: the order of the rooms forbids the circle.
    sources = modules()
    sources[f"{PACKAGE}.layers.sizes"] += "\nimport keras_gans.networks.mlp\n"
    sources[f"{PACKAGE}.networks.mlp"] += "\nimport keras_gans.layers.sizes\n"
    [found] = wrong_imports(sources, rooms())
    assert found.endswith("imports keras_gans.networks.mlp")
    assert circles(sources)
    # Within one room.
    sources = modules()
    sources[f"{PACKAGE}.layers.sizes"] += "\nimport keras_gans.layers.noise\n"
    sources[f"{PACKAGE}.layers.noise"] += (
        "\ndef f():\n    from keras_gans.layers import sizes\n"
    )
    assert wrong_imports(sources, rooms()) == []
    expected = [f"{PACKAGE}.layers.noise", f"{PACKAGE}.layers.sizes"]
    assert circles(sources) == [expected]


def test_planted_loose_file_is_found():
    sources = {**modules(), f"{PACKAGE}.helpers": "def load():\n    return 1\n"}
    assert loose_files(sources) == [f"{PACKAGE}.helpers"]


def test_docs_list_every_room_and_command():
    places = folders()
    found = {f"{p.name}/" for k, p in places.items() if k != PACKAGE}
    found |= {f"{p.parent.name}/" for p in places[PACKAGE].glob("*/*.py")}
    listed = table("Rooms")
    assert found | {f"{name}.py" for name in NOT_COMMANDS[1:3]} == set(listed)
    files = {path.stem for path in places[PACKAGE].glob("*.py")}
    assert files - set(NOT_COMMANDS) == set(table("Commands"))
    for row in (*listed.values(), *table("Commands").values()):
        assert row.endswith(".") and ". " not in row, row

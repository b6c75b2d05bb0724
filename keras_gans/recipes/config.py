"""Recipes: TOML files, checked key by key against the signatures that they configure.

Each table of a recipe holds keywords of one function or class:

| table             | keywords of                                                   |
|-------------------|---------------------------------------------------------------|
| `[data]`          | `keras_gans.data.options.DataOptions`                         |
| `[generator]`     | the networks module's `generator`, except `FROM_DATA`         |
| `[discriminator]` | the networks module's `discriminator`, except `FROM_DATA`     |
| `[g_optimizer]`   | `keras.optimizers.<class_name>`; its `learning_rate` (and     |
|                   | Adam's `beta_2`) may be a table, `{ class_name = ... }`, of   |
|                   | `keras_gans.engine.optimizers.SCHEDULES`                      |
| `[d_optimizer]`   | the same                                                      |
| `[hparams]`       | the variant's `Hparams`                                       |
| `[train]`         | `TrainOptions`                                                |

A variant with other networks or players than a GAN has a table for each of them. The
table of a network has its name; the table of an optimizer is `[<player>_optimizer]`.

A key that no signature has is an error. `[smoke.<table>]` holds values that shrink the
recipe for tests; `--smoke` applies them over the other tables.

A recipe names modules of `keras_gans.models` and `keras_gans.networks`. Other modules
are imported only with `allow_code`, because importing a module runs it. They are
searched for beside the recipe's file, in the current folder, and on Python's path.
`import_from = ["folder"]` lists further folders, relative to the file, which come
first. A run's config.toml records the folders of its modules.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.machinery
import importlib.resources
import inspect
import json
import os
import re
import sys
import tomllib
import traceback
import types
from collections.abc import Iterator, Sequence
from typing import Any

from keras_gans.backend import import_backend
from keras_gans.data.options import DataOptions
from keras_gans.errors import UserError, did_you_mean, first_line
from keras_gans.recipes import key_names, toml
from keras_gans.recipes.binding import bind, bind_optimizer
from keras_gans.recipes.old_names import check_overrides, new_path, rename_keys
from keras_gans.recipes.train_options import TrainOptions

# Tables of a GAN's recipe; see `tables_of`.
TABLES = (
    "data",
    "generator",
    "discriminator",
    "g_optimizer",
    "d_optimizer",
    "hparams",
    "train",
)
WORDS = ("name", "model", "networks")
# Modules that every recipe may name.
OWN_MODULES = re.compile(r"keras_gans\.(models|networks)(\.[a-z_][a-z0-9_]*)+")
# Short names of the most used keys: flags of `train`, arguments of `from_recipe`.
SHORT = {
    "data": "data.dataset",
    "steps": "train.steps",
    "image_size": "data.image_size",
    "batch_size": "data.batch_size",
    "seed": "train.seed",
    "init_from": "train.init_from",
}
# Keywords of networks that come from the data set's description.
FROM_DATA = ("image_shape", "num_classes", "condition_shape")


@dataclasses.dataclass(frozen=True)
class Config:
    """Resolved recipe: every key is checked, every default is filled in.

    Attributes:
        name: Name of the recipe, as in `--model=<name>`.
        model: Class of the variant, as "module:Class".
        networks: Module with the networks' functions, such as `generator`.
        data: Options of the data set.
        keywords: Keywords of each network's function, as {"generator": {...}}.
        optimizers: `class_name` and keywords of each player's Keras optimizer, as
            {"g": {...}}.
        hparams: Hyperparameters, the variant's `Hparams`.
        train: Options of the run.
        import_from: Folders that contain the recipe's modules; empty for installed
            modules. They are not part of the recipe itself.
    """

    name: str
    model: str
    networks: str
    data: DataOptions
    keywords: dict[str, dict[str, Any]]
    optimizers: dict[str, dict[str, Any]]
    hparams: Any
    train: TrainOptions
    import_from: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, without those that are None."""
        plain = {word: getattr(self, word) for word in WORDS}
        plain["data"] = dataclasses.asdict(self.data)
        plain |= self.keywords
        plain |= {f"{name}_optimizer": v for name, v in self.optimizers.items()}
        plain["hparams"] = dataclasses.asdict(self.hparams)
        plain["train"] = dataclasses.asdict(self.train)
        for table in plain.keys() - WORDS:
            plain[table] = {k: v for k, v in plain[table].items() if v is not None}
        return plain

    def to_toml(self, with_folders: bool = False) -> str:
        """Return the recipe as TOML that `load_config` can read.

        Args:
            with_folders: Whether to include `import_from`, folders of this machine.
        """
        plain = self.to_dict()
        lines = [f"{word} = {_toml(plain.pop(word))}" for word in WORDS]
        if with_folders and self.import_from:
            lines.append(f"import_from = {_toml(self.import_from)}")
        for table, values in plain.items():
            lines += ["", f"[{table}]"]
            lines += [f"{k} = {_toml(v)}" for k, v in values.items()]
        return "\n".join(lines) + "\n"


def zoo_names() -> list[str]:
    """Return the names that `--model` accepts, sorted."""
    files = importlib.resources.files("keras_gans.zoo_configs").iterdir()
    return sorted(f.name[:-5] for f in files if f.name.endswith(".toml"))


def read_recipe(model: str) -> tuple[str, str]:
    """Return the (name, text) of a recipe of the zoo or of a file.

    Args:
        model: Name in the zoo (see `zoo_names`) or path of a .toml file.

    Raises:
        UserError: If the recipe does not exist or cannot be read.
    """
    if model.endswith(".toml"):
        name = os.path.basename(model)[:-5].encode("utf-8", "replace").decode()
        if name in zoo_names() and not os.path.lexists(model):
            raise UserError(f"--model={model}: no such file; did you mean '{name}'?")
        return name, toml.read_text(f"--model={model}", model)
    names = zoo_names()
    if model not in names:
        if os.path.isfile(os.path.join(model, "config.toml")):
            raise UserError(
                f"no model '{model}', which is the folder of a run; pass "
                f"--workdir={model} and the --model of the run"
            )
        if os.path.isfile(f"{model}.toml"):
            raise UserError(f"no model '{model}'; did you mean '{model}.toml'?")
        raise UserError(f"no model '{model}'{did_you_mean(model, names)}")
    folder = importlib.resources.files("keras_gans.zoo_configs")
    return model, (folder / f"{model}.toml").read_text("utf-8")


def load_config(
    model: str,
    overrides: Sequence[str] = (),
    smoke: bool = False,
    allow_code: bool = False,
) -> Config:
    """Load a recipe, apply overrides and check every key.

    The values come from the file, then from its `[smoke]` tables if `smoke`, then from
    the overrides in their order. Later values win.

    Args:
        model: Name in the zoo (see `zoo_names`) or path of a .toml file.
        overrides: Values to set, each "table.key=value", or "table.key.key=value" for a
            key of a schedule. Values are written as in TOML; strings need no quotes.
        smoke: Whether to shrink the recipe to its test size.
        allow_code: Whether to import modules outside the package that the recipe names.
            Importing a module runs it: allow only recipes whose author you trust.

    Returns:
        The resolved recipe.

    Raises:
        UserError: If a recipe, table or key is unknown, a value has the wrong type or
            is out of range, or a module is not allowed. The message names the nearest
            known name.
    """
    name, text = read_recipe(model)
    file = f"{name}.toml"
    try:
        raw = toml.parse(file, text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file}: {error}") from None
    shrink = raw.pop("smoke", {})
    if not isinstance(shrink, dict):
        raise UserError(f"{file}: 'smoke' must hold tables, as in [smoke.data]")
    raw.setdefault("name", name)
    folders = _folders(file, model, raw.pop("import_from", []))
    named = {**shrink, **raw} if smoke else raw
    tables = _tables(file, named, overrides, folders, allow_code)
    for key in [key for key in raw if key not in {*WORDS, *tables}]:
        known = ("model", "networks", "import_from", "smoke", *tables)
        raise UserError(f"{file}: no key '{key}'{did_you_mean(key, known)}")
    for key in WORDS:
        if not isinstance(raw.get(key), str):
            raise UserError(f"{file}: '{key}' is missing or not a string")
    if not raw["name"].strip(". ") or set(raw["name"]) & set("/\\\0"):
        raise UserError(
            f"{file}: name: expected the name of a folder, without slashes, got "
            f"'{raw['name']}'"
        )
    for table in tables:
        if not isinstance(raw.setdefault(table, {}), dict):
            raise UserError(f"{file}: '{table}' must be a table: [{table}]")
    rename_keys(file, raw)
    if smoke:
        for table, values in shrink.items():
            if table not in tables:
                hint = did_you_mean(table, tables)
                raise UserError(f"{file} [smoke]: no table '{table}'{hint}")
            if not isinstance(values, dict):
                raise UserError(f"{file}: 'smoke.{table}' must be a table")
        rename_keys(f"{file} [smoke]", shrink)
        for table, values in shrink.items():
            raw[table].update(values)
    check_overrides(overrides)
    for word in overrides:
        table, key, value = _parse_override(word, tables)
        key, dot, inner = key.partition(".")
        if dot:  # a key of a schedule
            schedule = raw[table].get(key)
            if not isinstance(schedule, dict):
                raise UserError(
                    f"--set={word}: {table}.{key} is not a table in {file}; expected "
                    f"{table}.{key}=..."
                )
            value = {**schedule, inner: value}
        raw[table][key] = value
    return _resolve(file, raw, folders, allow_code)


def _folders(file: str, model: str, import_from: Any) -> list[str]:
    """List the folders that are searched first for a recipe's modules."""
    if not isinstance(import_from, list) or not all(
        isinstance(folder, str) for folder in import_from
    ):
        raise UserError(f"{file}: import_from: expected a list of folders")
    folders = [os.getcwd()]
    if model.endswith(".toml"):
        beside = os.path.dirname(os.path.abspath(model))
        folders = [*import_from, beside, *folders]
        folders = [os.path.join(beside, os.path.expanduser(f)) for f in folders]
    return list(dict.fromkeys(map(os.path.normpath, folders)))


def _tables(
    file: str,
    raw: dict[str, Any],
    overrides: Sequence[str],
    folders: Sequence[str],
    allow_code: bool,
) -> tuple[str, ...]:
    """Return the tables that a recipe may have: those of a GAN, or its variant's own.

    The variant is imported only for a table that no GAN has, since it imports Keras.
    """
    named = {*raw, *(word.partition("=")[0].partition(".")[0] for word in overrides)}
    if named <= {*WORDS, *TABLES} or not isinstance(raw.get("model"), str):
        return TABLES
    _check_allowed(file, raw["model"].partition(":")[0], allow_code)
    import_backend()
    return tables_of(find_class(file, raw["model"], folders))


def tables_of(variant: type) -> tuple[str, ...]:
    """Return the names of the tables of a variant's recipe, in order."""
    players = [f"{player.name}_optimizer" for player in reversed(variant.players)]
    return ("data", *variant.networks, *players, "hparams", "train")


def _parse_override(word: str, tables: Sequence[str]) -> tuple[str, str, Any]:
    path, equals, text = word.partition("=")
    table, dot, key = new_path(path).partition(".")
    if not (equals and dot and key):
        keys = [] if dot else key_names.keys_of(table)
        lines = " ".join(f"--set={key}={text or 'VALUE'}" for key in keys)
        advice = f"; pass {lines}" if keys else ", as in train.steps=100"
        raise UserError(f"--set={word}: expected table.key=value{advice}")
    if keys := _meant(table, key):
        lines = " ".join(f"--set={key}={text}" for key in keys)
        raise UserError(f"--set={word}: no key '{key}' in [{table}]; pass {lines}")
    if table not in tables:
        raise UserError(
            f"--set={word}: no table '{table}'{did_you_mean(table, tables)}"
        )
    try:
        parsed = toml.parse(f"--set={word}", f"value = {text}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    # A text of several lines may hold more keys.
    return table, key, parsed["value"] if parsed.keys() == {"value"} else text


def _meant(table: str, key: str) -> list[str]:
    """Return the keys that an unknown key of a table means; [] for a known key."""
    keys = key_names.keys_of(key)
    if f"{table}.{key}" in keys:
        return []
    if table.endswith("_optimizer"):
        return [name for name in keys if name.startswith(f"{table}.")]
    return keys if table in ("data", "train") else []


def _resolve(
    file: str, raw: dict[str, Any], folders: list[str], allow_code: bool
) -> Config:
    for module in (raw["model"].partition(":")[0], raw["networks"]):
        _check_allowed(file, module, allow_code)
    # The data and train tables first: they need neither TensorFlow nor Keras.
    data = DataOptions(**bind(f"{file} [data]", raw["data"], DataOptions))
    train = TrainOptions(**bind(f"{file} [train]", raw["train"], TrainOptions))
    import_backend()
    variant = find_class(file, raw["model"], folders)
    tables = tables_of(variant)
    for table in [name for name in raw if raw[name] and name not in {*WORDS, *tables}]:
        raise UserError(
            f"{file}: no table '{table}' in a recipe for {raw['model']}"
            f"{did_you_mean(table, tables)}"
        )
    networks, keywords = _import(file, raw["networks"], folders), {}
    for table in variant.networks:
        function = getattr(networks, table, None)
        if not callable(function):
            raise UserError(
                f"{file}: networks: no function {table}(...) in {raw['networks']}"
            )
        where, values = f"{file} [{table}]", raw.get(table, {})
        keywords[table] = bind(where, values, function, skip=FROM_DATA)
    hparams = bind(f"{file} [hparams]", raw["hparams"], variant.Hparams)
    # Schedules run over the whole run, or over the burn-in of a variant that has one.
    steps = train.steps
    if "burn_in" in hparams:
        steps = hparams["burn_in"] = hparams["burn_in"] or steps
    # A schedule counts its optimizer's own updates.
    optimizers, options = {}, variant.Hparams(**hparams)
    for player in reversed(variant.players):
        table = f"{player.name}_optimizer"
        updates = variant.updates(player, options, steps)
        where, values = f"{file} [{table}]", raw.get(table, {})
        optimizers[player.name] = bind_optimizer(where, values, updates)
    return Config(
        name=raw["name"],
        model=raw["model"],
        networks=raw["networks"],
        data=data,
        keywords=keywords,
        optimizers=optimizers,
        hparams=options,
        train=train,
        import_from=tuple(
            folder
            for folder in folders
            if _finds(folder, raw["model"]) or _finds(folder, raw["networks"])
        ),
    )


def _check_allowed(file: str, module: str, allow_code: bool) -> None:
    """Check that a recipe may import a module.

    Raises:
        UserError: If the module is outside the package and not allowed, or its name is
            not the name of a module.
    """
    if not all(part.isidentifier() for part in module.split(".")):
        raise UserError(
            f"{file}: expected the name of a module, such as "
            f"keras_gans.networks.dcgan, got '{module}'"
        )
    if not allow_code and not OWN_MODULES.fullmatch(module):
        raise UserError(
            f"{file}: '{module}' is code outside of keras_gans.models and "
            "keras_gans.networks; pass --allow_code (in Python: allow_code=True) to "
            "run it, if you trust its author"
        )


def find_class(file: str, path: str, folders: Sequence[str] = ()) -> type:
    """Import the class of a variant, whose module must be allowed.

    Args:
        file: Name of the recipe, for error messages.
        path: Class to import, as "module:Class".
        folders: Folders that are searched first for the module.

    Raises:
        UserError: If the module cannot be imported or has no such class.
    """
    module, colon, name = path.partition(":")
    if not colon:
        raise UserError(f"{file}: model: expected 'module:Class', got '{path}'")
    found = getattr(_import(file, module, folders), name, None)
    if not inspect.isclass(found) or not hasattr(found, "Hparams"):
        raise UserError(f"{file}: model: no class '{name}' of a GAN in {module}")
    return found


def _import(file: str, module: str, folders: Sequence[str]) -> types.ModuleType:
    """Import a module of the package, or a user's module from one of the folders."""
    own = module.partition(".")[0] == "keras_gans"
    try:
        with _importable(() if own else folders):
            imported = importlib.import_module(module)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        # The module itself or its parent package is missing, not one of its imports.
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(
            f"{error.name}."
        ):
            places = "" if own else f" in {', '.join(folders)}, and none is installed"
            advice = "" if own else "; add its folder to PYTHONPATH"
            raise UserError(f"{file}: no module '{module}'{places}{advice}") from None
        raise UserError(
            f"{file}: module '{module}' cannot be imported: {_told(error, folders)}"
        ) from error
    _check_not_another(file, module, folders)
    return imported


@contextlib.contextmanager
def _importable(folders: Sequence[str]) -> Iterator[None]:
    sys.path[:0] = folders
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in folders:
            with contextlib.suppress(ValueError):  # the module may have changed it
                sys.path.remove(folder)


def _finds(folder: str, path: str) -> importlib.machinery.ModuleSpec | None:
    """Return the spec of a user's top-level module in a folder; None if absent."""
    top = path.partition(":")[0].partition(".")[0]
    if top == "keras_gans":
        return None
    return importlib.machinery.PathFinder.find_spec(top, [folder])


def _check_not_another(file: str, module: str, folders: Sequence[str]) -> None:
    """Check that the imported module is not another one of the same name."""
    spec = next(filter(None, (_finds(folder, module) for folder in folders)), None)
    imported = getattr(sys.modules[module.partition(".")[0]], "__file__", None)
    if not (spec and spec.origin and imported):
        return
    if os.path.realpath(spec.origin) == os.path.realpath(imported):
        return
    raise UserError(
        f"{file}: module '{spec.name}' is {spec.origin}, but {imported} is imported "
        "already under that name; start another process, or rename one of them"
    )


def _told(error: BaseException, folders: Sequence[str]) -> str:
    """Return an error as one line, with its place in the user's files."""
    line = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, SyntaxError):  # its message names the place
        return line
    return f"{line}{place_of(error, folders)}"


def place_of(error: BaseException, folders: Sequence[str]) -> str:
    """Return the innermost place of an error in files of these folders.

    Args:
        error: Error that was raised.
        folders: Folders of a user's modules.

    Returns:
        Text such as " (my_gan.py, line 7)"; "" if the error comes from other files.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.dirname(frame.filename) in folders
    ]
    if not frames:
        return ""
    return f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{k} = {_toml(v)}" for k, v in value.items()]
        return f"{{ {', '.join(pairs)} }}"
    # Strings, numbers and booleans are as in JSON, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """List the differences of two recipes, as "table.key: old -> new".

    Args:
        old: First recipe, as plain values; see `Config.to_dict`.
        new: Second recipe, likewise.
    """
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += [f"{key}.{line}" for line in differences(a, b)]
        elif a != b:
            found.append(f"{key}: {_shown(a)} -> {_shown(b)}")
    return found


def _shown(value: Any) -> str:
    return "nothing" if value is None else _toml(value)

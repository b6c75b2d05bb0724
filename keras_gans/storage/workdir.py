"""Workdir: the folder of a run.

Its files and folders are:

- `config.toml`: the resolved recipe;
- `info.json`: the description of the data set;
- `hardware.json`: the hardware of the newest steps;
- `sources.npz`: example condition images, for translations only;
- `metrics.jsonl`: one line every `train.log_every` steps;
- `checkpoints/`: `step_<step>.npz` of the newest steps, and `best.npz` with
  `train.evaluate_every`;
- `samples/`: `step_<step>.png`, from the averaged generator;
- `tensorboard/`: the same metrics and images for TensorBoard;
- `export/`: `saved_model/`, `generator.tflite` and smaller files, `report.json`,
  `web/`;
- `evaluation/`: results of `keras_gans.evaluate`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shlex
import shutil
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_gans.data.options import DataInfo, DataOptions
from keras_gans.device.sampler import (
    CLASSES,
    INFO_BYTES,
    NAMES,
    SHAPE,
    TEXT,
    TRUTH,
    Check,
    SamplerError,
    check_keys,
    parse_json,
    whole,
)
from keras_gans.errors import UserError, first_line
from keras_gans.recipes import config as config_lib
from keras_gans.recipes import toml
from keras_gans.recipes.config import Config
from keras_gans.recipes.train_options import TrainOptions
from keras_gans.storage import files

LOCK = ".lock"
CONDITION: Check = (f"[] or {SHAPE[0]}", lambda value: value == [] or SHAPE[1](value))
# Checks of the keys in info.json that have a default; see `DataInfo`.
INFO_KEYS = {
    "num_classes": CLASSES,
    "class_names": NAMES,
    "credit": TEXT,
    "num_examples": whole(0, 2**63 - 1),
    "fingerprint": TEXT,
    "condition_shape": CONDITION,
    "source_shape": CONDITION,  # the key in older runs
    "unpaired": TRUTH,
    "contents": TEXT,
}
PARTS = (
    "checkpoints",
    "samples",
    "tensorboard",
    "export",
    "evaluation",
    "metrics.jsonl",
    "sources.npz",
    "info.json",
    "hardware.json",
    "config.toml",  # deleted last, because it marks the folder as a run's
)
# Keys of a recipe that a resumed run may change: they do not change the arithmetic.
FREE = (
    "name",
    "train.checkpoint_every",
    "train.evaluate_every",
    "train.grid_every",
    "train.keep_checkpoints",
    "train.log_every",
    "train.steps_per_execution",
)


def nearest_run(path: str) -> str | None:
    """Return the run that a path of something else may mean.

    Args:
        path: Path inside a run, of a folder of runs, or name of a run in `runs`.

    Returns:
        Path of the run; None if there is none. Of several runs in a folder, the newest.
    """
    inside, above = path, []
    for _ in range(3):
        inside = os.path.dirname(inside)
        above.append(inside)
    below = []
    if os.path.isdir(path):
        with contextlib.suppress(OSError):
            below = [entry.path for entry in os.scandir(path) if entry.is_dir()]
    files = {run: os.path.join(run, "config.toml") for run in below}
    below = [run for run, file in files.items() if os.path.isfile(file)]
    below.sort(key=lambda run: os.path.getmtime(files[run]), reverse=True)
    for run in (*above, os.path.join("runs", path), *below):
        if run and os.path.isfile(os.path.join(run, "config.toml")):
            return run
    return None


class Workdir:
    """Folder of one run: its paths, and the rules for using it.

    Args:
        path: Path of the folder, which need not exist yet.
        allow_code: Whether to import modules outside the package that the run's recipe
            names; see `recipes.config.load_config`.
    """

    def __init__(self, path: str, allow_code: bool = False):
        self.path, self.allow_code = os.path.expanduser(path), allow_code
        self.checkpoints = self.join("checkpoints")
        self.samples = self.join("samples")
        self.tensorboard = self.join("tensorboard")
        self.metrics = self.join("metrics.jsonl")
        self.evaluation = self.join("evaluation")
        self.saved_model = self.join("export", "saved_model")
        self.tflite = self.join("export", "generator.tflite")
        self.web = self.join("export", "web")

    def join(self, *parts: str) -> str:
        """Return a path inside the folder."""
        return os.path.join(self.path, *parts)

    def check(
        self, config: Config, resume: bool | None, overwrite: bool
    ) -> tuple[str, ...]:
        """Check that a run may use this folder, without changing the folder.

        Args:
            config: Recipe of the run.
            resume: Whether to resume an earlier run, even if `train.steps` has grown or
                its description is damaged. False refuses any earlier run; None resumes
                a run of the same recipe.
            overwrite: Whether an earlier run may be deleted.

        Returns:
            Notes about a run that is resumed: the keys of the recipe that differ, none
            of which changes the arithmetic, and the files that are written again.

        Raises:
            UserError: If the run may not use this folder.
        """
        self._check_path()
        # Files that an interrupted first write may leave.
        begun = {LOCK, "info.json", "info.json.tmp", "config.toml.tmp"}
        if not os.path.isdir(self.path) or set(os.listdir(self.path)) <= begun:
            return ()
        damaged: list[str] = []
        old = self._try(self._read_toml, damaged)
        info = self._try(self._read_info, damaged)
        if damaged and not info and not self._has_checkpoint():
            raise UserError(
                f"--workdir={self.path}: not empty and not a run's folder (it lacks a "
                "run's config.toml and info.json); pass another --workdir"
            )
        if overwrite:
            return ()
        if resume is False:
            raise UserError(
                f"--workdir={self.path}: already holds a run; pass --resume to "
                "continue the run, --overwrite to delete it, or another --workdir"
            )
        files.check_kinds(
            f"--workdir={self.path}",
            {self.join(part): "." not in part for part in PARTS},
        )
        if damaged and not resume:
            raise UserError(
                f"{'; '.join(damaged)}. Pass --resume to continue the run with this "
                "command's recipe and data, or another --workdir"
            )
        notes = [f"{reason}; written again" for reason in damaged]
        if old is None:
            return tuple(notes)
        with contextlib.suppress(UserError):  # adds the defaults of newer keys
            old = self._load_config().to_dict()
        changed = self._changed(old, config, resume)
        if changed:
            notes.append(f"changed: {'; '.join(changed)}")
        return tuple(notes)

    def _check_path(self) -> None:
        """Check that the folder's path can be written to and exported to."""
        where = f"--workdir={self.path}"
        # Bytes that are not UTF-8 are surrogates in Python; TensorFlow writes neither.
        kinds = {unicodedata.category(character) for character in self.path}
        if "://" in self.path or {"Cc", "Cs"} & kinds:
            raise UserError(
                f"--workdir={self.path!a}: expected a local folder whose name is UTF-8 "
                "text without control characters"
            )
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise UserError(f"{where}: not a folder")
        parent = self.path
        while not os.path.lexists(parent):
            parent = os.path.dirname(os.path.abspath(parent))
        if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
            raise UserError(f"{where}: '{parent}' cannot be written to")

    def _changed(self, old: dict, config: Config, resume: bool | None) -> list[str]:
        """List the keys that differ from those of an earlier run, if it may go on."""
        old.pop("import_from", None)  # as `Config.to_dict` does
        new = config.to_dict()
        changed = config_lib.differences(old, new)
        table = {key: old.get(key) for key in ("data", "train")}
        table = {k: v if isinstance(v, dict) else {} for k, v in table.items()}
        dataset = table["data"].get("dataset")
        free: set[str] = set(FREE)
        with contextlib.suppress(UserError, TypeError, ValueError):
            same = DataOptions(str(dataset), 1).kind == config.data.kind
            if same and self._read_info().contents:
                free.add("data.dataset")  # `check_data` compares the files
        steps = table["train"].get("steps")
        longer = not isinstance(steps, int) or config.train.steps > steps
        if resume and longer:
            free.add("train.steps")
        others = [line for line in changed if line.partition(": ")[0] not in free]
        if not others:
            return changed
        more = ""
        if longer and any("decay_steps" in line for line in others):
            more = " A run whose schedules span all of its steps cannot be extended."
        elif longer and all(line.startswith("train.steps: ") for line in others):
            more = " --resume continues a run if only train.steps has grown."
        raise UserError(
            f"--workdir={self.path}: holds a run of another recipe "
            f"({_shortened(others)}). {self._instead()}{more}"
        )

    def _instead(self) -> str:
        """Return the advice for a run that cannot go on here."""
        return (
            f"Pass another --workdir, with --init_from={shlex.quote(self.path)} to "
            "start from the weights of the run; or --overwrite to delete the run."
        )

    def _has_checkpoint(self) -> bool:
        """Return whether the folder has checkpoints, without importing Keras."""
        with contextlib.suppress(OSError):
            names = os.listdir(self.checkpoints)
            return any(re.fullmatch(r"step_\d+\.npz", name) for name in names)
        return False

    @staticmethod
    def _try(read: Callable[[], Any], damaged: list[str]) -> Any:
        """Return what `read` returns; None after an error, which is added to a list."""
        try:
            return read()
        except UserError as error:
            damaged.append(str(error))
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and lock it against other runs inside the `with` block.

        Raises:
            UserError: If another run uses the folder, or it cannot be written to.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            file = open(self.join(LOCK), "w")
        except OSError as error:
            raise UserError(f"--workdir={self.path}: {error.strerror}") from None
        with file:
            try:
                files.lock(file)
            except BlockingIOError:
                raise UserError(
                    f"--workdir={self.path}: another run is using this folder; pass "
                    "another --workdir"
                ) from None
            files.sweep(self.path, *PARTS)  # of a killed run
            for folder in (self.checkpoints, self.samples):
                files.sweep(folder)
            yield

    def clear(self) -> None:
        """Delete a run's files and nothing else. Call `check` before."""
        for part in PARTS:
            if os.path.isdir(self.join(part)) and not os.path.islink(self.join(part)):
                shutil.rmtree(self.join(part))
            elif os.path.lexists(self.join(part)):
                os.remove(self.join(part))

    def check_data(self, info: DataInfo) -> None:
        """Check that the data set is the one of an earlier run in this folder.

        Args:
            info: Description of the data set.

        Raises:
            UserError: If the descriptions differ; the message lists each difference.
        """
        before = self._try(self._read_info, [])
        if before is None:  # a new run, or one whose description is damaged
            return
        old, new = (dataclasses.asdict(i) for i in (before, info))
        if not before.contents:  # of an older version
            del old["contents"], new["contents"]
        changed = config_lib.differences(old, new)
        if changed:
            raise UserError(
                f"--workdir={self.path}: the data set differs from the one that this "
                f"run began with ({_shortened(changed)}). {self._instead()}"
            )

    def class_names(self) -> tuple[str, ...]:
        """Return the class names of an earlier run in this folder; () for none."""
        with contextlib.suppress(UserError):
            return self._read_info().class_names
        return ()

    def write(self, config: Config, info: DataInfo) -> None:
        """Write the recipe and the description of the data set.

        Args:
            config: Recipe of the run.
            info: Description of the data set.

        Raises:
            WriteError: If the folder cannot be written to.
        """
        self._write("info.json", json.dumps(dataclasses.asdict(info), indent=1))
        self._write("config.toml", config.to_toml(with_folders=True))

    def write_hardware(self, hardware: dict) -> dict | None:
        """Record the hardware that computes the run's steps from now on.

        Args:
            hardware: Fields of `engine.devices.Hardware`.

        Returns:
            Fields of the hardware that was recorded before; None if it is unknown.
        """
        before = None
        with contextlib.suppress(OSError, ValueError):
            with open(self.join("hardware.json"), encoding="utf-8") as file:
                before = json.load(file)
        self._write("hardware.json", json.dumps(hardware, indent=1))
        return before

    def write_conditions(self, pictures: np.ndarray) -> None:
        """Write example condition images, uint8 [num, height, width, channels]."""
        with files.replacing(self.join("sources.npz"), pictures.nbytes) as temporary:
            with open(temporary, "wb") as file:
                np.savez_compressed(file, pictures=pictures)

    def check_room(self, checkpoint: int, options: TrainOptions) -> None:
        """Check that the disk has room for the checkpoints and exports of a run.

        Args:
            checkpoint: Size of a checkpoint in bytes. The exports together need less.
            options: Options of the run.

        Raises:
            UserError: If the disk is too full.
        """
        kept = min(
            options.keep_checkpoints, -(-options.steps // options.checkpoint_every)
        )
        names = os.listdir(self.checkpoints) if self._has_checkpoint() else []
        # One more is written before the oldest is deleted, and then the exports.
        need = max(1, kept + 1 - len(names)) * checkpoint + checkpoint
        free = files.free_bytes(self.path)
        if free is not None and free < need:
            raise UserError(
                f"--workdir={self.path}: the disk has {files.in_mib(free)} left, but "
                f"the checkpoints and exports of this run need {files.in_mib(need)}; "
                "free some, pass another --workdir, or lower train.keep_checkpoints"
            )

    def read(self) -> tuple[Config, DataInfo]:
        """Read the recipe and the description of the data set.

        Raises:
            UserError: If the folder holds no run, or its files cannot be read.
        """
        self.check_is_run()
        return self._load_config(), self._read_info()

    def check_is_run(self) -> None:
        """Check that the folder holds a run, without reading the recipe.

        Raises:
            UserError: If the folder holds no run.
        """
        names = "config.toml", "info.json"
        missing = [name for name in names if not os.path.isfile(self.join(name))]
        if missing:
            near, hint = nearest_run(self.path), ""
            if self._has_checkpoint():
                hint = "; the command that trained it writes it again, with --resume"
            elif near:
                hint = f"; did you mean {near}?"
            raise UserError(
                f"{self.path}: not a run's folder (it has no {missing[0]}){hint}"
            )

    def _load_config(self) -> Config:
        path = self.join("config.toml")
        return config_lib.load_config(path, allow_code=self.allow_code)

    def _read_info(self) -> DataInfo:
        path = self.join("info.json")
        try:
            with open(path, "rb") as file:
                raw = parse_json(file.read(INFO_BYTES + 1), path)
            check_keys(raw, {"image_shape": SHAPE}, INFO_KEYS, path)
            raw["image_shape"] = tuple(raw["image_shape"])
            raw["class_names"] = tuple(raw.get("class_names", ()))
            older = raw.pop("source_shape", ())  # the key in older runs
            raw["condition_shape"] = tuple(raw.get("condition_shape", older))
            return DataInfo(**raw)
        except SamplerError as error:
            raise UserError(str(error)) from None
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except TypeError as error:
            raise UserError(f"{path}: {error}") from None

    def _read_toml(self) -> dict:
        path = self.join("config.toml")
        try:
            found = toml.parse(path, toml.read_text(path, path))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path}: damaged ({first_line(error)[:100]})") from None
        if not {"model", "networks"} <= found.keys():
            raise UserError(f"{path}: damaged (not a recipe)")
        return found

    def _write(self, name: str, text: str) -> None:
        with files.replacing(self.join(name)) as temporary:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)


def _shortened(changed: list[str]) -> str:
    """Join differences, and leave out those beyond the length of a message."""
    text = re.sub(r"\b([0-9a-f]{8})[0-9a-f]{56}\b", r"\1", "; ".join(changed))
    return text if len(text) <= 200 else f"{text[:200]} ..."

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
import shutil
import tomllib
from collections.abc import Iterator

import numpy as np

from keras_gans.data.options import DataInfo
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
from keras_gans.errors import UserError
from keras_gans.recipes import config as config_lib
from keras_gans.recipes import toml
from keras_gans.recipes.config import Config

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

    def check(self, config: Config, resume: bool | None, overwrite: bool) -> None:
        """Check that a run may use this folder, without changing the folder.

        Args:
            config: Recipe of the run.
            resume: Whether to resume an earlier run, even if `train.steps` has grown.
                False refuses any earlier run; None resumes a run of the same recipe.
            overwrite: Whether an earlier run may be deleted.

        Raises:
            UserError: If the run may not use this folder.
        """
        there = os.path.lexists(self.path)
        if there and not os.path.isdir(self.path):
            raise UserError(f"--workdir={self.path}: not a folder")
        parent = self.path
        while not os.path.lexists(parent):
            parent = os.path.dirname(os.path.abspath(parent))
        if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
            raise UserError(f"--workdir={self.path}: '{parent}' cannot be written to")
        # Files that an interrupted first write may leave.
        begun = {LOCK, "info.json", "info.json.tmp", "config.toml.tmp"}
        if not there or set(os.listdir(self.path)) <= begun:
            return
        old = self._read_toml() if self._is_run() else {}
        if not {"model", "networks"} <= old.keys():
            raise UserError(
                f"--workdir={self.path}: not empty and not a run's folder (it lacks a "
                "run's config.toml and info.json); pass another --workdir"
            )
        if overwrite:
            return
        if resume is False:
            raise UserError(
                f"--workdir={self.path}: already holds a run; pass --resume to "
                "continue the run, --overwrite to delete it, or another --workdir"
            )
        with contextlib.suppress(UserError):  # adds the defaults of newer keys
            old = self._load_config().to_dict()
        old.pop("import_from", None)  # as `Config.to_dict` does
        changed = config_lib.differences(old, config.to_dict())
        longer = config.train.steps > old.get("train", {}).get("steps", 0)
        only_steps = all(line.startswith("train.steps:") for line in changed)
        if changed and not (resume and longer and only_steps):
            more = ""
            if longer and any("decay_steps" in line for line in changed):
                more = (
                    " A run whose schedules span all of its steps cannot be extended."
                )
            elif longer:
                more = " --resume continues a run if only train.steps has grown."
            raise UserError(
                f"--workdir={self.path}: holds a run of another recipe "
                f"({'; '.join(changed)}). Pass --overwrite to delete the run, or "
                f"another --workdir.{more}"
            )

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
                import fcntl  # not on Windows

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                pass
            except OSError:
                raise UserError(
                    f"--workdir={self.path}: another run is using this folder; pass "
                    "another --workdir"
                ) from None
            yield

    def clear(self) -> None:
        """Delete a run's files and nothing else. Call `check` before."""
        for part in PARTS:
            if os.path.isdir(self.join(part)):
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
        if not self._is_run():
            return
        old, new = (dataclasses.asdict(i) for i in (self._read_info(), info))
        changed = config_lib.differences(old, new)
        if changed:
            raise UserError(
                f"--workdir={self.path}: the data set differs from the one that this "
                f"run began with ({'; '.join(changed)}). Pass --overwrite to delete "
                "the run, or another --workdir"
            )

    def class_names(self) -> tuple[str, ...]:
        """Return the class names of an earlier run in this folder; () for none."""
        with contextlib.suppress(UserError):
            return self._read_info().class_names if self._is_run() else ()
        return ()

    def write(self, config: Config, info: DataInfo) -> None:
        """Write the recipe and the description of the data set.

        Args:
            config: Recipe of the run.
            info: Description of the data set.

        Raises:
            UserError: If the folder cannot be written to.
        """
        try:
            self._write("info.json", json.dumps(dataclasses.asdict(info), indent=1))
            self._write("config.toml", config.to_toml(with_folders=True))
        except OSError as error:
            raise UserError(f"--workdir={self.path}: {error.strerror}") from None

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
        temporary = self.join("sources.npz.tmp")
        with open(temporary, "wb") as file:
            np.savez_compressed(file, pictures=pictures)
        os.replace(temporary, self.join("sources.npz"))

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
        if not self._is_run():
            near = nearest_run(self.path)
            hint = f"; did you mean {near}?" if near else ""
            raise UserError(
                f"{self.path}: not a run's folder (it has no config.toml){hint}"
            )

    def _load_config(self) -> Config:
        path = self.join("config.toml")
        return config_lib.load_config(path, allow_code=self.allow_code)

    def _is_run(self) -> bool:
        return all(os.path.isfile(self.join(f)) for f in ("config.toml", "info.json"))

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
        except (OSError, TypeError) as error:
            raise UserError(f"{path}: {error}") from None

    def _read_toml(self) -> dict:
        path = self.join("config.toml")
        try:
            return toml.parse(path, toml.read_text(path, path))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path}: {error}") from None

    def _write(self, name: str, text: str) -> None:
        temporary = self.join(f"{name}.tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, self.join(name))

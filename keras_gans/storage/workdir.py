"""A run's folder: its recipe, its data's description, and what training leaves.

config.toml           the resolved recipe
info.json             what the data set says of itself
hardware.json         what computed the newest steps
sources.npz           of translations: some condition images to try them on
metrics.jsonl         one line every `train.log_every` steps
checkpoints/          step_<step>.npz, the newest few; best.npz, if it was measured
samples/              step_<step>.png, from the averaged generator
tensorboard/          the same numbers and pictures for TensorBoard
export/               saved_model/, generator.tflite and smaller ones, report.json,
                      web/
evaluation/           what `keras_gans.evaluate` measured
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
from keras_gans.errors import UserError
from keras_gans.recipes import config as config_lib
from keras_gans.recipes.config import Config

LOCK = ".lock"
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
    "config.toml",  # last: as long as it is there, the rest is known to be ours
)


class Workdir:
    """Paths and rules of one run's folder.

    Args:
        path: The folder; it need not be there yet.
    """

    def __init__(self, path: str):
        """Notes the path; nothing is touched."""
        self.path = os.path.expanduser(path)
        self.checkpoints = self.join("checkpoints")
        self.samples = self.join("samples")
        self.tensorboard = self.join("tensorboard")
        self.metrics = self.join("metrics.jsonl")
        self.evaluation = self.join("evaluation")
        self.saved_model = self.join("export", "saved_model")
        self.tflite = self.join("export", "generator.tflite")
        self.web = self.join("export", "web")

    def join(self, *parts: str) -> str:
        """A path inside the folder."""
        return os.path.join(self.path, *parts)

    def check(self, config: Config, resume: bool | None, overwrite: bool) -> None:
        """Checks that a run may use this folder; nothing is changed.

        Args:
            config: The run's recipe.
            resume: None goes on if the recipe is the same; True also if only
                train.steps has grown; False refuses any earlier run.
            overwrite: Whether an earlier run may be deleted.

        Raises:
            UserError: if it may not.
        """
        there = os.path.lexists(self.path)
        if there and not os.path.isdir(self.path):
            raise UserError(f"--workdir={self.path}: not a folder")
        parent = self.path
        while not os.path.lexists(parent):
            parent = os.path.dirname(os.path.abspath(parent))
        if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
            raise UserError(f"--workdir={self.path}: '{parent}' cannot be written to")
        # A kill while the first files were written leaves these at most.
        begun = {LOCK, "info.json", "info.json.tmp", "config.toml.tmp"}
        if not there or set(os.listdir(self.path)) <= begun:
            return
        old = self._read_toml() if self._is_run() else {}
        if not {"model", "networks"} <= old.keys():
            raise UserError(
                f"--workdir={self.path}: not empty and not a run's folder (it has no "
                "config.toml and info.json of one); choose another"
            )
        if overwrite:
            return
        if resume is False:
            raise UserError(
                f"--workdir={self.path}: holds a run already; pass --resume to go on "
                "with it, --overwrite to delete it, or another --workdir"
            )
        with contextlib.suppress(UserError):  # with the defaults of newer keys
            old = config_lib.load_config(self.join("config.toml")).to_dict()
        old.pop("import_from", None)  # as `Config.to_dict` does
        changed = config_lib.differences(old, config.to_dict())
        longer = config.train.steps > old.get("train", {}).get("steps", 0)
        only_steps = all(line.startswith("train.steps:") for line in changed)
        if changed and not (resume and longer and only_steps):
            more = ""
            if longer and any("decay_steps" in line for line in changed):
                more = (
                    " A run whose schedules last for all of it cannot be made longer."
                )
            elif longer:
                more = " --resume goes on if only train.steps has grown."
            raise UserError(
                f"--workdir={self.path}: holds a run of another recipe "
                f"({'; '.join(changed)}). Pass --overwrite to delete it, or another "
                f"--workdir.{more}"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, and keeps other runs out of it.

        Raises:
            UserError: if another run is in it, or it cannot be written to.
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
                    f"--workdir={self.path}: another run is at work in it; choose "
                    "another"
                ) from None
            yield

    def clear(self) -> None:
        """Deletes what a run left, and nothing else; after `check`."""
        for part in PARTS:
            if os.path.isdir(self.join(part)):
                shutil.rmtree(self.join(part))
            elif os.path.lexists(self.join(part)):
                os.remove(self.join(part))

    def check_data(self, info: DataInfo) -> None:
        """Checks that the data are what an earlier run in this folder trained on.

        Raises:
            UserError: if they are not, with each difference.
        """
        if not self._is_run():
            return
        old, new = (dataclasses.asdict(i) for i in (self._read_info(), info))
        changed = config_lib.differences(old, new)
        if changed:
            raise UserError(
                f"--workdir={self.path}: the data are not what this run began with "
                f"({'; '.join(changed)}). Pass --overwrite to delete the run, or "
                "another --workdir"
            )

    def write(self, config: Config, info: DataInfo) -> None:
        """Writes the recipe and the data's description.

        Raises:
            UserError: if the folder cannot be written to.
        """
        try:
            self._write("info.json", json.dumps(dataclasses.asdict(info), indent=1))
            self._write("config.toml", config.to_toml(with_folders=True))
        except OSError as error:
            raise UserError(f"--workdir={self.path}: {error.strerror}") from None

    def write_hardware(self, hardware: dict) -> dict | None:
        """Keep what computes the run's steps from here on.

        Args:
            hardware: Fields of `engine.devices.Hardware`.

        Returns:
            The fields of what computed them before; None if that is not known.
        """
        before = None
        with contextlib.suppress(OSError, ValueError):
            with open(self.join("hardware.json"), encoding="utf-8") as file:
                before = json.load(file)
        self._write("hardware.json", json.dumps(hardware, indent=1))
        return before

    def write_conditions(self, pictures: np.ndarray) -> None:
        """Keep some condition images, uint8 [num, height, width, channels]."""
        temporary = self.join("sources.npz.tmp")
        with open(temporary, "wb") as file:
            np.savez_compressed(file, pictures=pictures)
        os.replace(temporary, self.join("sources.npz"))

    def read(self) -> tuple[Config, DataInfo]:
        """Reads the recipe and the data's description back.

        Raises:
            UserError: if the folder holds no run.
        """
        if not self._is_run():
            raise UserError(f"{self.path}: not a run's folder (it has no config.toml)")
        return config_lib.load_config(self.join("config.toml")), self._read_info()

    def _is_run(self) -> bool:
        return all(os.path.isfile(self.join(f)) for f in ("config.toml", "info.json"))

    def _read_info(self) -> DataInfo:
        try:
            with open(self.join("info.json"), encoding="utf-8") as file:
                raw = json.load(file)
            raw["image_shape"] = tuple(raw["image_shape"])
            raw["class_names"] = tuple(raw["class_names"])
            older = raw.pop("source_shape", ())  # its name in runs made before
            raw["condition_shape"] = tuple(raw.get("condition_shape", older))
            return DataInfo(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self.join('info.json')}: {error}") from None

    def _read_toml(self) -> dict:
        try:
            with open(self.join("config.toml"), "rb") as file:
                return tomllib.load(file)
        except (OSError, ValueError) as error:
            raise UserError(f"{self.join('config.toml')}: {error}") from None

    def _write(self, name: str, text: str) -> None:
        temporary = self.join(f"{name}.tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, self.join(name))

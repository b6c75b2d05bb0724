"""A run's folder: its recipe, its data's description, and what training leaves.

config.toml           the resolved recipe
info.json             what the data set says of itself
metrics.jsonl         one line every `train.log_every` steps
checkpoints/          step_<step>.npz, the newest few
samples/              step_<step>.png, from the averaged generator
tensorboard/          the same numbers and pictures for TensorBoard
export/               saved_model/ and generator.tflite
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tomllib

from keras_gans import config as config_lib
from keras_gans.config import Config
from keras_gans.data.options import DataInfo
from keras_gans.errors import UserError

PARTS = (
    "checkpoints",
    "samples",
    "tensorboard",
    "export",
    "metrics.jsonl",
    "info.json",
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
        self.saved_model = self.join("export", "saved_model")
        self.tflite = self.join("export", "generator.tflite")

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
        if not there or not os.listdir(self.path):
            return
        if not os.path.isfile(self.join("config.toml")):
            raise UserError(
                f"--workdir={self.path}: not empty and not a run's folder (it has no "
                "config.toml); choose another"
            )
        if overwrite:
            return
        if resume is False:
            raise UserError(
                f"--workdir={self.path}: holds a run already; pass --resume to go on "
                "with it, --overwrite to delete it, or another --workdir"
            )
        changed = config_lib.differences(self._read_toml(), config.to_dict())
        if resume and all(line.startswith("train.steps:") for line in changed):
            return
        if changed:
            more = " --resume goes on if only train.steps changed."
            raise UserError(
                f"--workdir={self.path}: holds a run of another recipe "
                f"({'; '.join(changed)}). Pass --overwrite to delete it, or another "
                f"--workdir.{more if 'train.steps' in ' '.join(changed) else ''}"
            )

    def start(self, config: Config, info: DataInfo, overwrite: bool) -> None:
        """Writes the recipe and the data's description, after `check`.

        Raises:
            UserError: if the folder cannot be written to.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            if overwrite:
                for part in PARTS:
                    if os.path.isdir(self.join(part)):
                        shutil.rmtree(self.join(part))
                    elif os.path.lexists(self.join(part)):
                        os.remove(self.join(part))
            self._write("info.json", json.dumps(dataclasses.asdict(info), indent=1))
            self._write("config.toml", config.to_toml())
        except OSError as error:
            raise UserError(f"--workdir={self.path}: {error.strerror}") from None

    def read(self) -> tuple[Config, DataInfo]:
        """Reads the recipe and the data's description back.

        Raises:
            UserError: if the folder holds no run.
        """
        if not os.path.isfile(self.join("config.toml")):
            raise UserError(f"{self.path}: not a run's folder (it has no config.toml)")
        config = config_lib.load_config(self.join("config.toml"))
        try:
            with open(self.join("info.json"), encoding="utf-8") as file:
                raw = json.load(file)
            raw["image_shape"] = tuple(raw["image_shape"])
            raw["class_names"] = tuple(raw["class_names"])
            return config, DataInfo(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self.join('info.json')}: {error}") from None

    def _read_toml(self) -> dict:
        try:
            with open(self.join("config.toml"), "rb") as file:
                return tomllib.load(file)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UserError(f"{self.join('config.toml')}: {error}") from None

    def _write(self, name: str, text: str) -> None:
        temporary = self.join(f"{name}.tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, self.join(name))

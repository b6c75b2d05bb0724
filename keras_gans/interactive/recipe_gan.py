"""A recipe that trains, draws, is measured and exported from Python."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from keras_gans.backend import import_backend
from keras_gans.diagnostics.log import read_log
from keras_gans.errors import UserError
from keras_gans.recipes.config import SHORT, Config, load_config
from keras_gans.storage.workdir import Workdir

if TYPE_CHECKING:
    import numpy as np

    from keras_gans.core.trainer import Trainer
    from keras_gans.sampling.keras_sampler import KerasSampler


def from_recipe(
    model: str,
    data: str | None = None,
    *,
    steps: int | None = None,
    image_size: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    workdir: str | None = None,
    data_dir: str | None = None,
    smoke: bool = False,
    allow_code: bool = False,
) -> RecipeGAN:
    """Make a model of the zoo that trains by its recipe.

    Arguments that are None leave the recipe's value. The same arguments on the command
    line, as in `keras-gans train --model=cgan --data=digits`, give the same weights.

    Args:
        model: Name in the zoo (see `list_models`) or path of a .toml file.
        data: Training data set, such as "digits" or "folder:my_images".
        steps: Number of training steps.
        image_size: Side of the images in pixels.
        batch_size: Images in a batch.
        seed: Seed of the weights and of all draws.
        settings: Other values of the recipe by key, such as {"generator.width": 16}.
        workdir: Folder of the run. A run that it holds goes on. None for a temporary
            folder, which is deleted with the model.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        smoke: Whether to shrink the recipe to a quick test.
        allow_code: Whether to import modules outside the package that the recipe names.

    Returns:
        The model, untrained unless `workdir` holds a run.

    Raises:
        UserError: If the recipe or a value is unknown or out of range.
    """
    given = {"data": data, "steps": steps, "image_size": image_size}
    given |= {"batch_size": batch_size, "seed": seed}
    values = {SHORT[name]: v for name, v in given.items() if v is not None}
    both = values.keys() & (settings or {}).keys()
    if both:
        raise UserError(f"settings: {min(both)} is given twice; leave one out")
    values |= settings or {}
    # JSON of text, numbers, booleans and lists is TOML, too.
    overrides = [f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in values.items()]
    import_backend()
    config = load_config(model, overrides, smoke, allow_code)
    return RecipeGAN(config, workdir, data_dir, allow_code)


class RecipeGAN:
    """A recipe and its run: it trains, draws, is measured and exported.

    Make one with `from_recipe`.

    Attributes:
        config: Resolved recipe.
        workdir: Folder of the run, with sample grids and metrics.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        allow_code: Whether to import modules outside the package that the recipe names.
    """

    def __init__(
        self,
        config: Config,
        workdir: str | None = None,
        data_dir: str | None = None,
        allow_code: bool = False,
    ):
        self.config = config
        self._temporary = None
        if workdir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="keras_gans_")
            workdir = self._temporary.name
        self.workdir = workdir
        self.data_dir, self.allow_code = data_dir, allow_code
        self._sampler: KerasSampler | None = None

    def fit(self) -> dict[str, list[float]]:
        """Train to the recipe's number of steps, or go on from the newest checkpoint.

        Returns:
            The log: the steps under "step", and the values of each name that every
            line of the log holds.

        Raises:
            UserError: If the data are missing or do not suit the recipe, or if training
                has failed; the lines above the error then say why.
            KeyboardInterrupt: After Ctrl-C, or an interrupted cell. Call `fit` again to
                go on.
        """
        from keras_gans import strategies
        from keras_gans.training.run import run

        self._sampler = None
        run_folder = Workdir(self.workdir, self.allow_code)
        team = strategies.make_team("auto")
        status = run(self.config, run_folder, self.data_dir, team)
        if status == 130:
            raise KeyboardInterrupt
        if status:
            raise UserError(f"{self.workdir}: training has stopped; see the line above")
        return self.log()

    def log(self) -> dict[str, list[float]]:
        """Return the log of the training so far, as `fit` does."""
        rows = read_log(Workdir(self.workdir).metrics).rows
        rows = [row for row in rows if "steps_per_second" in row]
        names = [k for k in (rows or [{}])[0] if all(k in row for row in rows)]
        return {name: [row[name] for row in rows] for name in names}

    @property
    def sampler(self) -> KerasSampler:
        """Sampler of the newest checkpoint.

        Raises:
            UserError: If the model is not trained.
        """
        from keras_gans.sampling.keras_sampler import load_workdir

        if self._sampler is None:
            folder = self.require_trained()
            self._sampler = load_workdir(folder, allow_code=self.allow_code)
        return self._sampler

    def require_trained(self) -> str:
        """Return the run's folder.

        Raises:
            UserError: If the model is not trained.
        """
        from keras_gans.storage import checkpoint

        if not checkpoint.steps(Workdir(self.workdir).checkpoints):
            raise UserError(f"{self.config.name} is not trained; call fit() first")
        return self.workdir

    @property
    def model(self) -> Trainer:
        """Trained Keras model, with the weights of the newest checkpoint."""
        return self.sampler.model

    def sample(self, num: int = 16, **options: Any) -> np.ndarray:
        """Draw images with the averaged generator.

        Args:
            num: Number of images.
            **options: Options of `BaseSampler.sample`, such as `labels` and `seed`.

        Returns:
            uint8 [num, height, width, channels].

        Raises:
            UserError: If the model is not trained.
            SamplerError: If an option is out of range or not the model's.
        """
        return self.sampler.sample(num, **options)

    def translate(self, image: np.ndarray, **options: Any) -> np.ndarray:
        """Translate an image, for a recipe that makes images from images.

        Args:
            image: uint8 [height, width, channels].
            **options: Options of `BaseSampler.translate`.

        Returns:
            uint8 [height, width, channels].

        Raises:
            UserError: If the model is not trained.
            SamplerError: If the model takes no images.
        """
        return self.sampler.translate(image, **options)


def measure(
    source: str | RecipeGAN,
    num: int = 10_000,
    reference: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Compare generated images with real ones, as `keras-gans evaluate` does.

    Args:
        source: Trained `RecipeGAN`, or path of a run, SavedModel or .tflite file.
        num: Number of generated images.
        reference: Data set to compare with; see `EvaluationOptions`.
        **options: Other fields of `EvaluationOptions`, such as `features` and `seed`.

    Returns:
        The result, as in the JSON file that is written: KID is at
        `result["samples"]["kid"]`.

    Raises:
        UserError: If the source, the reference or the feature network is unavailable.
        SamplerError: If the seed is out of range.
        TypeError: If `options` holds an unknown name.
    """
    import_backend()
    from keras_gans.evaluation.options import EvaluationOptions
    from keras_gans.evaluation.samples import LEAST, check_dataset, evaluate
    from keras_gans.sampling import load

    if isinstance(source, RecipeGAN):
        known = {"data_dir": source.data_dir, "allow_code": source.allow_code}
        source, options = source.require_trained(), known | options
    options = EvaluationOptions(source, num=num, reference=reference, **options)
    if num < LEAST:
        raise UserError(f"num={num}: expected at least {LEAST} images")
    for name in (options.dataset, reference):
        check_dataset(name)
    sampler = load.load(
        source, options.checkpoint, options.backward, options.allow_code
    )
    return evaluate(options, sampler)


def export_model(
    source: str | RecipeGAN,
    kinds: Sequence[str] = ("saved_model", "tflite"),
    *,
    quantizations: Sequence[str] = ("float32",),
    checkpoint: str = "newest",
    size: int | None = None,
    watermark: str | None = None,
    allow_code: bool = False,
) -> list[str]:
    """Export a trained generator, as `keras-gans export` does.

    Args:
        source: Trained `RecipeGAN`, or path of a run.
        kinds: Kinds of exports; any of "saved_model", "tflite" and "web".
        quantizations: Precisions of the .tflite files, any of "float32", "float16",
            "dynamic" and "int8".
        checkpoint: "newest", or "best" for a run with `train.evaluate_every`.
        size: Side in pixels of the images that the .tflite file of a translation takes;
            0 for any size, None for the side of the training images.
        watermark: Key of an invisible mark in the images; None for no mark.
        allow_code: Whether to import modules outside the package that the run names.

    Returns:
        Paths of the SavedModels and .tflite files, in the run's folder.

    Raises:
        UserError: If the source is not trained, or an argument is unknown or does not
            suit the model.
    """
    from keras_gans import export
    from keras_gans.export.tflite import QUANTIZATIONS

    if isinstance(source, RecipeGAN):
        source, allow_code = source.require_trained(), source.allow_code
    kinds, quantizations = (
        [words] if isinstance(words, str) else words for words in (kinds, quantizations)
    )
    for name, words, known in (
        ("kinds", kinds, export.KINDS),
        ("quantizations", quantizations, QUANTIZATIONS),
    ):
        for word in words:
            if word not in known:
                choices = ", ".join(known)
                raise UserError(f"{name}: expected any of {choices}, got {word!r}")
    written = export.export_workdir(
        Workdir(source, allow_code), kinds, quantizations, checkpoint, size, watermark
    )
    return [path for _, path in written]

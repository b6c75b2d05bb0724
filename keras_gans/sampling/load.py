"""Sampler of a generator at a path: a workdir, a SavedModel or a .tflite file."""

from __future__ import annotations

import os

from keras_gans.backend import import_backend, import_tensorflow
from keras_gans.device.sampler import ENDINGS, BaseSampler, Sampler
from keras_gans.errors import UserError
from keras_gans.recipes.config import zoo_names
from keras_gans.storage.workdir import nearest_run


def load(
    source: str,
    checkpoint: str = "newest",
    backward: bool = False,
    allow_code: bool = False,
) -> BaseSampler:
    """Open a trained generator.

    Args:
        source: Path of a run's workdir, a SavedModel folder or a .tflite file, written
            by this package.
        checkpoint: Checkpoint of a workdir: "newest", or "best" (by KID) for a run with
            `train.evaluate_every`.
        backward: Whether to translate in the direction from images to condition images
            (CycleGAN). Only for a workdir.
        allow_code: Whether to import modules outside the package that a workdir names,
            and to run a SavedModel with operations that may reach outside the model,
            such as one that writes files. Allow only sources whose author you trust.

    Returns:
        Sampler of the generator. `load(source).sample(16, labels=4, seed=0)` is uint8
        [16, height, width, channels]. For a translation,
        `load(source).translate(image)` is uint8 [height, width, channels].

    Raises:
        UserError: If `source` is missing or of another kind, lacks the checkpoint or
            the direction, or needs `allow_code`.
        SamplerError: If a .tflite file is missing, truncated or contains no generator.
    """
    source = os.path.expanduser(source)
    is_run = os.path.isfile(os.path.join(source, "config.toml"))
    if checkpoint != "newest" and not is_run:
        raise UserError(
            f"--checkpoint={checkpoint}: expected a run's workdir, which has "
            f"checkpoints, got {source}; leave it out"
        )
    if backward and not is_run and os.path.exists(source):
        raise UserError(
            f"--backward: expected a run's workdir, which has both directions, got "
            f"{source}; use the export of the other direction "
            "(generator_backward.tflite)"
        )
    if source.endswith(".tflite"):
        return Sampler(source)  # without TensorFlow
    if os.path.isfile(os.path.join(source, "saved_model.pb")):
        import_tensorflow("a SavedModel")
        from keras_gans.sampling.saved_model_sampler import SavedModelSampler

        return SavedModelSampler(source, allow_code)
    if is_run:
        import_backend()
        from keras_gans.sampling.keras_sampler import load_workdir

        return load_workdir(source, checkpoint, backward, allow_code)
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder or a .tflite file"
        f"{described(source)}"
    )


def described(source: str) -> str:
    """Return what a source is that is no generator, and the run that it may mean.

    Args:
        source: Path that a command was given.
    """
    near = nearest_run(source)
    if near:
        return f"; did you mean {near}?"
    if not os.path.lexists(source):
        name = os.path.basename(source)
        train = f"; train it first: keras-gans train --model={name}"
        known = name in zoo_names()
        return f", got a path that does not exist{train if known else ''}"
    if source.lower().endswith(ENDINGS):
        return ", got an image"
    if os.path.isfile(source):
        return ", got another file"
    return (
        f", got a folder with {', '.join(sorted(os.listdir(source))[:3]) or 'no files'}"
    )

"""Samplers of whatever a path holds."""

from __future__ import annotations

import os

from keras_gans.backend import import_backend, import_tensorflow
from keras_gans.device.sampler import BaseSampler, Sampler
from keras_gans.errors import UserError


def load(
    source: str, checkpoint: str = "newest", backward: bool = False
) -> BaseSampler:
    """Opens a trained generator, wherever it is.

    Args:
        source: A run's workdir, a SavedModel folder, or a .tflite file, each as this
            package writes them.
        checkpoint: Which one of a workdir's: "newest", or "best" (by KID) of a run
            with train.evaluate_every.
        backward: Of a workdir: the direction from what the model makes to what it is
            made from (cyclegan).

    Returns:
        A sampler: `load(source).sample(16, labels=4, seed=0)` is uint8 [16, height,
        width, channels]; `load(source).translate(picture)`, if the model makes
        pictures from pictures, is uint8 [height, width, channels].

    Raises:
        UserError: if the source is missing or none of the three, or has no other
            direction.
        SamplerError: if a .tflite is truncated or not a generator.
    """
    source = os.path.expanduser(source)
    is_run = os.path.isfile(os.path.join(source, "config.toml"))
    if checkpoint != "newest" and not is_run:
        raise UserError(
            f"--checkpoint={checkpoint}: only a run's workdir has checkpoints, and "
            f"{source} is none"
        )
    if backward and not is_run and os.path.exists(source):
        raise UserError(
            f"--backward: only a run's workdir has both directions, and {source} is "
            "none; its other direction is a file of its own (generator_backward.tflite)"
        )
    if source.endswith(".tflite"):
        return Sampler(source)  # without TensorFlow
    if os.path.isfile(os.path.join(source, "saved_model.pb")):
        import_tensorflow("a SavedModel")
        from keras_gans.sampling.saved_model_sampler import SavedModelSampler

        return SavedModelSampler(source)
    if is_run:
        import_backend()
        from keras_gans.sampling.keras_sampler import load_workdir

        return load_workdir(source, checkpoint, backward)
    what = "" if os.path.lexists(source) else " (there is nothing there)"
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder or a .tflite file{what}"
    )

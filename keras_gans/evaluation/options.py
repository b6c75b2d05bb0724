"""Options of an evaluation."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Options of `keras_gans.evaluate`.

    Attributes:
        source: Workdir, SavedModel folder, .tflite file or folder of images.
        num: Number of samples.
        num_given: Whether the user set `num`. If not, a folder may hold fewer images.
        seed: Seed of the samples' latents.
        reference: Data set to compare with; the training data set if None.
        reference_split: Split of a TFDS reference; if None, the test split where the
            data set has one.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        features: Name of the feature network; the default of the data set if None.
        cache: Whether to cache the statistics of real images on disk.
        cross_check: Whether to run torch-fidelity as well.
        backward: Whether to evaluate the direction from B to A of a CycleGAN.
        out: Folder of the results; if None, "evaluation" in the run's workdir, or in
            the current folder for other sources.
        dataset: Data set that the images imitate; the source's own if None.
        checkpoint: Checkpoint of a workdir, "newest" or "best"; see `sampling.load`.
        allow_code: Whether to import modules that the source names, as `sampling.load`
            does.
    """

    source: str
    num: int = 10_000
    num_given: bool = False
    seed: int = 0
    reference: str | None = None
    reference_split: str | None = None
    data_dir: str | None = None
    features: str | None = None
    cache: bool = True
    cross_check: bool = False
    backward: bool = False
    out: str | None = None
    dataset: str | None = None
    checkpoint: str = "newest"
    allow_code: bool = False

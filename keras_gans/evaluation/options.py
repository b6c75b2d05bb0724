"""Options of an evaluation."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What `keras_gans.evaluate` measures, and beside what.

    Attributes:
        source: Workdir, SavedModel folder, .tflite file or folder of images.
        num: Number of samples.
        num_given: Whether `num` was asked for; if not, a folder may hold fewer.
        seed: Seed of the samples' latents.
        reference: Data set to compare with; that of training if None.
        reference_split: Split of a TFDS reference; "test" if None and there is one.
        data_dir: Folder of TensorFlow Datasets.
        features: Name of the feature network; one that suits the data if None.
        cache: Whether to keep features of real images on disk.
        cross_check: Whether to run torch-fidelity, too.
        backward: Whether to measure the way back of a cyclegan.
        out: Folder of the results; chosen by `source` if None.
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

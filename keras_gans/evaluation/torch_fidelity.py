"""Cross-check of the metrics by torch-fidelity, on the same images."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING

from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError, first_line

if TYPE_CHECKING:  # `check` reports a missing package before TensorFlow is loaded
    from keras_gans.evaluation.streams import DataPictures, SampledPictures

# torch-fidelity's names of its metrics, and their titles in the results.
MEASURES = {
    "kernel_inception_distance_mean": "KID",
    "frechet_inception_distance": "Frechet distance",
    "inception_score_mean": "Inception score",
}


def check() -> None:
    """Check that torch-fidelity is installed.

    Raises:
        UserError: If torch-fidelity is not installed.
    """
    if not importlib.util.find_spec("torch_fidelity"):
        raise UserError(
            "--cross_check: torch-fidelity is not installed; run pip install "
            "torch-fidelity (it needs PyTorch, and downloads its feature network)"
        )


def run(
    samples: DataPictures | SampledPictures, reference: DataPictures
) -> dict[str, str | float]:
    """Write both sets of images into folders and run torch-fidelity on the folders.

    The feature network is the Inception network of published FIDs. torch-fidelity
    resizes the images itself. No constant factor relates its KID to the KID of another
    feature network.

    Args:
        samples: Stream of the images to evaluate.
        reference: Stream of real images.

    Returns:
        {"by": package, version and network, title: value}, with the titles of
        `MEASURES`.

    Raises:
        UserError: If torch-fidelity fails, for instance because its feature network
            cannot be downloaded.
    """
    from torch_fidelity import calculate_metrics

    from keras_gans.evaluation.compare import SUBSET_SIZE, SUBSETS

    network = "inception-v3-compat"
    with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
        folders = []
        for name, pictures in (("samples", samples), ("reference", reference)):
            folders.append(os.path.join(folder, name))
            _write(pictures, folders[-1])
        fewest = min(len(os.listdir(path)) for path in folders)
        try:
            found = calculate_metrics(
                input1=folders[0],
                input2=folders[1],
                feature_extractor=network,
                cuda=False,
                isc=True,
                fid=True,
                kid=True,
                kid_subsets=SUBSETS,
                kid_subset_size=min(SUBSET_SIZE, fewest),
                rng_seed=0,
                verbose=False,
            )
        except Exception as error:  # of any type: PyTorch's, the download's, its own
            raise UserError(
                f"--cross_check: torch-fidelity failed: {first_line(error)}"
            ) from None
    version = metadata.version("torch-fidelity")
    measured = {title: float(found[key]) for key, title in MEASURES.items()}
    return {"by": f"torch-fidelity {version}, {network}", **measured}


def _write(pictures: DataPictures | SampledPictures, folder: str) -> None:
    os.makedirs(folder)
    number = 0
    for chunk, _ in pictures.chunks():
        for picture in chunk:
            path = os.path.join(folder, f"{number:06d}.png")
            sampler_lib.write(sampler_lib.encode(picture), path)
            number += 1

"""The same pictures measured by torch-fidelity, as a second opinion."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING

from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError, first_line

if TYPE_CHECKING:  # a missing package is said before TensorFlow is loaded
    from keras_gans.evaluation.streams import DataPictures, SampledPictures

# torch-fidelity's names, and what they are called in our table.
MEASURES = {
    "kernel_inception_distance_mean": "KID",
    "frechet_inception_distance": "Frechet distance",
    "inception_score_mean": "Inception score",
}


def check() -> None:
    """Checks that the package is there.

    Raises:
        UserError: if it is not.
    """
    if not importlib.util.find_spec("torch_fidelity"):
        raise UserError(
            "--cross_check: torch-fidelity is not installed; run pip install "
            "torch-fidelity (it brings PyTorch, and downloads its network)"
        )


def run(
    samples: DataPictures | SampledPictures, reference: DataPictures
) -> dict[str, str | float]:
    """Writes both sets into folders, and runs torch-fidelity on them.

    Its network is Inception as in the published FIDs, on pictures that it resizes by
    itself; its KID has no factor in common with that of other networks.

    Args:
        samples: What is measured.
        reference: Real pictures.

    Returns:
        {"by": package, version and network, and the `MEASURES`}.

    Raises:
        UserError: if it fails, for instance as its network cannot be downloaded.
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
        except Exception as error:  # what PyTorch, a download or the package says
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

r"""Evaluate generated images against real images.

    python -m keras_gans.evaluate --source=runs/cgan
    python -m keras_gans.evaluate --source=runs/cgan --reference=tfds:mnist \
        --data_dir=~/tfds

The source is a run's workdir, a SavedModel folder, a .tflite file, or a folder of
square images of one size. The command prints a table and writes it as JSON. It also
writes a sheet of the ten most suspicious samples, each beside its nearest training
image.

Real images are converted to the source's size and channels. Then all images are
converted to the size and channels of the feature network. Both steps resize with the
antialiased Lanczos filter. Compare only numbers with the same features, reference and
sample count; all three are part of the result's name.

- KID: kernel inception distance, unbiased. The mean over 100 subsets of 1,000 images,
  or of half of the smaller set if that is less. The standard error is that over fresh
  images (a delete-d jackknife over the subsets). 0 is best, and is the average for
  equal distributions.
- Frechet distance: 0 is best. The value is biased: fewer samples increase it.
- precision, density: realism of the samples. recall, coverage: share of the real images
  that the samples cover. k = 5, on sets of equal size, 10,000 at most.
- class score: Inception score with the classes of the feature network.
- label accuracy: share of samples that the feature network assigns to the class of
  their label. Only for conditional generators with the network's own classes.
- MS-SSIM of pairs: mean similarity of two images, of one class if there are classes.
  If it exceeds the value of real images, the samples vary too little. Only scales with
  at least 11 pixels count: 2 at 28 and 32 pixels, all 5 at 176 pixels.
- authenticity: share of samples that are further from their nearest training image than
  this image is from the next training image. Copies have 0. Compare the value with that
  of held-out images, which is about one half.
- as near as the nearest 1 % of held-out images: should be 1 %; a larger share indicates
  copies.

The column of real images shows the values to aim for. KID, Frechet distance, precision,
recall, density and coverage compare training images with the reference. The other rows
measure the reference itself.

For a translation, the reference has true images and condition images:

    python -m keras_gans.evaluate --source=runs/pix2pix --reference=pairs:A,B

L1, PSNR and SSIM compare generated images with the true images of pairs. KID needs no
pairs. The table also shows baselines: the condition image itself, the mean of the
training images, and with pairs two simple maps of the condition image.
"""

from __future__ import annotations

import dataclasses
import os
import sys

from absl import flags

from keras_gans.backend import import_backend
from keras_gans.cli import flags as flags_lib
from keras_gans.cli.run import run_command
from keras_gans.errors import UserError
from keras_gans.evaluation.options import EvaluationOptions
from keras_gans.evaluation.samples import LEAST, check_dataset, evaluate
from keras_gans.sampling import load

_FIELDS = dataclasses.fields(EvaluationOptions)


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source",
        None,
        "Workdir, SavedModel folder, .tflite file or folder of images.",
        **flag,
    )
    flags_lib.define_checkpoint(values)
    flags_lib.define_allow_code(values)
    flags.DEFINE_string(
        "dataset",
        None,
        "Data set that the source was trained on: digits, fashion, tfds:NAME or "
        "folder:PATH. If not given, the data set that the generator's recipe names.",
        **flag,
    )
    flags.DEFINE_string(
        "reference",
        None,
        "Data set of real images to compare with, in the form of --dataset. If not "
        "given: the run's held-out images, else the test split of a TFDS data set, "
        "else the training images.",
        **flag,
    )
    flags.DEFINE_string(
        "reference_split",
        None,
        "Split of a TFDS reference; the test split if not given and there is one.",
        **flag,
    )
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder in which TensorFlow Datasets keeps its data sets.",
        **flag,
    )
    flags.DEFINE_bool(
        "backward",
        False,
        "Whether to evaluate the direction from B to A (cyclegan).",
        **flag,
    )
    flags.DEFINE_integer(
        "num",
        10_000,
        "Number of samples; of a folder, the number of its first images.",
        **flag,
    )
    flags.DEFINE_integer("seed", 0, "Seed of the samples' latents, 0 or more.", **flag)
    flags.DEFINE_string(
        "features",
        None,
        "Feature network: classifier:digits, classifier:fashion, efficientnet_lite0 or "
        "inception_v3. If not given, the classifier of the data set's classes, or else "
        "efficientnet_lite0.",
        **flag,
    )
    flags.DEFINE_bool(
        "cache",
        True,
        "Whether to cache the features of real images in the user's cache folder "
        "(~/.cache/keras_gans).",
        **flag,
    )
    flags.DEFINE_bool(
        "cross_check",
        False,
        "Whether to run torch-fidelity as well, on the same images. It must be "
        "installed.",
        **flag,
    )
    flags.DEFINE_string(
        "out",
        None,
        "Folder of the results. If not given, evaluation in the run's workdir, or in "
        "the current folder for other sources.",
        **flag,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("evaluate", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    from keras_gans.evaluation import (
        features,
        torch_fidelity,
    )

    if values.source is None:
        raise UserError(
            "--source: expected a generator or a folder of images; pass for instance "
            "--source=runs/cgan"
        )
    if values.num < LEAST:
        raise UserError(f"--num={values.num}: expected at least {LEAST} images")
    if values.features is not None:
        features.check_name(values.features)
    if values.cross_check:
        torch_fidelity.check()
    folder = _is_folder_of_pictures(values.source)
    if folder and values.dataset is None:
        raise UserError(
            f"{values.source} is a folder of images, which records no training data "
            "set; pass --dataset=digits, tfds:NAME or folder:PATH"
        )
    for name in (values.dataset, values.reference):
        check_dataset(name)
    for name in ("seed", "checkpoint"):
        if folder and values[name].present:
            raise UserError(
                f"--{name}: expected a generator, but {values.source} is a folder of "
                "images; leave it out"
            )
    if folder and values.backward:
        raise UserError(
            "--backward: expected a generator with two directions, such as cyclegan's, "
            "got a folder of images; leave it out"
        )
    sampler = None
    if not folder:
        sampler = load.load(
            values.source, values.checkpoint, values.backward, values.allow_code
        )
    import_backend()
    fields = {f.name: getattr(values, f.name, None) for f in _FIELDS}
    fields["num_given"] = values["num"].present
    options = EvaluationOptions(**fields)
    if sampler is not None and "condition_shape" in sampler.info:
        for name in ("seed", "dataset", "cross_check"):
            if values[name].present:
                raise UserError(
                    f"--{name}: expected a generator from noise, but {values.source} "
                    "is a translation; leave it out (--reference names its images)"
                )
    evaluate(options, sampler)


def _is_folder_of_pictures(source: str) -> bool:
    """Return whether a source is a folder of images instead of a generator.

    Raises:
        UserError: If the source does not exist or is another file.
    """
    path = os.path.expanduser(source)
    if path.endswith(".tflite") or os.path.isfile(os.path.join(path, "saved_model.pb")):
        return False
    if os.path.isdir(path):
        return not os.path.isfile(os.path.join(path, "config.toml"))
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder, a .tflite file or a "
        f"folder of images{load.described(path)}"
    )


if __name__ == "__main__":
    sys.exit(main())

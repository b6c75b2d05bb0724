r"""Measures generated pictures against real ones.

    python -m keras_gans.evaluate --source=runs/cgan
    python -m keras_gans.evaluate --source=runs/cgan --reference=tfds:mnist \
        --data_dir=~/tfds

The source is a run's workdir, a SavedModel folder, a .tflite file, or a folder of
square pictures of one size. Prints a table and writes it as JSON, with a sheet of the
ten most suspicious samples, each beside the training picture that is nearest to it.

Real pictures are brought to the source's size and colours, then all pictures to those
of the feature network, both with the antialiased Lanczos filter. Numbers compare with
others of the same features, reference and count alone; so these are in their name.

- KID: kernel inception distance, unbiased; the mean of 100 subsets of 1,000 (half of
  the pictures if that is less), and its standard error over fresh pictures (a delete-d
  jackknife over the subsets). 0 is best, and what equal laws have on average.
- Frechet distance: 0 is best; biased, the more the fewer samples there are.
- precision, density: how real the samples are; recall, coverage: how much of the real
  ones they cover; k = 5, of equal numbers, 10,000 at most.
- class score: the Inception score of the network's classes, whatever they are.
- class as asked for: of conditional generators of the network's own classes.
- MS-SSIM: mean similarity of pairs within a class; above that of real pictures the
  samples vary too little. Of 5 scales those with 11 pixels or more: 2 at 28 and 32
  pixels, all at 176.
- authenticity: the share of samples further from the nearest training picture than this
  is from its own nearest. 0 is a copy of the training set; to be read beside that of
  held-out pictures, which is about one half.
- as near as the nearest 1 % of held-out pictures: should be 1 %; more are copies.

Of a generator from pictures, the reference is what it is to make, and from what:

    python -m keras_gans.evaluate --source=runs/pix2pix --reference=pairs:A,B

L1, PSNR and SSIM against the true pictures where they are known, and KID where they are
not; beside the condition itself and the mean of the training pictures.

The column of real pictures says what there is to reach: training pictures against the
reference; for MS-SSIM, classes and copies the reference itself.
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
from keras_gans.evaluation.samples import (
    LEAST,
    RealImages,
    check_dataset,
    make_folder,
    measure,
    measure_translation,
    open_reference,
    open_samples,
    trained_on,
)
from keras_gans.sampling import load

_FIELDS = dataclasses.fields(EvaluationOptions)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source",
        None,
        "A workdir, a SavedModel folder, a .tflite file or a folder of pictures.",
        **flag,
    )
    flags_lib.define_checkpoint(values)
    flags.DEFINE_string(
        "dataset",
        None,
        "What the source was trained on: digits, fashion, tfds:NAME or folder:PATH; a "
        "generator knows its own.",
        **flag,
    )
    flags.DEFINE_string(
        "reference",
        None,
        "Real pictures to compare with, as --dataset; those of --dataset if not given.",
        **flag,
    )
    flags.DEFINE_string(
        "reference_split",
        None,
        "Split of a TFDS reference; test if not given and there is one.",
        **flag,
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its sets.", **flag)
    flags.DEFINE_bool("backward", False, "Of cyclegan: its way back.", **flag)
    flags.DEFINE_integer(
        "num", 10_000, "Samples; of a folder its first pictures.", **flag
    )
    flags.DEFINE_integer("seed", 0, "Of the samples' latents; from 0 up.", **flag)
    flags.DEFINE_string(
        "features",
        None,
        "Feature network: classifier:digits, classifier:fashion, efficientnet_lite0 or "
        "inception_v3; if not given, the classifier of the data or efficientnet_lite0.",
        **flag,
    )
    flags.DEFINE_bool(
        "cache",
        True,
        "Keeps the features of real pictures in the user's folder of caches (~/.cache/"
        "keras_gans), and takes them from there.",
        **flag,
    )
    flags.DEFINE_bool(
        "cross_check",
        False,
        "Also runs torch-fidelity, if it is installed, on the same pictures.",
        **flag,
    )
    flags.DEFINE_string(
        "out",
        None,
        "Folder for the results; evaluation, in a run's workdir or here, if not given.",
        **flag,
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("evaluate", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    from keras_gans.evaluation import (
        features,  # needs TensorFlow, but only when one is opened
        torch_fidelity,  # needs TensorFlow, but only when one is opened
    )

    if values.source is None:
        raise UserError("say what to measure: --source=runs/cgan")
    if values.num < LEAST:
        raise UserError(f"--num={values.num}: expected at least {LEAST} pictures")
    if values.features is not None:
        features.check_name(values.features)
    if values.cross_check:
        torch_fidelity.check()
    folder = _is_folder_of_pictures(values.source)
    if folder and values.dataset is None:
        raise UserError(
            f"{values.source} is a folder of pictures: say what they should be like, "
            "as --dataset=digits, tfds:NAME or folder:PATH"
        )
    for name in (values.dataset, values.reference):
        check_dataset(name)
    for name in ("seed", "checkpoint"):
        if folder and values[name].present:
            raise UserError(
                f"--{name}: {values.source} is a folder of pictures, which are there "
                "already; leave it away"
            )
    if folder and values.backward:
        raise UserError("--backward: only of generators that go back, as cyclegan's")
    sampler = None
    if not folder:
        sampler = load.load(values.source, values.checkpoint, values.backward)
    import_backend()
    fields = {f.name: getattr(values, f.name, None) for f in _FIELDS}
    fields["num_given"] = values["num"].present
    options = EvaluationOptions(**fields)
    if sampler is not None and "condition_shape" in sampler.info:
        for name in ("seed", "dataset", "cross_check"):
            if values[name].present:
                raise UserError(
                    f"--{name}: {values.source} makes pictures from pictures; leave it "
                    "away (--reference names these)"
                )
        measure_translation(options, sampler)
        return
    dataset, split, held_out = values.dataset, "train", None
    if dataset is None:
        dataset, split, held_out = trained_on(sampler, values.source)
    samples = open_samples(options, sampler)
    real = RealImages(samples.image_shape, values.data_dir)
    train = real.open(dataset, split, held_out)
    reference, note = open_reference(options, dataset, split, train, real)
    chosen = values.features or features.suited(dataset)
    features.check_name(chosen)
    out = make_folder(options, folder)
    network = features.open_network(chosen)
    print(f"features: {network.name}, {network.dim} of {network.about}", flush=True)
    measure(options, samples, train, reference, note, network, sampler, out)


def _is_folder_of_pictures(source: str) -> bool:
    """Whether a source is no generator; a UserError if it is nothing at all."""
    path = os.path.expanduser(source)
    if path.endswith(".tflite") or os.path.isfile(os.path.join(path, "saved_model.pb")):
        return False
    if os.path.isdir(path):
        return not os.path.isfile(os.path.join(path, "config.toml"))
    what = "" if os.path.lexists(path) else " (there is nothing there)"
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder, a .tflite file or a "
        f"folder of pictures{what}"
    )


if __name__ == "__main__":
    sys.exit(main())

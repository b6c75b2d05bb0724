"""Evaluation of samples against a reference set."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from keras_gans.data.options import DERIVED
from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError
from keras_gans.evaluation import compare
from keras_gans.evaluation.options import EvaluationOptions
from keras_gans.evaluation.tables import table, translation_table
from keras_gans.recipes.old_names import read_tables
from keras_gans.storage.workdir import Workdir

if TYPE_CHECKING:
    from keras_gans.device.sampler import BaseSampler
    from keras_gans.evaluation.features.network import FeatureNetwork
    from keras_gans.evaluation.streams import DataPictures, SampledPictures

# Embedded data sets, and the TFDS data sets that have their test splits.
EMBEDDED = {"digits": "tfds:mnist", "fashion": "tfds:fashion_mnist"}


LEAST = 20  # images: two for each of the class score's ten parts; more than PRDC's k


def check_dataset(name: str | None) -> None:
    """Check that a data set has images.

    Raises:
        UserError: If the data set holds points.
    """
    if name in ("ring", "grid25"):
        raise UserError(
            f"'{name}' holds points, not images; see the run's metrics.jsonl for the "
            "number of covered modes"
        )


def trained_on(sampler: BaseSampler, run: Workdir) -> tuple[str, str, Workdir | None]:
    """Read what a generator was trained on from its recipe.

    The run of an export is unknown. Images that such a run held out of training count
    as training images.

    Args:
        sampler: Generator.
        run: Workdir at the path of the generator, which may be another file.

    Returns:
        (data set, split, workdir of the run if it held images out of training).

    Raises:
        UserError: If the recipe names no data set, or a data set of points.
    """
    try:
        table = read_tables(sampler.info["recipe"])["data"]
        dataset, split = table["dataset"], table.get("split", "train")
        held_out = run if table.get("held_out") else None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        dataset = split = None  # no recipe, or a damaged one
    if not isinstance(dataset, str) or not isinstance(split, str):
        raise UserError(
            "the source does not record its training data set; pass --dataset"
        )
    check_dataset(dataset)
    if held_out and not os.path.isfile(held_out.join("config.toml")):
        held_out = None
    return dataset, split, held_out


def announce(dataset: str, options: EvaluationOptions, flag: str) -> None:
    """Print which data set a source names, before the data set is opened.

    Args:
        dataset: Name of the data set.
        options: Options of the evaluation.
        flag: Flag by which the user may choose a data set.

    Raises:
        UserError: If the data set would be downloaded, and no flag asks for it.
    """
    print(
        f"data set: {sampler_lib.shown(dataset)}, which {options.source} names; {flag} "
        "chooses another",
        flush=True,
    )
    name = dataset
    for prefix in DERIVED:
        name = name.removeprefix(f"{prefix}:")
    if not name.startswith("tfds:") or dataset == options.reference:
        return
    from keras_gans.data.tfds import is_prepared

    if not is_prepared(name.removeprefix("tfds:"), options.data_dir):
        raise UserError(
            f"{options.source} names the data set {dataset}, which is not on this "
            f"machine; pass {flag}={dataset} to download it, or --data_dir if it is in "
            "another folder"
        )


def open_samples(
    options: EvaluationOptions, sampler: BaseSampler | None
) -> DataPictures | SampledPictures:
    """Open the stream of the images to evaluate, without generating or reading them.

    Args:
        options: Options of the evaluation.
        sampler: Generator; None if the source is a folder of images.

    Returns:
        Stream of the images.

    Raises:
        UserError: If the generator draws points, or a folder holds too few images.
        SamplerError: If the seed is out of range, or the generator takes no latents.
    """
    from keras_gans import data
    from keras_gans.data.folder import common_side
    from keras_gans.evaluation.streams import DataPictures, SampledPictures

    if sampler is not None:
        if tuple(sampler.info["image_shape"][:2]) == (1, 1):
            raise UserError(f"{options.source} generates points, not images")
        sampler.check(sampler_lib.SampleOptions(options.seed))
        return SampledPictures(sampler, options.num, options.seed)
    side = common_side(options.source)
    source = data.open_source(
        data.DataOptions(f"folder:{options.source}", 1, image_size=side, cache_mib=0)
    )
    there, num = source.info.num_examples, options.num
    if not options.num_given:
        num = min(num, there)
    if not LEAST <= num <= there:
        raise UserError(
            f"{options.source}: expected at least {max(num, LEAST)} images, found "
            f"{there}; --num sets the number of images to take, {LEAST} or more"
        )
    return DataPictures(source, "samples", num)


class RealImages:
    """Opener of data sets whose images get the size and channels of the samples.

    Args:
        image_shape: (height, width, channels) of the samples.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
    """

    def __init__(self, image_shape: tuple[int, int, int], data_dir: str | None):
        self.image_shape, self.data_dir = image_shape, data_dir

    def open(
        self, dataset: str, split: str, run: Workdir | None = None
    ) -> DataPictures:
        """Open the stream of a data set's images.

        Args:
            dataset: Name of the data set, as in `DataOptions.dataset`.
            split: Split of a TFDS data set.
            run: Run that held some of the images out of training.

        Returns:
            Stream of the images. With `run` its `held_out` is set.

        Raises:
            UserError: If the data set has too few images, or has changed since the run.
        """
        from keras_gans import data
        from keras_gans.evaluation.streams import DataPictures

        side, _, channels = self.image_shape
        data_options = data.DataOptions(
            dataset, 1, split, image_size=side, channels=channels, cache_mib=0
        )
        if run:  # opened as in training, so that the same images are held out
            recipe, info = run.read()
            data_options = dataclasses.replace(recipe.data, batch_size=1)
        source = data.open_source(data_options, self.data_dir)
        if run and source.info != info:
            raise UserError(
                f"{dataset}: the images have changed since {run.path} was trained on "
                "them, so its held-out images are unknown; pass --dataset and "
                "--reference"
            )
        kind, _, rest = dataset.partition(":")
        title = f"{dataset}[{split}]" if kind == "tfds" else dataset
        if kind == "folder":
            title = f"folder:{os.path.basename(os.path.abspath(rest))}"
        pictures = DataPictures(source, title)
        if run:
            pictures.held_out = DataPictures(source.held_out, f"{title} held out")
        for part in filter(None, (pictures, pictures.held_out)):
            if 0 < part.num < LEAST:
                raise UserError(
                    f"{part.title}: expected at least {LEAST} images, found "
                    f"{part.num}; pass another --dataset or --reference"
                )
        return pictures


def open_reference(
    options: EvaluationOptions,
    dataset: str,
    split: str,
    train: DataPictures,
    real: RealImages,
) -> tuple[DataPictures, str]:
    """Open the stream of the real images to compare with.

    Args:
        options: Options of the evaluation.
        dataset: Data set that the generator was trained on.
        split: Split that the generator was trained on.
        train: Stream of the training images.
        real: Opener of other data sets.

    Returns:
        (stream of real images, description of these images for the user).

    Raises:
        UserError: If the reference cannot be opened, or has no splits but
            `options.reference_split` names a split.
    """
    chosen, its_split = options.reference or dataset, options.reference_split
    kind, _, rest = chosen.partition(":")
    if train.held_out and not (options.reference or its_split):
        return train.held_out, (
            f"the {train.held_out.num} images that the run held out of training"
        )
    if kind != "tfds" and its_split:
        raise UserError(
            f"--reference_split: expected a TFDS data set, got {chosen}, which has no "
            "splits; leave it out"
        )
    if kind == "tfds" and not its_split:
        from keras_gans.data.tfds import split_names

        names = split_names(rest, options.data_dir)
        its_split = "test" if "test" in names or chosen != dataset else split
    if (_resolved(chosen), its_split or "train") == (_resolved(dataset), split):
        more = "--reference=folder:PATH"
        if dataset in EMBEDDED:
            more = f"--reference={EMBEDDED[dataset]}"
        elif kind == "tfds":
            more = "--reference_split"
        return train, (
            f"the {train.num} training images themselves, because {train.title} has no "
            f"test split: copies of these images would score best. {more} compares "
            "with images that the generator has not seen"
        )
    reference = real.open(chosen, its_split or "train")
    if kind == "tfds" and its_split == "test":
        return reference, f"the {reference.num} images of the test split"
    return reference, (f"{reference.num} images, assumed to be unseen by the generator")


def _resolved(dataset: str) -> str:
    """Return a data set's name, with the real path of a folder."""
    kind, colon, path = dataset.partition(":")
    if kind != "folder":
        return dataset
    return f"folder:{os.path.realpath(os.path.expanduser(path))}"


def make_folder(options: EvaluationOptions, folder: bool) -> str:
    """Make the folder of the results, and return its path.

    Args:
        options: Options of the evaluation.
        folder: Whether the source is a folder of images.

    Raises:
        UserError: If the folder cannot be made or written to.
    """
    source = os.path.expanduser(options.source)
    out = "evaluation"
    if options.out is not None:
        out = os.path.expanduser(options.out)
    elif not folder and os.path.isfile(os.path.join(source, "config.toml")):
        out = Workdir(source).evaluation
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{out}: {error.strerror}; pass another folder with --out"
        ) from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"{out}: cannot be written to; pass another folder with --out")
    return out


def evaluate(options: EvaluationOptions, sampler: BaseSampler | None) -> dict:
    """Evaluate generated images, print the table and write the result.

    Args:
        options: Options of the evaluation.
        sampler: Generator of `options.source`; None if the source is a folder of
            images.

    Returns:
        The result, as in the JSON file.

    Raises:
        UserError: If the images, the reference or the feature network are unavailable.
        SamplerError: If the seed is out of range.
    """
    from keras_gans.evaluation import features

    if sampler is not None and "condition_shape" in sampler.info:
        return measure_translation(options, sampler)
    dataset, split, held_out = options.dataset, "train", None
    if dataset is None:
        run = Workdir(options.source, options.allow_code)
        dataset, split, held_out = trained_on(sampler, run)
        announce(dataset, options, "--dataset")
    samples = open_samples(options, sampler)
    real = RealImages(samples.image_shape, options.data_dir)
    train = real.open(dataset, split, held_out)
    reference, note = open_reference(options, dataset, split, train, real)
    chosen = options.features or features.suited(dataset)
    features.check_name(chosen)
    out = make_folder(options, sampler is None)
    network = features.open_network(chosen)
    print(
        f"features: {network.name}, {network.dim} values of {network.about}", flush=True
    )
    return measure(options, samples, train, reference, note, network, sampler, out)


def measure_translation(options: EvaluationOptions, sampler: BaseSampler) -> dict:
    """Evaluate an image translation, print the table and write the result.

    Args:
        options: Options of the evaluation.
        sampler: Generator from condition images; see `evaluation.translation`.

    Returns:
        The result, as in the JSON file.

    Raises:
        UserError: If the reference or a required feature network is unavailable.
    """
    from keras_gans.evaluation import features, translation
    from keras_gans.evaluation.features.network import RESIZER

    data_options = translation.options_of(sampler)
    if not options.reference:
        announce(data_options.dataset, options, "--reference")
    reference = translation.open_reference(options, sampler, data_options)
    chosen = options.features or features.suited(data_options.pictures)
    network, skipped = None, ""
    try:
        network = features.open_network(chosen)
    except UserError as error:
        if options.features or not reference.paired:
            raise
        skipped = f"no KID ({error})"
    out = make_folder(options, False)
    mean = None
    if not options.backward:
        mean = translation.mean_picture(data_options, options.data_dir)
    found, shown = translation.measure(sampler, reference, mean, network)
    num = found.pop("num")
    label = f"{sampler.info['name']} at step {sampler.info['step']}"
    label += " backward" * options.backward
    seen = f"{network.name}, {RESIZER}, " if network else ""
    name = f"{label}, {seen}{reference.title}, {num}"
    result = {
        "name": name,
        "source": options.source,
        "step": sampler.info["step"],
        "num": num,
        "features": network and {"name": network.name, "about": network.about},
        "reference": {"name": reference.title, "paired": reference.paired},
        **found,
        "versions": _versions(),
    }
    print(translation_table(result, reference.note, skipped), flush=True)
    path = _write(result, out)
    sheet = path.replace(".json", ".png")
    columns = 4 * shown.shape[1]
    sampler_lib.save(shown.reshape(-1, *shown.shape[2:]), sheet, columns)
    print(f"wrote {path} and {os.path.basename(sheet)}")
    return result


def _write(result: dict, out: str) -> str:
    """Write a result to a file of its name, and return the file's path."""
    slug = re.sub(r"[^\w.]+", "-", result["name"]).strip("-")
    path = os.path.join(out, f"{slug}.json")
    sampler_lib.write((json.dumps(result, indent=1) + "\n").encode(), path)
    return path


def _versions() -> dict[str, str]:
    import keras

    packages = ("keras_gans", "keras", keras.backend.backend(), "numpy")
    return {package: metadata.version(package) for package in packages}


def measure(
    options: EvaluationOptions,
    samples: DataPictures | SampledPictures,
    train: DataPictures,
    reference: DataPictures,
    note: str,
    network: FeatureNetwork,
    sampler: BaseSampler | None,
    out: str,
) -> dict:
    """Evaluate samples, print the table and write the result.

    Args:
        options: Options of the evaluation.
        samples: Stream of generated images.
        train: Stream of the images that the generator was trained on.
        reference: Stream of real images to compare with; `train` if there are no
            others.
        note: Description of the reference for the user.
        network: Feature network.
        sampler: Generator; None if `samples` come from files.
        out: Folder of the results.

    Returns:
        The result, as in the JSON file.

    Raises:
        UserError: If too few images can be read, or torch-fidelity fails.
    """
    from keras_gans.evaluation import collect, feature_cache, labels, torch_fidelity
    from keras_gans.evaluation.features.network import RESIZER
    from keras_gans.evaluation.metrics.ssim import num_scales

    start = time.monotonic()
    held_out = reference is not train
    sets = samples, reference, train
    by_class = all(pictures.class_names for pictures in sets)
    collect_real = feature_cache.collect if options.cache else collect.collect
    reference_stats = _collect(collect_real, reference, network, by_class, held_out)
    train_stats = reference_stats
    if held_out:
        train_stats = _collect(collect_real, train, network, by_class, False)
    chosen, followed = labels.choose(
        samples, (reference, reference_stats), (train, train_stats)
    )
    if chosen is not None:
        samples.set_labels(chosen)
    fake_stats = _collect(collect.collect, samples, network, by_class, held_out)
    real, skipped = {}, {}
    print("comparing", flush=True)
    found = compare.compare(reference_stats.features, fake_stats.features)
    own, others, pairs = compare.memorisation(
        fake_stats, train_stats.features, reference_stats if held_out else None
    )
    found |= own
    if held_out:
        order = np.random.default_rng(2).permutation(len(train_stats.features))
        some = train_stats.features[np.sort(order[: len(fake_stats.features)])]
        real = compare.compare(reference_stats.features, some) | others
    else:
        why = "there are no held-out images to compare with"
        skipped["suspicious"] = skipped["suspicious_if_changed"] = why
    for result, stats in ((found, fake_stats), (real, reference_stats)):
        mean, deviation = stats.score
        result["class_score"] = {"mean": mean, "standard_deviation": deviation}
        for key in ("accuracy", "ms_ssim"):
            if getattr(stats, key) is not None:
                result[key] = getattr(stats, key)
    if fake_stats.accuracy is None:
        skipped["accuracy"] = (
            f"{network.name} does not classify into the source's classes"
            if samples.class_names
            else "the source takes no labels"
        )
    if fake_stats.ms_ssim is None:
        skipped["ms_ssim"] = "the images are too small for the window of 11 pixels"
    label = os.path.basename(os.path.abspath(os.path.expanduser(options.source)))
    if sampler is not None:
        label = f"{sampler.info['name']} at step {sampler.info['step']}"
        if options.seed:
            label += f" with seed {options.seed}"
    num = len(fake_stats.features)
    name = f"{label}, {network.name}, {RESIZER}, {reference.title}, {num}"
    result = {
        "name": name,
        "source": options.source,
        "step": None if sampler is None else sampler.info["step"],
        "num": num,
        "seed": None if sampler is None else options.seed,
        "image_shape": list(samples.image_shape),
        "label_frequencies": followed or ("equal" if samples.takes_labels else None),
        "features": {"name": network.name, "dim": network.dim, "about": network.about},
        "resizer": RESIZER,
        "dataset": {"name": train.title, "num": len(train_stats.features)},
        "reference": {
            "name": reference.title,
            "num": len(reference_stats.features),
            "held_out": held_out,
        },
        "samples": found,
        "real": real,
        "skipped": skipped,
        "ms_ssim_pairs": "of one class" if by_class else "of any classes",
        "ms_ssim_scales": num_scales(samples.image_shape[0]),
        "most_suspicious": [
            {"sample": s, "training": t, **samples.label_of(s)} for s, t in pairs
        ],
        "seconds": round(time.monotonic() - start, 1),
        "versions": _versions(),
    }
    print(table(result, note), flush=True)
    path = _write(result, out)
    sheet = path.replace(".json", "_nearest.png")
    _write_sheet(samples, train, pairs, sheet)
    print(f"wrote {path} and {os.path.basename(sheet)}", flush=True)
    if options.cross_check:
        print("cross-checking", flush=True)
        result["cross_check"] = torch_fidelity.run(samples, reference)
        _write(result, out)
        print(*(f"  {k}: {v}" for k, v in result["cross_check"].items()), sep="\n")
    return result


def _collect(function, pictures, network, by_class: bool, with_changes: bool):
    """Collect statistics, and raise a UserError if too few images can be read."""
    stats = function(pictures, network, by_class, with_changes)
    if len(stats.features) < LEAST:
        raise UserError(
            f"{pictures.title}: expected at least {LEAST} images that can be read, "
            f"found {len(stats.features)}"
        )
    return stats


def _write_sheet(samples, train, pairs: list[tuple[int, int]], path: str) -> None:
    """Write a sheet of samples, each with its nearest training image to its right."""
    fakes = samples.pick([number for number, _ in pairs])
    reals = train.pick([number for _, number in pairs])
    sheet = np.stack([fakes, reals], axis=1).reshape(-1, *fakes.shape[1:])
    sampler_lib.save(sheet, path, columns=2)  # no mark: half of it is real

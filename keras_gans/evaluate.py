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
not; beside the source itself and the mean of the training pictures.

The column of real pictures says what there is to reach: training pictures against the
reference; for MS-SSIM, classes and copies the reference itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import time
import tomllib
from importlib import metadata

import numpy as np
from absl import flags

from keras_gans import sample
from keras_gans.cli.run import import_backend, run_command
from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError
from keras_gans.storage.workdir import Workdir

# The embedded sets, and where their test splits are.
EMBEDDED = {"digits": "tfds:mnist", "fashion": "tfds:fashion_mnist"}
LEAST = 20  # pictures: two for each of the class score's ten parts; more than PRDC's k
ROWS = (
    # (key, title, format)
    ("kid", "KID", "{:.3g}"),
    ("frechet_distance", "Frechet distance", "{:.3f}"),
    ("precision", "precision", "{:.3f}"),
    ("recall", "recall", "{:.3f}"),
    ("density", "density", "{:.3f}"),
    ("coverage", "coverage", "{:.3f}"),
    ("class_score", "class score", "{:.2f}"),
    ("accuracy", "class as asked for", "{:.1%}"),
    ("ms_ssim", "MS-SSIM of pairs", "{:.3f}"),
    ("authenticity", "authenticity", "{:.3f}"),
    ("nearest_distance", "distance to nearest training picture", "{:.3f}"),
    ("suspicious", "as near as the nearest 1 % of held-out ones", "{:.1%}"),
)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source",
        None,
        "A workdir, a SavedModel folder, a .tflite file or a folder of pictures.",
        **flag,
    )
    sample.define_checkpoint(values)
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
        _check_dataset(name)
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
        sampler = sample.load(values.source, values.checkpoint, values.backward)
    import_backend()
    if sampler is not None and "source_shape" in sampler.info:
        _measure_translation(values, sampler)
        return
    dataset, split, held_out = values.dataset, "train", None
    if dataset is None:
        dataset, split, held_out = _trained_on(sampler, values.source)
    samples = _samples(values, sampler)
    real = _Real(samples.image_shape, values.data_dir)
    train = real.open(dataset, split, held_out)
    reference, note = _reference(values, dataset, split, train, real)
    chosen = values.features or features.suited(dataset)
    features.check_name(chosen)
    out = _make_folder(values, folder)
    network = features.open_network(chosen)
    print(f"features: {network.name}, {network.dim} of {network.about}", flush=True)
    _measure(values, samples, train, reference, note, network, sampler, out)


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


def _check_dataset(name: str | None) -> None:
    if name in ("ring", "grid25"):
        raise UserError(
            f"'{name}' holds points, not pictures; a run's metrics.jsonl says how many "
            "of its modes are covered"
        )


def _trained_on(sampler, source: str) -> tuple[str, str, Workdir | None]:
    """What a generator's recipe says: data set, split, and the run that held some out.

    Of an export the run is not known: what was held out counts as training pictures.
    """
    try:
        table = tomllib.loads(sampler.info["recipe"])["data"]
        dataset, split = table["dataset"], table.get("split", "train")
        held_out = Workdir(source) if table.get("held_out") else None
    except (KeyError, tomllib.TOMLDecodeError):
        raise UserError(
            "the source does not say what it was trained on; pass --dataset"
        ) from None
    _check_dataset(dataset)
    if held_out and not os.path.isfile(held_out.join("config.toml")):
        held_out = None
    return dataset, split, held_out


def _samples(values: flags.FlagValues, sampler):
    """Opens the pictures to measure; nothing is drawn yet, beyond one to try."""
    from keras_gans import data
    from keras_gans.data.folder import common_side
    from keras_gans.evaluation.collect import DataPictures, SampledPictures

    if sampler is not None:
        if tuple(sampler.info["image_shape"][:2]) == (1, 1):
            raise UserError(f"{values.source} draws points, not pictures")
        sampler.latents([0], values.seed)  # checks the seed
        return SampledPictures(sampler, values.num, values.seed)
    side = common_side(values.source)
    source = data.open_source(
        data.DataOptions(f"folder:{values.source}", 1, image_size=side, cache_mib=0)
    )
    there, num = source.info.num_examples, values.num
    if not values["num"].present:
        num = min(num, there)
    if not LEAST <= num <= there:
        raise UserError(
            f"{values.source}: expected at least {max(num, LEAST)} pictures, found "
            f"{there}; --num says how many to take, from {LEAST} up"
        )
    return DataPictures(source, "samples", num)


class _Real:
    """Opens real pictures as the source's: of its side, grey or in colours."""

    def __init__(self, image_shape: tuple[int, int, int], data_dir: str | None):
        self.image_shape, self.data_dir = image_shape, data_dir

    def open(self, dataset: str, split: str, run: Workdir | None = None):
        from keras_gans import data
        from keras_gans.evaluation.collect import DataPictures

        side, _, channels = self.image_shape
        options = data.DataOptions(
            dataset, 1, split, image_size=side, channels=channels, cache_mib=0
        )
        if run:  # opened as in training, so that the same pictures are held out
            recipe, info = run.read()
            options = dataclasses.replace(recipe.data, batch_size=1)
        source = data.open_source(options, self.data_dir)
        if run and source.info != info:
            raise UserError(
                f"{dataset}: not the pictures any more that {run.path} was trained on, "
                "so that those that it held out are not known; pass --dataset and "
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
                    f"{part.title}: expected at least {LEAST} pictures, found "
                    f"{part.num}; --dataset and --reference name other sets"
                )
        return pictures


def _reference(values: flags.FlagValues, dataset: str, split: str, train, real: _Real):
    """Opens the reference: (pictures, what the user should know of it)."""
    chosen, its_split = values.reference or dataset, values.reference_split
    kind, _, rest = chosen.partition(":")
    if train.held_out and not (values.reference or its_split):
        return train.held_out, (
            f"the {train.held_out.num} pictures that the run held out of training"
        )
    if kind != "tfds" and its_split:
        raise UserError(
            f"--reference_split: only TFDS sets have splits, and {chosen} is none; "
            "leave it away"
        )
    if kind == "tfds" and not its_split:
        from keras_gans.data.tfds import split_names

        names = split_names(rest, values.data_dir)
        its_split = "test" if "test" in names or chosen != dataset else split
    if (_resolved(chosen), its_split or "train") == (_resolved(dataset), split):
        more = "--reference=folder:PATH"
        if dataset in EMBEDDED:
            more = f"--reference={EMBEDDED[dataset]}"
        elif kind == "tfds":
            more = "--reference_split"
        return train, (
            f"the {train.num} training pictures themselves, as {train.title} has no "
            f"test split: copies of them would score best. {more} compares "
            "with pictures that the generator has not seen"
        )
    reference = real.open(chosen, its_split or "train")
    if kind == "tfds" and its_split == "test":
        return reference, f"the {reference.num} pictures of the test split"
    return reference, (
        f"{reference.num} pictures, taken for such that the generator has not seen"
    )


def _resolved(dataset: str) -> str:
    """A data set's name; of a folder, its true path."""
    kind, colon, path = dataset.partition(":")
    if kind != "folder":
        return dataset
    return f"folder:{os.path.realpath(os.path.expanduser(path))}"


def _make_folder(values: flags.FlagValues, folder: bool) -> str:
    source = os.path.expanduser(values.source)
    out = "evaluation"
    if values.out is not None:
        out = os.path.expanduser(values.out)
    elif not folder and os.path.isfile(os.path.join(source, "config.toml")):
        out = Workdir(source).evaluation
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{out}: {error.strerror}; --out names another folder"
        ) from None
    return out


def _measure_translation(values: flags.FlagValues, sampler) -> None:
    """Measures a generator of images from images; see `evaluation.translation`."""
    from keras_gans.evaluation import features, translation
    from keras_gans.evaluation.features.network import RESIZER

    for name in ("seed", "dataset", "cross_check"):
        if values[name].present:
            raise UserError(
                f"--{name}: {values.source} makes pictures from pictures; leave it "
                "away (--reference names these)"
            )
    options = translation.options_of(sampler)
    reference = translation.open_reference(values, sampler, options)
    chosen = values.features or features.suited(options.pictures)
    network, skipped = None, ""
    try:
        network = features.open_network(chosen)
    except UserError as error:
        if values.features or not reference.paired:
            raise
        skipped = f"no KID ({error})"
    out = _make_folder(values, False)
    mean = None
    if not values.backward:
        mean = translation.mean_picture(options, values.data_dir)
    found, shown = translation.measure(sampler, reference, mean, network)
    num = found.pop("num")
    label = f"{sampler.info['name']} at step {sampler.info['step']}"
    label += " backward" * values.backward
    seen = f"{network.name}, {RESIZER}, " if network else ""
    name = f"{label}, {seen}{reference.title}, {num}"
    result = {
        "name": name,
        "source": values.source,
        "step": sampler.info["step"],
        "num": num,
        "features": network and {"name": network.name, "about": network.about},
        "reference": {"name": reference.title, "paired": reference.paired},
        **found,
        "versions": _versions(),
    }
    path = _write(result, out)
    sheet = path.replace(".json", ".png")
    columns = 4 * shown.shape[1]
    sampler_lib.save(shown.reshape(-1, *shown.shape[2:]), sheet, columns)
    print(_translation_table(result, reference.note, skipped))
    print(f"wrote {path} and {os.path.basename(sheet)}")


def _translation_table(result: dict, note: str, skipped: str) -> str:
    """Lays the result out for people."""
    from keras_gans.evaluation.translation import ROWS as rows

    names = {"samples": "made", "copies": "the source", "mean": "mean picture"}
    names = {key: title for key, title in names.items() if key in result}
    lines = ["", result["name"], f"  of {result['source']}", f"  reference: {note}", ""]
    lines.append(f"{'':20}" + "".join(f"{title:>22}" for title in names.values()))
    for key, title, form in (*rows, ("kid", "KID", "{:.3g}")):
        cells = [_cell(result[who].get(key), form) for who in names]
        if set(cells) != {"-"}:
            lines.append(f"{title:20}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join([*lines, *filter(None, [skipped])])


def _write(result: dict, out: str) -> str:
    """Writes a result under its name; returns the file's path."""
    slug = re.sub(r"[^\w.]+", "-", result["name"]).strip("-")
    path = os.path.join(out, f"{slug}.json")
    sampler_lib.write((json.dumps(result, indent=1) + "\n").encode(), path)
    return path


def _versions() -> dict[str, str]:
    import keras

    packages = ("keras_gans", "keras", keras.backend.backend(), "numpy")
    return {package: metadata.version(package) for package in packages}


def _measure(values, samples, train, reference, note, network, sampler, out) -> None:
    from keras_gans.evaluation import collect, feature_cache, torch_fidelity
    from keras_gans.evaluation.features.network import RESIZER
    from keras_gans.evaluation.metrics.ssim import num_scales

    start = time.monotonic()
    held_out = reference is not train
    sets = samples, reference, train
    by_class = all(pictures.class_names for pictures in sets)
    of_real = feature_cache.look if values.cache else collect.look
    seen_reference = _look(of_real, reference, network, by_class)
    seen_train = seen_reference
    if held_out:
        seen_train = _look(of_real, train, network, by_class)
    seen = _look(collect.look, samples, network, by_class)
    real, skipped = {}, {}
    print("comparing", flush=True)
    found = collect.compare(seen_reference.features, seen.features)
    unseen = seen_reference.features if held_out else None
    own, others, pairs = collect.memorisation(
        seen.features, seen_train.features, unseen
    )
    found |= own
    if held_out:
        order = np.random.default_rng(2).permutation(len(seen_train.features))
        some = seen_train.features[np.sort(order[: len(seen.features)])]
        real = collect.compare(seen_reference.features, some) | others
    else:
        why = "there are no held-out pictures to compare with"
        skipped["suspicious"] = why
    for result, it in ((found, seen), (real, seen_reference)):
        mean, deviation = it.score
        result["class_score"] = {"mean": mean, "standard_deviation": deviation}
        for key in ("accuracy", "ms_ssim"):
            if getattr(it, key) is not None:
                result[key] = getattr(it, key)
    if seen.accuracy is None:
        skipped["accuracy"] = (
            f"{network.name} does not know the source's classes"
            if samples.class_names
            else "the source takes no labels"
        )
    if seen.ms_ssim is None:
        skipped["ms_ssim"] = "the pictures are too small for its window of 11 pixels"
    label = os.path.basename(os.path.abspath(os.path.expanduser(values.source)))
    if sampler is not None:
        label = f"{sampler.info['name']} at step {sampler.info['step']}"
        if values.seed:
            label += f" with seed {values.seed}"
    name = (
        f"{label}, {network.name}, {RESIZER}, {reference.title}, {len(seen.features)}"
    )
    result = {
        "name": name,
        "source": values.source,
        "step": None if sampler is None else sampler.info["step"],
        "num": len(seen.features),
        "seed": None if sampler is None else values.seed,
        "image_shape": list(samples.image_shape),
        "features": {"name": network.name, "dim": network.dim, "about": network.about},
        "resizer": RESIZER,
        "dataset": {"name": train.title, "num": len(seen_train.features)},
        "reference": {
            "name": reference.title,
            "num": len(seen_reference.features),
            "held_out": held_out,
        },
        "samples": found,
        "real": real,
        "skipped": skipped,
        "ms_ssim_pairs": "of one class" if by_class else "of any classes",
        "ms_ssim_scales": num_scales(samples.image_shape[0]),
        "most_suspicious": [{"sample": s, "training": t} for s, t in pairs],
        "seconds": round(time.monotonic() - start, 1),
        "versions": _versions(),
    }
    path = _write(result, out)
    sheet = path.replace(".json", "_nearest.png")
    _write_sheet(samples, train, pairs, sheet)
    print(_table(result, note))
    print(f"wrote {path} and {os.path.basename(sheet)}", flush=True)
    if values.cross_check:
        print("cross-checking", flush=True)
        result["cross_check"] = torch_fidelity.run(samples, reference)
        _write(result, out)
        print(*(f"  {k}: {v}" for k, v in result["cross_check"].items()), sep="\n")


def _look(look, pictures, network, by_class: bool):
    """Looks at pictures; a UserError if too few of them can be read."""
    seen = look(pictures, network, by_class)
    if len(seen.features) < LEAST:
        raise UserError(
            f"{pictures.title}: expected at least {LEAST} pictures that can be read, "
            f"found {len(seen.features)}"
        )
    return seen


def _write_sheet(samples, train, pairs: list[tuple[int, int]], path: str) -> None:
    """Draws samples, each with its nearest training picture to its right."""
    fakes = samples.pick([number for number, _ in pairs])
    reals = train.pick([number for _, number in pairs])
    sheet = np.stack([fakes, reals], axis=1).reshape(-1, *fakes.shape[1:])
    sampler_lib.save(sheet, path, columns=2)  # not marked: half of it is real


def _table(result: dict, note: str) -> str:
    """Lays the result out for people."""
    lines = [
        "",
        result["name"],
        f"  of {result['source']}, {result['num']} samples"
        + ("" if result["seed"] is None else f", seed {result['seed']}"),
        f"  reference: {note}",
        "",
        f"{'':44}{'samples':>20}{'real pictures':>22}",
    ]
    for key, title, form in ROWS:
        if key in result["skipped"]:
            lines.append(f"{title:44}{'-':>20}  ({result['skipped'][key]})")
            continue
        if key == "ms_ssim":
            title = f"{title} {result['ms_ssim_pairs']}"
        cells = (_cell(result[who].get(key), form) for who in ("samples", "real"))
        lines.append("{:44}{:>20}{:>22}".format(title, *cells))
    dim, few = result["features"]["dim"], min(result["num"], result["reference"]["num"])
    if few <= dim:
        lines.append(
            f"{few} pictures are few for {dim} features: the Frechet distance is far "
            "above 0 for equal laws, too; go by KID"
        )
    return "\n".join(lines)


def _cell(value: float | dict | None, form: str) -> str:
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return form.format(value)
    spread = value.get("standard_error", value.get("standard_deviation"))
    return f"{form.format(value['mean'])} +- {spread:.2g}"


if __name__ == "__main__":
    sys.exit(main())

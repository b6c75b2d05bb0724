"""Evaluation of image translations: L1, PSNR, SSIM and KID.

With pairs, each generated image is compared with its true image, both in 8 bits:

- L1: mean absolute difference of the pixel values, scaled to 0..1;
- PSNR: 10 log10(1 / mean squared difference) of each image in dB, and then the mean;
- SSIM: Wang et al. 2004, window of 11 pixels, mean over channels and images.

Baselines are measured likewise: the condition image itself, enlarged bicubically if it
is smaller; one constant image, the mean of the training images; and with pairs two
simple maps of the condition image (`evaluation.simple_maps`), fitted to the first FIT
pairs. KID compares the generated images with the true images as two sets, and needs no
pairs.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator

import numpy as np

from keras_gans import data
from keras_gans.data import conditions, images
from keras_gans.data.pipeline import Batch
from keras_gans.data.source import Source
from keras_gans.device.sampler import BaseSampler, to_float, to_uint8
from keras_gans.errors import UserError
from keras_gans.evaluation import compare, simple_maps, streams
from keras_gans.evaluation.features.network import FeatureNetwork
from keras_gans.evaluation.metrics.ssim import ssim
from keras_gans.evaluation.options import EvaluationOptions
from keras_gans.recipes.old_names import read_tables
from keras_gans.terminal.progress import ProgressBar

CHUNK = 32  # images per batch
SHOWN = 16  # rows of the sheet
FIT = 128  # pairs to which the simple maps are fitted
ROWS = (
    ("l1", "L1", "{:.4f}"),
    ("psnr", "PSNR, dB", "{:.2f}"),
    ("ssim", "SSIM", "{:.4f}"),
)


@dataclasses.dataclass(frozen=True)
class Reference:
    """Condition images to translate, and true images to compare with.

    Attributes:
        stream: Iterator of batches of "images" (the true images) and "condition",
            both float32 in [-1, 1].
        num: Number of condition images.
        paired: Whether each condition image belongs to the true image of its index.
        title: Name of the reference in messages and results.
        note: Description of the reference for the user.
    """

    stream: Iterator[Batch]
    num: int
    paired: bool
    title: str
    note: str


def options_of(sampler: BaseSampler) -> data.DataOptions:
    """Return the data options of a generator's training, without augmentation.

    Raises:
        UserError: If the generator's recipe names no data set.
    """
    known = {f.name for f in dataclasses.fields(data.DataOptions)}
    try:
        recipe = read_tables(sampler.info["recipe"])["data"]
        options = data.DataOptions(**{k: v for k, v in recipe.items() if k in known})
    except UserError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise UserError("the source does not record its training data set") from None
    (side, _, channels), _ = shapes_of(sampler)
    chosen = {"image_size": side, "channels": channels, "batch_size": CHUNK}
    return dataclasses.replace(options, horizontal_flip=False, random_crop=0, **chosen)


def shapes_of(sampler: BaseSampler) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes (image, condition image) as the training set has them.

    For a generator of the backward direction, they are swapped.
    """
    shapes = (tuple(sampler.info[k]) for k in ("image_shape", "condition_shape"))
    return tuple(shapes)[:: -1 if sampler.info.get("backward") else 1]


def open_reference(
    values: EvaluationOptions, sampler: BaseSampler, options: data.DataOptions
) -> Reference:
    """Open the images that a translation is evaluated on.

    Args:
        values: Options of the evaluation, of which `reference`, `reference_split`,
            `data_dir`, `num` and `backward` are read.
        sampler: Generator from condition images.
        options: Data options of the generator's training.

    Returns:
        The images of `values.reference`, or else the images held out of training, or
        else the training images. The reference's note says which.

    Raises:
        UserError: If the images have other shapes, or no condition images.
    """
    chosen, split = values.reference, values.reference_split
    if chosen or split:
        wanted = dataclasses.replace(options, held_out=0, unpaired=False)
        if chosen:
            plain = {"split": "train", "direction": "a_to_b", "label_maps": False}
            own = data.DataOptions(chosen, CHUNK)
            if own.two_kinds:
                plain["direction"] = options.direction
                plain["label_maps"] = options.label_maps and chosen.startswith("pairs:")
            elif options.derivation and not own.derivation:
                chosen = f"{options.derivation}:{chosen}"
            wanted = dataclasses.replace(wanted, dataset=chosen, **plain)
        if wanted.pictures.startswith("tfds:"):
            wanted = dataclasses.replace(wanted, split=split or "test")
        elif split:
            raise UserError(
                f"--reference_split: expected a TFDS data set, got {wanted.dataset}, "
                "which has no splits; leave it out"
            )
        note = "assumed to be unseen by the generator"
    else:
        wanted = dataclasses.replace(options, unpaired=False)
        note = "the training images themselves; pass --reference for others"
        if options.held_out:
            note = "held out of training"
    source = data.open_source(wanted, values.data_dir)
    title = _title(wanted)
    if wanted.held_out:
        source, title = source.held_out, f"{title} held out"
    shapes = source.info.image_shape, source.info.condition_shape
    if shapes != (options_shapes := shapes_of(sampler)):
        raise UserError(
            f"--reference={wanted.dataset}: expected images of {options_shapes[0]} "
            f"with condition images of {options_shapes[1]}, got {shapes[0]} with "
            f"{shapes[1] or 'no condition images (use pairs:A,B)'}"
        )
    paired = not source.info.unpaired
    total = source.info.num_examples
    num = min(values.num, total) if total else values.num
    stream = _paired(source, num) if paired else _unpaired(source, num)
    if values.backward:
        stream = (
            {"images": batch["condition"], "condition": batch["images"]}
            for batch in stream
        )
    return Reference(
        stream,
        num,
        paired,
        title,
        f"{num} images{'' if paired else ' without pairs'}, {note}",
    )


def _title(options: data.DataOptions) -> str:
    """Return a data set's name and split, with only the last part of folders' paths."""
    kind, colon, rest = options.dataset.partition(":")
    if options.pictures.startswith("tfds:"):
        return f"{options.dataset}[{options.split}]"
    if options.pictures == rest:  # a derivation's name before the data set's
        return kind + colon + _title(dataclasses.replace(options, dataset=rest))
    paths = [os.path.abspath(path) for path in rest.split(",")]
    return kind + colon + ",".join(map(os.path.basename, paths)) * bool(rest)


def _paired(source: Source, num: int) -> Iterator[Batch]:
    left = num
    for stored, _ in source.chunks(CHUNK):
        stored = to_float(stored[:left])
        yield conditions.split(stored, source.info, source.options.derivation)
        left -= len(stored)
        if left <= 0:
            return


def _unpaired(source: Source, num: int) -> Iterator[Batch]:
    left = num
    for batch in source.stream(0):
        yield {k: np.asarray(batch[k])[:left] for k in ("images", "condition")}
        left -= CHUNK
        if left <= 0:
            return


def mean_picture(options: data.DataOptions, data_dir: str | None) -> np.ndarray | None:
    """Compute the mean of the training images: float32 [height, width, channels].

    Args:
        options: Data options of the training.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.

    Returns:
        The mean image in [-1, 1]; None if the training images cannot be opened.
    """
    options = dataclasses.replace(options, unpaired=False)
    try:
        source = data.open_source(options, data_dir)
    except UserError:
        return None
    if source.info.unpaired:
        source = source.made
    channels = source.info.image_shape[-1]
    total, num = 0.0, 0
    for stored, _ in source.chunks(streams.CHUNK):
        total = total + stored[..., :channels].sum(axis=0, dtype=np.float64)
        num += len(stored)
    return to_float(total / num).astype(np.float32)


def fit_maps(
    reference: Reference,
) -> tuple[dict[str, Callable[[np.ndarray], np.ndarray]], dict[str, float], Iterator]:
    """Fit the simple maps to the first FIT pairs.

    Args:
        reference: Condition images and true images, of which the first are read.

    Returns:
        ({"scaled" and "toned": map from condition images to images}, {name: fitted
        number}, stream of all batches). No maps without pairs.
    """
    if not reference.paired:
        return {}, {}, reference.stream
    first: list[Batch] = []
    for batch in reference.stream:
        first.append(batch)
        if sum(len(b["images"]) for b in first) >= FIT:
            break
    real = np.concatenate([b["images"] for b in first])[:FIT]
    given = np.concatenate([b["condition"] for b in first])[:FIT]
    shape = real.shape[1:]

    def start(condition: np.ndarray) -> np.ndarray:
        return enlarged(simple_maps.as_channels(condition, shape[-1]), shape)

    def run(change: Callable, number: float, condition: np.ndarray) -> np.ndarray:
        return np.clip(change(start(condition), number), -1.0, 1.0)

    ways = {
        "scaled": (simple_maps.scale, simple_maps.SCALES),
        "toned": (simple_maps.tone, simple_maps.EXPONENTS),
    }
    maps, numbers, given = {}, {}, start(given)
    for name, (change, tried) in ways.items():
        numbers[name] = simple_maps.fit(change, tried, given, real)
        maps[name] = functools.partial(run, change, numbers[name])
    return maps, numbers, itertools.chain(first, reference.stream)


def enlarged(condition: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Resize condition images to a shape; return None if they have more channels.

    Args:
        condition: float32 [num, height, width, channels].
        shape: (height, width, channels) of the result.
    """
    height, width, channels = shape
    if condition.shape[-1] > channels:
        return None
    if condition.shape[1:3] != (height, width):
        condition = conditions.resize(condition, height, width)
    return np.broadcast_to(condition, (len(condition), height, width, channels))


class Comparison:
    """Running means of L1, PSNR and SSIM over images that arrive in chunks."""

    def __init__(self):
        self._sums = dict.fromkeys(("l1", "psnr", "ssim"), 0.0)
        self.num = 0

    def add(self, real: np.ndarray, fake: np.ndarray) -> None:
        """Add images to the means, both uint8 [num, height, width, channels]."""
        apart = np.abs(real.astype(np.float64) - fake) / 255.0
        found = {
            "l1": apart.mean(axis=(1, 2, 3)),
            # The limit keeps the PSNR of equal images finite, at 100 dB.
            "psnr": -10.0
            * np.log10(np.maximum((apart**2).mean(axis=(1, 2, 3)), 1e-10)),
        }
        if min(real.shape[1:3]) >= 11:
            found["ssim"] = ssim(real, fake)
        for name, values in found.items():
            self._sums[name] += float(values.sum())
        self.num += len(real)

    def result(self, height: int) -> dict[str, float]:
        """Return the means; without SSIM for a height below its window, 11 pixels."""
        names = [n for n in self._sums if n != "ssim" or height >= 11]
        return {name: self._sums[name] / self.num for name in names}


def measure(
    sampler: BaseSampler,
    reference: Reference,
    mean: np.ndarray | None,
    network: FeatureNetwork | None,
) -> tuple[dict, np.ndarray]:
    """Translate every condition image, and compare with the true images.

    Args:
        sampler: Generator from condition images.
        reference: Condition images and true images.
        mean: Mean of the training images, see `mean_picture`, as a baseline for pairs;
            None leaves the baseline out.
        network: Feature network of KID; None leaves KID out.

    Returns:
        (metrics, sheet). The metrics are {"num": number of images, "samples": {"l1",
        "psnr", "ssim", "kid"}, "copies": the same of the condition images, "mean": the
        same of the mean image, "scaled" and "toned": the same of the simple maps and
        their "number"}, as far as each applies. The sheet is uint8 [num,
        columns, height, width, 3]; its columns are the condition image, the generated
        image and, with pairs, the true image.
    """
    maps, numbers, stream = fit_maps(reference)
    names = ("samples", "copies", "mean", *maps)
    compared = {name: Comparison() for name in names}
    seen: dict[str, list] = {n: [] for n in ("real", *names) if n != "mean"}
    shown: list[np.ndarray] = []
    done, last = 0, reference.num - 1
    wanted = np.linspace(0, last, min(SHOWN, reference.num)).astype(int)
    with ProgressBar(reference.num, "images", reference.title) as progress:
        for batch in stream:
            condition = batch["condition"]
            made = to_uint8(sampler.run({"condition": condition}))
            copy = enlarged(condition, made.shape[1:])
            real = to_uint8(batch["images"])
            pictures = {"samples": made}
            if copy is not None:
                pictures["copies"] = to_uint8(copy)
            for name, run in maps.items():
                pictures[name] = to_uint8(run(condition))
            if reference.paired:
                constant = {}
                if mean is not None:
                    constant["mean"] = to_uint8(np.broadcast_to(mean, real.shape))
                for name, values in (pictures | constant).items():
                    compared[name].add(real, values)
            if network is not None:
                for name, values in (pictures | {"real": real}).items():
                    seen[name].append(network(values)[0])
            some = [i - done for i in wanted if done <= i < done + len(real)]
            columns = [to_uint8(condition), made] + [real] * reference.paired
            columns = [images.beside(column, made.shape[1]) for column in columns]
            shown.extend(np.stack(columns, axis=1)[some])
            done += len(real)
            progress.update(done)
    height, found = made.shape[1], {"num": done}
    for name in compared:
        if compared[name].num:
            found[name] = compared[name].result(height)
        if seen.get(name):
            sets = (np.concatenate(seen[k]) for k in ("real", name))
            found.setdefault(name, {})["kid"] = compare.measure_kid(*sets)
    for name, number in numbers.items():
        found[name]["number"] = number
    return found, np.stack(shown)

"""Detection rate, visibility and KID of the invisible mark in exports."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable

import numpy as np
from PIL import Image

from keras_gans import data
from keras_gans.data import images
from keras_gans.device.sampler import to_float, to_uint8
from keras_gans.evaluation import features
from keras_gans.evaluation.compare import SUBSET_SIZE, SUBSETS
from keras_gans.evaluation.metrics.kid import kid, standard_error
from keras_gans.export import saved_model, tflite, watermark
from keras_gans.sampling import load
from keras_gans.sampling.keras_sampler import KerasSampler

KEY = "trial"
KEYS = 100  # number of other keys, with which each unmarked image is tested
SIDES = 16, 28, 32, 48, 64, 128  # sides in pixels of the table by size


def _coded(kind: str, quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, kind, quality=quality)
        return np.asarray(Image.open(file).convert(Image.fromarray(picture).mode))

    return change


def _resized(share: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(picture):
        image = Image.fromarray(picture)
        small = tuple(round(share * side) for side in image.size)
        filters = Image.Resampling.LANCZOS
        return np.asarray(image.resize(small, filters).resize(image.size, filters))

    return change


CHANGES = {
    "nothing": lambda picture: picture,
    "JPEG 75": _coded("JPEG", 75),
    "JPEG 50": _coded("JPEG", 50),
    "WebP 75": _coded("WEBP", 75),
    "to 75 % and back": _resized(0.75),
    "to 50 % and back": _resized(0.5),
}


def by_size(real: np.ndarray) -> list[str]:
    """Mark real images, reduced to several sizes, and detect the mark.

    Args:
        real: Images in random order, uint8 [num, side, side, 1 or 3].

    Returns:
        Lines of a Markdown table.
    """
    names = [name for name in CHANGES if name != "nothing"]
    lines = [
        f"| pixels | PSNR, least and mean, dB | {' | '.join(names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    own, channels = real.shape[1], real.shape[-1]
    for side in sorted({own, *(side for side in SIDES if side < own)}):
        small = [images.fit(picture, side, channels) for picture in real]
        pictures = np.stack(small)
        marked = _mark(pictures)
        noise = _psnr(pictures, marked)
        cells = [f"{noise.min():.1f}, {noise.mean():.1f}"]
        for name in names:
            alone, together = _shares(marked, CHANGES[name])
            cells.append(f"{alone:.1%}, {together:.1%}")
        lines.append(f"| {side} | {' | '.join(cells)} |")
    return lines


def _mark(pictures: np.ndarray) -> np.ndarray:
    """Mark uint8 images."""
    known = watermark.scheme(pictures.shape[1], KEY)
    parts = (
        watermark.mark(to_float(part), known, pictures.shape[-1])
        for part in np.array_split(pictures, max(1, len(pictures) // 64))
    )
    return to_uint8(np.concatenate(list(parts)))


def run(sampler: KerasSampler, real: np.ndarray, dataset: str, num: int) -> str:
    """Mark a generator's images, change them, and detect the mark.

    Args:
        sampler: Sampler of the generator, without a mark.
        real: Training images, uint8 [num, side, side, 1 or 3].
        dataset: Name of the training set, which chooses the feature network.
        num: Number of images to draw.

    Returns:
        Report in Markdown.
    """
    plain = sampler.sample(num, seed=0)
    made = _exported(watermark.marked(sampler, KEY), num)
    lines = [
        "| images | changed by | marked alone | nine together |",
        "|---|---|---|---|",
    ]
    sets = {"float32 .tflite": made["float32"], "int8 .tflite": made["int8"]}
    sets["real images, marked"] = _mark(real)
    for title, pictures in sets.items():
        for name, change in CHANGES.items():
            alone, together = _shares(pictures, change)
            lines.append(f"| {title} | {name} | {alone:.1%} | {together:.1%} |")
    noise = _psnr(plain, made["float32"])
    lines += [
        "",
        "Real images by size, marked alone and nine together:",
        "",
        *by_size(real),
        "",
        f"PSNR: {noise.min():.1f} dB at least, {noise.mean():.1f} on average.",
    ]
    keys = [f"other {i}" for i in range(KEYS)]
    found = np.array([[watermark.detect(p[None], k) for p in real] for k in keys])
    shares = ", ".join(
        f"{(found < a).mean():.5f} below {a:g}" for a in (1e-2, 1e-3, 1e-6)
    )
    lines.append(f"{num} unmarked real images, {KEYS} keys each: p is {shares}.")
    network = features.open_network(features.suited(dataset))
    looked = [network(p)[0] for p in (real, plain, made["float32"])]
    size = min(SUBSET_SIZE, num // 2)
    (before, spread), (after, _) = (
        kid(looked[0], fake, SUBSETS, size) for fake in looked[1:]
    )
    error = standard_error(spread, size, num)
    lines.append(
        f"KID ({network.name}, against {num} training images, {SUBSETS} subsets of "
        f"{size}): {before:.4g} +- {error:.2g} unmarked, {after:.4g} "
        "marked."
    )
    return "\n".join(lines)


def real_pictures(
    options: data.DataOptions, data_dir: str | None, num: int
) -> np.ndarray:
    """Read the first images of a run's data: uint8 [num, height, width, channels].

    Args:
        options: Data options of the run's recipe.
        data_dir: Folder in which TensorFlow Datasets keeps its data sets.
        num: Number of images.
    """
    source = data.open_source(options, data_dir)
    return to_uint8(data.first_examples(source, num)["images"])


def _exported(marked: KerasSampler, num: int) -> dict[str, np.ndarray]:

    found = {}
    with tempfile.TemporaryDirectory(prefix="keras_gans_") as folder:
        source = os.path.join(folder, "saved_model")
        saved_model.export(marked, source)
        for quantization in ("float32", "int8"):
            path = os.path.join(folder, f"{quantization}.tflite")
            tflite.export(marked, path, source, quantization)
            found[quantization] = load.load(path).sample(num, seed=0)
    return found


def _shares(pictures: np.ndarray, change: Callable) -> tuple[float, float]:
    """Change images; return the shares of single ones and of nine found as marked."""
    changed = np.stack([change(picture.squeeze()) for picture in pictures])
    pictures, found = changed.reshape(pictures.shape), []
    for size in (1, 9):
        groups = range(0, len(pictures) - size + 1, size)
        ps = [watermark.detect(pictures[i : i + size], KEY) for i in groups]
        found.append(float(np.mean(np.array(ps) < watermark.ALPHA)))
    return tuple(found)


def _psnr(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    error = (one.astype(float) - two.astype(float)) ** 2
    return 10 * np.log10(255**2 / error.mean(axis=(1, 2, 3)))

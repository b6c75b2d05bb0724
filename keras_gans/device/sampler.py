"""Draws pictures from a .tflite generator with NumPy, Pillow and LiteRT alone.

This file needs neither TensorFlow nor the rest of the package: copy it to the device
beside the .tflite file.

    python sampler.py generator.tflite --label=4 --num=16 --out=four.png
    python sampler.py generator.tflite --benchmark

or, in Python,

    pictures = Sampler("generator.tflite").sample(16, labels=4, seed=0)

A generator that makes pictures from pictures takes a file, or a folder of them:

    python sampler.py generator.tflite --input=picture.png --out=made.png
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import json
import math
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

INFO_NAME = "keras_gans.json"  # the file inside a .tflite that describes the generator
BATCH, PIXELS = 64, 2**18  # at most so many are made at once
TILE, OVERLAP = 512, 32  # pixels of a picture that are translated at once; see there
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")  # of the picture files in a folder
# What chooses latents; a generator that makes pictures from pictures has none.
OF_LATENTS = (
    "num label seed truncation noise mix shift threshold code interpolate shards "
    "format only"
).split()


class SamplerError(ValueError):
    """The source, or what was asked of it, is wrong; the message says how."""


@dataclasses.dataclass(frozen=True)
class SampleOptions:
    """Options of samples that a generator makes from noise.

    Sample `i` is a function of the generator, these options and `i` alone.

    Attributes:
        seed: Seed of the latents, from 0 to 2**64 - 1.
        labels: One class for all samples, or a class for each; in turn if None. Only
            for a generator that takes labels.
        truncation: Scale of the latents, or of the styles of a generator with styles
            (StyleGAN2), towards their mean, from 0 to 1. Less variety for fewer bad
            samples; 1 leaves them as they are. Styles also take a number a layer.
        shift: Number added to every component of every latent.
        threshold: Bound of normal latents, 0.1 or more; values beyond it are drawn
            again (BigGAN's truncation trick).
        codes: Continuous codes to set, {number: value}, for a generator that has
            codes (InfoGAN); the other codes stay as they are drawn.
        noise: Strength of the noise of a generator with styles, from 0 to 1.
        mix: (seed, layer): from this layer on, counted from 0, styles are those of
            the same samples of another seed. Only for a generator with styles.
    """

    seed: int = 0
    labels: int | Sequence[int] | None = None
    truncation: float | Sequence[float] = 1.0
    shift: float = 0.0
    threshold: float | None = None
    codes: Mapping[int, float] = dataclasses.field(default_factory=dict)
    noise: float = 1.0
    mix: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check ranges that are the same for every generator.

        Raises:
            SamplerError: For a value out of range.
        """
        if not 0 <= self.seed < 2**64:
            raise SamplerError(f"seed: expected 0 to 2**64 - 1, got {self.seed}")
        truncation = np.asarray(self.truncation, np.float32)
        if not ((truncation >= 0) & (truncation <= 1)).all():
            raise SamplerError(f"truncation: expected 0 to 1, got {self.truncation}")
        if not math.isfinite(self.shift):
            raise SamplerError(f"shift: expected a finite number, got {self.shift}")
        for number, value in self.codes.items():
            if not math.isfinite(value):
                raise SamplerError(f"code {number}: expected a finite number")
        if not 0 <= self.noise <= 1:
            raise SamplerError(f"noise: expected 0 to 1, got {self.noise}")


def draw_latents(
    seed: int,
    indices: Sequence[int],
    dim: int,
    distribution: str,
    threshold: float | None = None,
) -> np.ndarray:
    """Draws latents; row i depends on (seed, indices[i]) alone.

    Args:
        seed: Any whole number from 0 to 2**64 - 1.
        indices: The pictures' numbers, from 0 up.
        dim: Length of one latent.
        distribution: "normal" for N(0, 1), "uniform" for U(-1, 1).
        threshold: Values beyond +-threshold are drawn again until there is none
            (BigGAN's truncation trick); only for "normal".

    Returns:
        float32 [len(indices), dim].

    Raises:
        SamplerError: For a threshold out of range.
    """
    if threshold is not None and (distribution != "normal" or not threshold >= 0.1):
        raise SamplerError(
            f"threshold: expected 0.1 or more, and a generator from normal latents; "
            f"got {threshold}, and {distribution} ones"
        )
    latents = np.empty((len(indices), dim), np.float32)
    for row, index in zip(latents, indices, strict=True):
        # Philox is a counter-based generator: each key has a stream of its own.
        key = np.array([seed, index], np.uint64)
        stream = np.random.Generator(np.random.Philox(key=key))
        if distribution == "normal":
            row[:] = stream.standard_normal(dim, np.float32)
            while threshold is not None and (beyond := np.abs(row) > threshold).any():
                row[beyond] = stream.standard_normal(beyond.sum(), np.float32)
        else:
            row[:] = stream.random(dim, np.float32) * 2 - 1
    return latents


def slerp(start: np.ndarray, end: np.ndarray, num: int) -> np.ndarray:
    """Walks from one latent to another on the sphere (spherical interpolation).

    Args:
        start: float [dim], where the walk begins.
        end: float [dim], where it ends.
        num: Number of points, both ends included.

    Returns:
        float32 [num, dim]; lengths go evenly from |start| to |end|.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    t = np.linspace(0, 1, num)[:, None]
    if not all(lengths):  # no direction: straight
        return ((1 - t) * start + t * end).astype(np.float32)
    a, b = start / lengths[0], end / lengths[1]
    angle = math.acos(float(np.clip(a @ b, -1, 1)))
    if angle < 1e-6:
        directions = (1 - t) * a + t * b
    else:
        directions = np.sin((1 - t) * angle) * a + np.sin(t * angle) * b
        directions /= math.sin(angle)
    return (directions * ((1 - t) * lengths[0] + t * lengths[1])).astype(np.float32)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Turns float images in [-1, 1] into uint8 in 0..255; the rest is cut off."""
    return np.clip(np.round((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def to_float(images: np.ndarray) -> np.ndarray:
    """Turns uint8 images in 0..255 into float32 in [-1, 1]; inverse of `to_uint8`."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def read(path: str, channels: int) -> np.ndarray:
    """Reads a picture file, upright, at its own size.

    Args:
        path: A PNG, JPEG or WebP file.
        channels: 1 for grey, 3 for colour; transparency is laid on white.

    Returns:
        uint8 [height, width, channels].

    Raises:
        OSError: if the file is not a picture, or truncated.
    """
    image = np.asarray(open_picture(path, channels))
    return image.reshape(*image.shape[:2], channels)


def open_picture(path: str, channels: int, enough: int | None = None):
    """Does what `read` does.

    Args:
        path: See `read`.
        channels: See `read`.
        enough: A side in pixels: JPEG files may decode at a fraction of their size
            that is not below it.

    Returns:
        A loaded `PIL.Image.Image`, grey ("L") or in colour ("RGB").

    Raises:
        OSError: see `read`.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if enough:
                image.draft(None, (enough, enough))
            image = ImageOps.exif_transpose(image)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image)
            if image.mode.startswith("I;16"):  # Pillow would cut 16 bits off at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            return image.convert("L" if channels == 1 else "RGB")
    except Exception as error:  # Pillow says "corrupt" in many ways
        raise OSError(f"{type(error).__name__}: {error}") from None


def blend(parts: Iterable[np.ndarray], starts: Sequence[int]) -> Iterator[np.ndarray]:
    """Joins parts that overlap; where they do, one fades linearly into the next.

    Args:
        parts: float [length, ...], in their order.
        starts: Where each begins on the first axis.

    Yields:
        What no later part changes; one behind the other they are the whole.
    """
    held: np.ndarray | None = None
    at = 0
    for part, start in zip(parts, starts, strict=True):
        if held is not None:
            yield held[: start - at]
            tail = held[start - at :]
            share = np.arange(1, len(tail) + 1, dtype=np.float32) / (len(tail) + 1)
            share = share.reshape(-1, *[1] * (part.ndim - 1))
            # In this form equal parts stay as they are, to the last bit.
            faded = tail + share * (part[: len(tail)] - tail)
            part = np.concatenate([faded, part[len(tail) :]])
        held, at = part, start
    if held is not None:
        yield held


def tile_starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin, spread evenly over a side that is not shorter than they are.

    Args:
        side: Pixels to cover.
        tile: Pixels of a tile.
        overlap: Pixels that neighbours share at least; less than `tile`.
    """
    rest = side - tile
    steps = math.ceil(rest / (tile - overlap)) if rest else 0
    return [i * rest // max(steps, 1) for i in range(steps + 1)]


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lays out pictures in rows.

    Args:
        images: uint8 [num, height, width, channels].
        columns: Pictures in a row; about the square root of their number if not given.

    Returns:
        uint8 [rows * (height + 2) + 2, columns * (width + 2) + 2, channels], with a
        white line of 2 pixels around each picture.
    """
    num, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(num))
    rows = math.ceil(num / columns)
    sheet = np.full(
        (rows * (height + 2) + 2, columns * (width + 2) + 2, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        top, left = 2 + i // columns * (height + 2), 2 + i % columns * (width + 2)
        sheet[top : top + height, left : left + width] = image
    return sheet


def scatter(points: np.ndarray, circles: Sequence = ()) -> np.ndarray:
    """Draws points of the plane, each as a dot.

    Args:
        points: uint8 [num, 1, 1, 2]: x from the left, y from below.
        circles: (x, y, radius) in the same units, drawn below the dots.

    Returns:
        uint8 [512, 512, 3].
    """
    sheet = np.full((512, 512, 3), 255, np.uint8)
    rows, columns = np.mgrid[:512, :512]
    for x, y, radius in circles:
        distances = np.hypot(columns - 2 * x, rows - (510 - 2 * y)) - 2 * radius
        sheet[np.abs(distances) < 1] = (230, 120, 60)
    x, y = 2 * points[:, 0, 0, 0].astype(int), 510 - 2 * points[:, 0, 0, 1].astype(int)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        sheet[y + row, x + column] = (30, 60, 160)
    return sheet


def sheet(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lays samples out as one picture: a `grid`, or a `scatter` if they are points.

    Args:
        images: uint8 [num, height, width, channels].
        columns: As in `grid`.

    Returns:
        uint8 [height, width, 1 or 3].
    """
    if images.shape[1:] == (1, 1, 2):
        return scatter(images)
    return grid(images, columns)


# What the IPTC says of pictures that a trained model made (its digital source types).
MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    f"<Iptc4xmpExt:DigitalSourceType>{MARK}</Iptc4xmpExt:DigitalSourceType>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
XMP_KEY, ABOUT_KEY = "XML:com.adobe.xmp", "keras_gans"


def describe(info: Mapping, **asked: object) -> dict:
    """Says where pictures come from, for `encode`.

    Args:
        info: The generator's, see `BaseSampler.info`.
        **asked: What was asked of it, as seed=0, label=4; None is left out.

    Returns:
        {"generator": its name, step and the first 8 digits of its recipe's SHA-256,
        and what was asked}.
    """
    recipe = hashlib.sha256(info["recipe"].encode()).hexdigest()[:8]
    asked = {name: value for name, value in asked.items() if value is not None}
    return {"generator": f"{info['name']}-{info['step']}-{recipe}", **asked}


def encode(image: np.ndarray, about: Mapping | None = None) -> bytes:
    """Encodes one picture as a PNG.

    Args:
        image: uint8 [height, width, 1 or 3].
        about: Where it comes from (`describe`): kept in the file, beside the IPTC's
            mark of what a trained model made. None for a picture that is none of ours.

    Returns:
        The file's content.
    """
    from PIL.PngImagePlugin import PngInfo

    buffer, notes = io.BytesIO(), PngInfo()
    if about is not None:
        notes.add_itxt(XMP_KEY, XMP)
        notes.add_itxt(ABOUT_KEY, json.dumps(dict(about)))
    _pillow_image(image).save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


def save(
    images: np.ndarray,
    path: str,
    columns: int | None = None,
    about: Mapping | None = None,
) -> None:
    """Writes pictures as one file: a grid (.png), or frame by frame (.gif, .webp).

    Args:
        images: uint8 [num, height, width, channels].
        path: Where to; its ending chooses the form. Replaced in one step.
        columns: Pictures in a row of the grid.
        about: Where they come from, see `encode`; kept in a .png.

    Raises:
        SamplerError: for another ending, or a folder that cannot be written.
    """
    kind, path = check_out(path), os.path.expanduser(path)
    if kind == "PNG":
        data = encode(sheet(images, columns), about)
    else:
        points = images.shape[1:] == (1, 1, 2)
        frames = [scatter(image[None]) for image in images] if points else images
        frames = [_pillow_image(frame) for frame in frames]
        buffer = io.BytesIO()
        more = {"lossless": True} if kind == "WEBP" else {}
        frames[0].save(
            buffer,
            kind,
            save_all=True,
            append_images=frames[1:],
            duration=80,  # milliseconds a frame
            loop=0,
            **more,
        )
        data = buffer.getvalue()
    write(data, path)


def write(data: bytes, path: str) -> None:
    """Writes a file in one step; a failure leaves the old one.

    Raises:
        SamplerError: if it cannot be written.
    """
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.isfile(temporary):
            os.remove(temporary)
        raise SamplerError(f"cannot write {path}: {error.strerror}") from None


def check_out(path: str) -> str:
    """Returns the picture format that a path's ending names, or says what is known."""
    ending = os.path.splitext(path)[1].lower()
    kinds = {".png": "PNG", ".gif": "GIF", ".webp": "WEBP"}
    if ending not in kinds:
        raise SamplerError(
            f"--out={path}: expected a name that ends in .png (a grid), .gif or .webp "
            "(an animation)"
        )
    path = os.path.expanduser(path)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise SamplerError(f"--out={path}: no folder '{folder}' that can be written")
    if os.path.isdir(path):
        raise SamplerError(f"--out={path}: a folder, not a file")
    return kinds[ending]


def _pillow_image(image: np.ndarray):
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def check_flags(given: Iterable[str]) -> None:
    """Checks that flags make sense together.

    Args:
        given: The names of those that a user gave.

    Raises:
        SamplerError: for flags of latents with `input`, or flags of it without.
    """
    given = set(given)
    if "input" in given:
        for name in OF_LATENTS:
            if name in given:
                raise SamplerError(
                    f"--{name} is for pictures from noise, and --input for pictures "
                    "from pictures; leave one away"
                )
    for name in ("tile", "overlap", "backward"):
        if name in given and "input" not in given:
            raise SamplerError(
                f"--{name} is for pictures from pictures; expected --input beside it"
            )


def parse_code(word: str) -> tuple[int, list[float]]:
    """Reads "K:VALUE" or "K:FROM,TO": (number of the code, its one or two values).

    Raises:
        SamplerError: for anything else.
    """
    number, _, values = word.partition(":")
    try:
        found = [float(value) for value in values.split(",")]
        if len(found) <= 2 and all(map(math.isfinite, found)):
            return int(number), found
    except ValueError:
        pass
    raise SamplerError(f"--code={word}: expected K:VALUE or K:FROM,TO, as 0:-1,1")


def parse_truncation(words: Sequence[str]) -> float | list[float]:
    """Reads one number, or one for each layer.

    Raises:
        SamplerError: for anything else.
    """
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if not values:
        raise SamplerError(
            f"--truncation={','.join(words)}: expected a number, or one for each layer"
        )
    return values if len(values) > 1 else values[0]


def parse_mix(word: str | None) -> tuple[int, int] | None:
    """Reads "SEED:LAYER"; None stays None.

    Raises:
        SamplerError: for anything else.
    """
    if word is None:
        return None
    try:
        seed, layer = map(int, word.split(":"))
    except ValueError:
        raise SamplerError(f"--mix={word}: expected SEED:LAYER, as 1:4") from None
    return seed, layer


class BaseSampler:
    """Turns seeds, or latents, into pictures; a subclass runs the generator.

    Attributes:
        info: What the generator is: `name`, `image_shape`, `latent_dim`, `latents`
            ("normal" or "uniform"), `num_codes` (how many of the latents, the last
            ones, are codes with a meaning), `num_classes` (0: takes no label),
            `class_names`, `step`, `data_credit`, `recipe`, `versions`; `inputs`, what
            the generator takes beside latents and labels: {name: {"shape": of one
            picture's, "default": number}}.

            If it makes pictures from pictures, there is none of those of latents and
            labels, but `condition_shape`, that of the pictures it was trained to take
            (`image_shape` is that of what it makes of them), `backward` (true for the
            other direction of a model with two), and in a .tflite `tile`: the side of
            the only pictures that it takes, or 0 for any.
    """

    info: dict

    @property
    def at_once(self) -> int:
        """How many pictures to make at once: the maps of large ones fill the memory."""
        height, width, _ = self.info["image_shape"]
        return max(1, min(BATCH, PIXELS // (height * width)))

    def check_takes(self, pictures: bool) -> None:
        """Checks what the generator makes pictures from.

        Args:
            pictures: Whether that should be pictures, or else latents.

        Raises:
            SamplerError: if it is the other.
        """
        if pictures == ("condition_shape" in self.info):
            return
        if pictures:
            raise SamplerError(
                f"{self.info['name']} makes pictures from noise and takes none; leave "
                "--input away (in Python: sample)"
            )
        raise SamplerError(
            f"{self.info['name']} makes pictures from pictures; expected "
            "--input=PICTURE or a folder of them (in Python: translate)"
        )

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the generator on all of its inputs, by name; see `generate`."""
        raise NotImplementedError

    def generate(
        self,
        latents: np.ndarray,
        labels: np.ndarray | None = None,
        extra: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Makes pictures from latents.

        Args:
            latents: float32 [num, latent_dim].
            labels: int32 [num] in 0..num_classes-1; None if it takes no label.
            extra: Values in place of the defaults of `info["inputs"]`, by name; each
                float [num, ...], or with fewer axes, the same for all samples.

        Returns:
            float32 [num, height, width, channels] in [-1, 1].
        """
        return self.run(self.inputs(latents, labels, extra))

    def inputs(
        self,
        latents: np.ndarray,
        labels: np.ndarray | None = None,
        extra: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Completes what `generate` takes to all inputs of the generator, by name."""
        inputs = {"latents": latents}
        if labels is not None:
            inputs["labels"] = labels
        for name, spec in self.info.get("inputs", {}).items():
            value = (extra or {}).get(name, spec["default"])
            shape = (len(latents), *spec["shape"])
            inputs[name] = np.broadcast_to(np.asarray(value, np.float32), shape)
        return inputs

    def translate(
        self, picture: np.ndarray, tile: int | None = None, overlap: int | None = None
    ) -> np.ndarray:
        """Makes a picture from a picture of any size.

        What is larger than a tile is cut into tiles of one size, which fade into each
        other where they overlap. What is smaller than the pictures of training is
        mirrored up to their size, and the result cut back.

        Args:
            picture: uint8 [height, width, channels], as `read` gives it.
            tile: Pixels on a side that are made at once, 512 if not given: more take
                more memory. A .tflite of a fixed size takes tiles of that size alone.
            overlap: Pixels that neighbours share at least, up to half a tile; 32 if
                not given, or half a tile if that is less.

        Returns:
            uint8 [scale * height, scale * width, channels]; the scale is 1, or what the
            generator enlarges by.

        Raises:
            SamplerError: for another array, a tile or an overlap out of range, or a
                generator that takes no pictures.
        """
        self.check_takes(pictures=True)
        tile, overlap = self.tiling(tile, overlap)
        side, _, channels = self.info["condition_shape"]
        scale = self.info["image_shape"][0] // side
        given = np.asarray(picture)
        if given.dtype != np.uint8 or given.shape[2:] != (channels,) or not given.size:
            raise SamplerError(
                f"picture: expected uint8 [height, width, {channels}], got "
                f"{given.dtype} {list(given.shape)}"
            )
        least = self.info.get("tile") or side
        more = [(0, max(0, least - n)) for n in given.shape[:2]]
        padded = np.pad(given, (*more, (0, 0)), "symmetric")
        height, width = padded.shape[:2]
        rows, columns = min(tile, height), min(tile, width)
        tops = tile_starts(height, rows, overlap)
        lefts = tile_starts(width, columns, overlap)

        def strips():  # each as wide as the picture, as high as a tile
            for top in tops:
                cut = (padded[top : top + rows, x : x + columns] for x in lefts)
                made = (self.run({"condition": to_float(c[None])})[0] for c in cut)
                parts = (part.swapaxes(0, 1) for part in made)
                joined = blend(parts, [scale * x for x in lefts])
                yield np.concatenate(list(joined)).swapaxes(0, 1)

        made = blend(strips(), [scale * y for y in tops])
        whole = np.concatenate([to_uint8(part) for part in made])
        return whole[: scale * given.shape[0], : scale * given.shape[1]]

    def tiling(self, tile: int | None, overlap: int | None) -> tuple[int, int]:
        """Checks what `translate` is to cut a picture by; returns (tile, overlap)."""
        fixed, side = self.info.get("tile"), self.info["condition_shape"][0]
        if fixed and tile not in (None, fixed):
            raise SamplerError(
                f"tile: this .tflite takes {fixed}x{fixed} pixels alone, got {tile}; "
                "leave it away, or export with --size=0"
            )
        if tile is not None and tile < (fixed or side):
            raise SamplerError(
                f"tile: expected at least {side}, the side of the pictures of "
                f"training, got {tile}"
            )
        tile = fixed or tile or max(TILE, side)
        if overlap is not None and not 0 <= overlap <= tile // 2:
            raise SamplerError(
                f"overlap: expected 0 to {tile // 2}, half a tile, got {overlap}"
            )
        return tile, min(OVERLAP, tile // 2) if overlap is None else overlap

    def examples(self, num: int, side: int | None = None) -> np.ndarray:
        """Pictures to try a generator on that takes some: smooth and random.

        Args:
            num: How many.
            side: Their side in pixels; that of training (or of a fixed .tflite) if not
                given.

        Returns:
            float32 [num, side, side, channels] in [-1, 1].
        """
        side = side or self.info.get("tile") or self.info["condition_shape"][0]
        rng = np.random.default_rng(0)
        shape = (2, num, 1, 1, self.info["condition_shape"][-1])
        down, right = rng.uniform(-2, 2, shape)  # waves on a side
        begin = rng.uniform(0, 2, shape[1:])
        at = np.arange(side) / side
        waves = down * at[:, None, None] + right * at[:, None] + begin
        return np.cos(np.pi * waves).astype(np.float32)

    def sample(
        self,
        num: int = 16,
        labels: int | Sequence[int] | None = None,
        seed: int = 0,
        truncation: float | Sequence[float] = 1.0,
        shift: float = 0.0,
        threshold: float | None = None,
        codes: Mapping[int, float] | None = None,
        noise: float = 1.0,
        mix: tuple[int, int] | None = None,
    ) -> np.ndarray:
        """Draw samples; the options of `SampleOptions` as keywords.

        Args:
            num: Number of samples.
            labels: See `SampleOptions`, as for all that follow.
            seed: Seed of the latents.
            truncation: Scale of the latents or styles.
            shift: Number added to the latents.
            threshold: Bound of the latents.
            codes: Continuous codes to set.
            noise: Strength of the noise of a generator with styles.
            mix: Seed of other styles, and the first layer that takes them.

        Returns:
            uint8 [num, height, width, channels].

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        options = SampleOptions(
            seed=seed,
            labels=labels,
            truncation=truncation,
            shift=shift,
            threshold=threshold,
            codes=codes or {},
            noise=noise,
            mix=mix,
        )
        return self.draw(num, options)

    def draw(self, num: int, options: SampleOptions) -> np.ndarray:
        """Draw samples 0 to num - 1.

        Args:
            num: Number of samples.
            options: Options of all samples.

        Returns:
            uint8 [num, height, width, channels].

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        if num < 1:
            raise SamplerError(f"num: expected at least 1, got {num}")
        self.labels(num, options.labels)
        size = self.at_once
        parts = (range(i, min(i + size, num)) for i in range(0, num, size))
        return np.concatenate([self.make(part, options) for part in parts])

    def make(self, numbers: Sequence[int], options: SampleOptions) -> np.ndarray:
        """Make the samples of some numbers, all at once.

        Args:
            numbers: Numbers of the samples, from 0 up.
            options: Options of all samples.

        Returns:
            uint8 [len(numbers), height, width, channels].

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        latents = self.latents(numbers, options)
        chosen: Any = options.labels
        if chosen is None and self.info["num_classes"]:
            chosen = np.asarray(numbers) % self.info["num_classes"]
        elif chosen is not None and np.ndim(chosen):
            chosen = np.asarray(chosen)[np.asarray(numbers)]
        labels = self.labels(len(numbers), chosen)
        extra = self.extra_inputs(numbers, options)
        return to_uint8(self.generate(latents, labels, extra))

    def check(self, options: SampleOptions) -> None:
        """Check options against what the generator has, but for labels.

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        self.check_takes(pictures=False)
        name, layers = self.info["name"], self._layers()
        shape = np.shape(options.truncation)
        if shape and (not layers or shape != (layers,)):
            raise SamplerError(
                "truncation: expected one number"
                + (f", or {layers}" if layers else "")
                + f", got {np.size(options.truncation)}"
            )
        known = self.info.get("num_codes", 0)
        for number in options.codes:
            if not 0 <= number < known:
                codes = f"codes 0 to {known - 1}" if known else "no codes"
                raise SamplerError(f"code {number}: {name} has {codes}")
        if not layers and (options.noise != 1 or options.mix):
            raise SamplerError(
                f"{name} has no styles, and no noise to change or layers to mix"
            )
        if options.noise != 1 and "noise" not in self.info["inputs"]:
            raise SamplerError(f"{name} was trained without noise")
        if options.mix and not 0 <= options.mix[1] < layers:
            raise SamplerError(
                f"mix: expected layer 0 to {layers - 1}, got {options.mix[1]}"
            )

    def latents(
        self, numbers: Sequence[int], options: SampleOptions | None = None
    ) -> np.ndarray:
        """Draw the latents of some samples: float32 [len(numbers), latent_dim].

        Args:
            numbers: Numbers of the samples, from 0 up.
            options: Options of all samples; the defaults if not given.

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        options = options or SampleOptions()
        self.check(options)
        dim, distribution = self.info["latent_dim"], self.info["latents"]
        latents = draw_latents(
            options.seed, numbers, dim, distribution, options.threshold
        )
        if not self._layers():  # or else styles are truncated: see `extra_inputs`
            latents = latents * np.asarray(options.truncation, np.float32)
        return self.set_codes(latents + np.float32(options.shift), options.codes)

    def extra_inputs(
        self, numbers: Sequence[int], options: SampleOptions | None = None
    ) -> dict[str, np.ndarray]:
        """Collect the inputs of a generator with styles beside latents and labels.

        Args:
            numbers: Numbers of the samples, from 0 up.
            options: Options of all samples; the defaults if not given.

        Returns:
            Values for `generate`, by name; {} for a generator without styles.

        Raises:
            SamplerError: For an option out of range, or one that the generator lacks.
        """
        options = options or SampleOptions()
        self.check(options)
        layers = self._layers()
        if not layers:
            return {}
        extra = {"truncation": np.asarray(options.truncation, np.float32)}
        if "noise" in self.info["inputs"]:
            extra["noise"] = np.asarray(options.noise, np.float32)
        if options.mix:
            seed, layer = options.mix
            mixed = SampleOptions(
                seed, shift=options.shift, threshold=options.threshold
            )
            extra["mixed_latents"] = self.latents(numbers, mixed)
            extra["mix"] = (np.arange(layers) >= layer).astype(np.float32)
        return extra

    def _layers(self) -> int:
        """How many styles a picture has; 0 for a generator without."""
        found = self.info.get("inputs", {}).get("truncation")
        return found["shape"][0] if found else 0

    def set_codes(
        self, latents: np.ndarray, codes: Mapping[int, float | np.ndarray]
    ) -> np.ndarray:
        """Set continuous codes, which are the last of the latents.

        Args:
            latents: float32 [num, latent_dim]; changed in place.
            codes: {number: value, or float [num]} of codes that the generator has.

        Returns:
            The latents.
        """
        for number, value in codes.items():
            latents[:, number - self.info["num_codes"]] = value
        return latents

    def label(self, word: str | None) -> int | None:
        """Reads a label as it is typed: a class's number, or its name.

        Raises:
            SamplerError: for a word that is neither.
        """
        self.check_takes(pictures=False)
        if word is None:
            return None
        with contextlib.suppress(ValueError):
            return int(word)
        names = list(map(str, self.info["class_names"]))
        if word in names:
            return names.index(word)
        self.labels(1, 0)  # says so if there are no classes
        last = self.info["num_classes"] - 1
        raise SamplerError(
            f"label {word}: expected 0 to {last}, or one of {', '.join(names)}"
        )

    def labels(self, num: int, labels: int | Sequence[int] | None) -> np.ndarray | None:
        """Checks labels and returns one for each picture: int32 [num], or None."""
        self.check_takes(pictures=False)
        classes = self.info["num_classes"]
        if not classes:
            if labels is not None:
                raise SamplerError(
                    f"label: {self.info['name']} is unconditional and takes no label; "
                    "leave it away"
                )
            return None
        if labels is None:
            return (np.arange(num) % classes).astype(np.int32)
        result = np.asarray(labels)
        if result.dtype.kind not in "iu" or result.shape not in ((), (num,)):
            raise SamplerError(
                f"labels: expected one whole number, or {num} of them, got {labels!r}"
            )
        wrong = result[(result < 0) | (result >= classes)]
        if wrong.size:
            names = ", ".join(map(str, self.info["class_names"]))
            raise SamplerError(
                f"label {wrong.flat[0]}: expected 0 to {classes - 1} ({names})"
            )
        return np.broadcast_to(result, (num,)).astype(np.int32)


def rename_info(info: dict) -> tuple[dict, dict[str, str]]:
    """Bring the description of an older export to today's names.

    Args:
        info: Description of the generator, as the export holds it.

    Returns:
        (description, {input: the name that the export has for it}); the image that a
        translation starts from was its "source" before it was its "condition".
    """
    if "source_shape" not in info:
        return info, {}
    names = {"source_shape": "condition_shape"}
    renamed = {names.get(key, key): value for key, value in info.items()}
    return renamed, {"condition": "source"}


class Sampler(BaseSampler):
    """A .tflite generator written by keras_gans, run by LiteRT.

    Args:
        path: The .tflite file.
        threads: Threads that LiteRT uses; the number of cores if not given.

    Raises:
        SamplerError: if the file is missing, truncated, or not such a generator.
    """

    def __init__(self, path: str, threads: int | None = None):
        """Reads the file and what it says of itself."""
        from ai_edge_litert.interpreter import Interpreter

        if not os.path.isfile(path):
            raise SamplerError(f"no file {path}")
        try:
            with zipfile.ZipFile(path) as archive:
                info = json.loads(archive.read(INFO_NAME))
        except (zipfile.BadZipFile, KeyError, ValueError):
            raise SamplerError(
                f"{path}: truncated, or not a .tflite that keras_gans wrote (it ends "
                f"with no {INFO_NAME}); export it again"
            ) from None
        self.info, self._names = rename_info(info)
        try:
            self._interpreter = Interpreter(
                model_path=path, num_threads=threads or os.cpu_count()
            )
            self._runner = self._interpreter.get_signature_runner("generate")
        except (ValueError, RuntimeError) as error:
            raise SamplerError(
                f"{path}: LiteRT cannot read it ({str(error).splitlines()[0]}); "
                "export it again"
            ) from None

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the generator; see BaseSampler.run."""
        fixed, names = self.info.get("tile"), self._names
        inputs = {names.get(name, name): value for name, value in inputs.items()}
        if not fixed:
            # The runner's result is a view into the interpreter: copy it.
            return np.array(self._runner(**inputs)["images"])
        [(name, images)] = inputs.items()
        if images.shape[1:3] != (fixed, fixed):
            raise SamplerError(
                f"condition: this .tflite takes {fixed}x{fixed} pixels alone, got "
                f"{images.shape[1]}x{images.shape[2]}; use translate"
            )
        # Its batch is fixed as well, which is what makes it quicker.
        runs = (self._runner(**{name: image[None]}) for image in images)
        return np.concatenate([np.array(made["images"]) for made in runs])


def speed(sampler: BaseSampler, seconds: float = 1.0) -> dict[str, float]:
    """Measures how quickly a generator draws, and the memory of this process.

    Args:
        sampler: The generator.
        seconds: About how long each of the two measurements takes.

    Returns:
        {"milliseconds": median for one picture, "pictures_per_second": in batches of
        `at_once` (one by one, if it makes pictures from pictures), "peak_mib": the most
        memory that the process ever held, if the system says}.
    """
    medians, batch = [], 1 if "condition_shape" in sampler.info else sampler.at_once
    for num in (1, batch):
        if "condition_shape" in sampler.info:
            inputs = {"condition": sampler.examples(num)}
        else:
            inputs = sampler.inputs(
                sampler.latents(range(num)), sampler.labels(num, None)
            )
        sampler.run(inputs)  # allocates
        taken, end = [], time.perf_counter() + seconds
        while len(taken) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            sampler.run(inputs)
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken))
    found = {
        "milliseconds": round(1000 * medians[0], 3),
        "pictures_per_second": round(batch / medians[1], 1),
    }
    peak = peak_mib()
    return {**found, "peak_mib": round(peak, 1)} if peak else found


def peak_mib(process: int | str = "self") -> float:
    """The most memory that a process held so far, in MiB; 0 if the system says nothing.

    Args:
        process: Its number, or "self".
    """
    try:  # Linux, Android; what `resource` says there is at least the parent's peak
        with open(f"/proc/{process}/status", encoding="utf-8") as file:
            [line] = [line for line in file if line.startswith("VmHWM:")]
    except (OSError, ValueError):
        return 0.0
    return int(line.split()[1]) / 1024


def translate_files(
    sampler: BaseSampler,
    source: str,
    out: str,
    tile: int | None = None,
    overlap: int | None = None,
) -> None:
    """Makes a picture file from one, or a folder of them from a folder, one by one.

    Files of a folder that cannot be read are named on stderr and left out.

    Args:
        sampler: A generator that makes pictures from pictures.
        source: The picture, or the folder.
        out: The .png to write; or the folder, which is made if it is not there, for
            files of the same names that end in .png.
        tile: See `BaseSampler.translate`.
        overlap: See `BaseSampler.translate`.

    Raises:
        SamplerError: if there is nothing that can be read, or `out` cannot be written
            to, is `source`, or holds other pictures of the same names.
    """
    sampler.check_takes(pictures=True)
    sampler.tiling(tile, overlap)
    source, out = os.path.expanduser(source), os.path.expanduser(out)
    folder = os.path.isdir(source)
    pairs = _pairs(source, out) if folder else [(source, _check_png(source, out))]
    channels, made = sampler.info["condition_shape"][-1], 0
    for given, target in pairs:
        try:
            picture = read(given, channels)
        except OSError as error:
            if not folder:
                raise SamplerError(f"--input={given}: {error}") from None
            print(f"left out {given}: {error}", file=sys.stderr)
            continue
        about = describe(
            sampler.info,
            input=os.path.basename(given),
            backward=sampler.info.get("backward"),
        )
        if folder:
            os.makedirs(out, exist_ok=True)
        write(encode(sampler.translate(picture, tile, overlap), about), target)
        made += 1
    if not made:
        raise SamplerError(f"--input={source}: none of its pictures can be read")
    if folder:
        left = f" ({len(pairs) - made} could not be read)" if made < len(pairs) else ""
        print(f"wrote {made} of {len(pairs)} pictures to {out}{left}")
    else:
        print(f"wrote {out}")


def _check_png(source: str, out: str) -> str:
    """Checks where the picture that is made of a file is to be written."""
    if not os.path.isfile(source):
        raise SamplerError(f"--input={source}: no such file or folder")
    if not out.lower().endswith(".png"):
        raise SamplerError(f"--out={out}: expected a name that ends in .png")
    check_out(out)
    if os.path.exists(out) and os.path.samefile(source, out):
        raise SamplerError(f"--out={out}: that is --input; choose another name")
    return out


def _pairs(source: str, out: str) -> list[tuple[str, str]]:
    """A folder's pictures, and the file to be made of each; nothing is made yet."""
    parent = os.path.dirname(os.path.abspath(out))
    if os.path.isfile(out) or out.lower().endswith(".png"):
        raise SamplerError(f"--out={out}: expected a folder, as --input is one")
    writable = out if os.path.isdir(out) else parent
    if not os.path.isdir(writable) or not os.access(writable, os.W_OK):
        raise SamplerError(f"--out={out}: no folder '{writable}' that can be written")
    if os.path.isdir(out) and os.path.samefile(source, out):
        raise SamplerError(f"--out={out}: that is --input; choose another folder")
    names = sorted(n for n in os.listdir(source) if n.lower().endswith(ENDINGS))
    if not names:
        raise SamplerError(
            f"--input={source}: no pictures; expected files that end in "
            f"{', '.join(ENDINGS)}"
        )
    found = {}
    for name in names:
        target = os.path.join(out, os.path.splitext(name)[0] + ".png")
        if target in found:
            raise SamplerError(
                f"--input={source}: {found[target]} and {name} would both become "
                f"{target}; rename one"
            )
        if os.path.exists(target) and not _is_ours(target):
            raise SamplerError(
                f"--out={out}: {target} is there, and not one of ours; choose another "
                "folder"
            )
        found[target] = name
    return [(os.path.join(source, name), target) for target, name in found.items()]


def _is_ours(path: str) -> bool:
    """Whether a file says that a generator made it, see `encode`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return ABOUT_KEY in image.info
    except OSError:
        return False


def main(argv: list[str] | None = None) -> int:
    """The command line; see the top of this file. Returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Draws pictures from a .tflite generator."
    )
    parser.add_argument("path", help="the .tflite file")
    parser.add_argument("--num", type=int, default=16, help="how many (16)")
    parser.add_argument(
        "--label", help="number or name of a class; all in turn if not given"
    )
    parser.add_argument("--seed", type=int, default=0, help="from 0 up (0)")
    parser.add_argument(
        "--truncation", default="1.0", help="0 to 1 (1.0); of styles: or one a layer"
    )
    parser.add_argument("--noise", type=float, default=1.0, help="of styles: 0 to 1")
    parser.add_argument("--mix", help="SEED:LAYER, other styles from a layer on")
    parser.add_argument("--shift", type=float, default=0.0, help="moves latents (0.0)")
    parser.add_argument("--threshold", type=float, help="redraws latents beyond it")
    parser.add_argument(
        "--code", action="append", default=[], help="K:VALUE sets continuous code K"
    )
    parser.add_argument("--input", help="picture, or folder, to make others from")
    parser.add_argument("--tile", type=int, help=f"pixels made at once ({TILE})")
    parser.add_argument("--overlap", type=int, help=f"of tiles, in pixels ({OVERLAP})")
    parser.add_argument("--threads", type=int, help="all cores if not given")
    parser.add_argument(
        "--benchmark", action="store_true", help="prints speed and memory instead"
    )
    parser.add_argument(
        "--out", default="samples.png", help=".png, .gif or .webp; or a folder"
    )
    args = parser.parse_args(argv)
    try:
        if args.benchmark:
            print(json.dumps(speed(Sampler(args.path, args.threads))))
            return 0
        given = [k for k, v in vars(args).items() if v != parser.get_default(k)]
        check_flags(given)
        if args.input is not None:
            sampler = Sampler(args.path, args.threads)
            translate_files(sampler, args.input, args.out, args.tile, args.overlap)
            return 0
        check_out(args.out)
        codes = dict(map(parse_code, args.code))
        if any(len(values) > 1 for values in codes.values()):
            raise SamplerError("code: expected K:VALUE; a walk needs keras_gans.sample")
        codes = {k: value for k, (value,) in codes.items()}
        sampler = Sampler(args.path, args.threads)
        label = sampler.label(args.label)
        options = SampleOptions(
            seed=args.seed,
            labels=label,
            truncation=parse_truncation(args.truncation.split(",")),
            shift=args.shift,
            threshold=args.threshold,
            codes=codes,
            noise=args.noise,
            mix=parse_mix(args.mix),
        )
        pictures = sampler.draw(args.num, options)
        about = describe(sampler.info, seed=args.seed, label=label)
        save(pictures, args.out, about=about)
    except SamplerError as error:
        print(f"sampler: {error}", file=sys.stderr)
        return 2
    print(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

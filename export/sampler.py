"""Draws pictures from a .tflite generator with NumPy, Pillow and LiteRT alone.

This file needs neither TensorFlow nor the rest of the package: copy it to the device
beside the .tflite file.

    python sampler.py generator.tflite --label=4 --num=16 --out=four.png
    python sampler.py generator.tflite --benchmark

or, in Python,

    pictures = Sampler("generator.tflite").sample(16, labels=4, seed=0)
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

INFO_NAME = "keras_gans.json"  # the file inside a .tflite that describes the generator
BATCH = 64  # pictures made at once


class SamplerError(ValueError):
    """The source, or what was asked of it, is wrong; the message says how."""


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
        SamplerError: for a seed or a threshold out of range.
    """
    if threshold is not None and (distribution != "normal" or not threshold >= 0.1):
        raise SamplerError(
            f"threshold: expected 0.1 or more, and a generator from normal latents; "
            f"got {threshold}, and {distribution} ones"
        )
    if not 0 <= seed < 2**64:
        raise SamplerError(f"seed: expected 0 to 2**64 - 1, got {seed}")
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
    """

    info: dict

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Runs the generator on all of its inputs, by name; see `generate`."""
        raise NotImplementedError

    def generate(
        self,
        latents: np.ndarray,
        labels: np.ndarray | None = None,
        options: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Makes pictures from latents.

        Args:
            latents: float32 [num, latent_dim].
            labels: int32 [num] in 0..num_classes-1; None if it takes no label.
            options: Those of `info["inputs"]` that are not to have their default, each
                float [num, ...] or of fewer axes, the same for all pictures.

        Returns:
            float32 [num, height, width, channels] in [-1, 1].
        """
        return self.run(self.inputs(latents, labels, options))

    def inputs(
        self,
        latents: np.ndarray,
        labels: np.ndarray | None = None,
        options: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Completes what `generate` takes to all inputs of the generator, by name."""
        inputs = {"latents": latents}
        if labels is not None:
            inputs["labels"] = labels
        for name, spec in self.info.get("inputs", {}).items():
            value = (options or {}).get(name, spec["default"])
            shape = (len(latents), *spec["shape"])
            inputs[name] = np.broadcast_to(np.asarray(value, np.float32), shape)
        return inputs

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
        """Draws pictures; the i-th depends on (seed, i, label) alone.

        Args:
            num: How many.
            labels: One class for all, or one for each; in turn if not given. Only for
                a generator that takes labels.
            seed: A whole number from 0 up.
            truncation: In [0, 1]; latents are scaled towards their mean, 0. Less
                variety for fewer bad pictures; 1 leaves them as they are. For a
                generator with styles (StyleGAN2) these are, and there may be a number
                for each of its layers.
            shift: Added to every component of every latent.
            threshold: 0.1 or more; values of normal latents beyond it are drawn again.
                As truncation: less variety for fewer bad pictures.
            codes: {number: value} of continuous codes to set, for a generator that has
                some (InfoGAN); the others stay as they are drawn.
            noise: Strength of the noise of a generator with styles; 0 turns it off.
            mix: (seed, layer): from this layer on, counted from 0, styles are those of
                the same pictures of another seed. For a generator with styles.

        Returns:
            uint8 [num, height, width, channels].

        Raises:
            SamplerError: for a number, label, seed, truncation, threshold or code out
                of range.
        """
        if num < 1:
            raise SamplerError(f"num: expected at least 1, got {num}")
        if not math.isfinite(shift):
            raise SamplerError(f"shift: expected a finite number, got {shift}")
        pictures = []
        classes = self.labels(num, labels)
        for start in range(0, num, BATCH):
            chosen = range(start, min(start + BATCH, num))
            latents = self.latents(chosen, seed, truncation, threshold)
            latents = self.set_codes(latents + np.float32(shift), codes or {})
            batch_labels = None if classes is None else classes[start : chosen.stop]
            options = self.options(chosen, truncation, noise, mix, threshold, shift)
            pictures.append(to_uint8(self.generate(latents, batch_labels, options)))
        return np.concatenate(pictures)

    def latents(
        self,
        indices: Sequence[int],
        seed: int = 0,
        truncation: float | Sequence[float] = 1.0,
        threshold: float | None = None,
    ) -> np.ndarray:
        """Draws this generator's latents: float32 [len(indices), latent_dim]."""
        scale = self._truncation(truncation)
        dim, distribution = self.info["latent_dim"], self.info["latents"]
        drawn = draw_latents(seed, indices, dim, distribution, threshold)
        # Where there are styles, these are truncated: see `options`.
        return drawn if self._layers() else drawn * scale

    def options(
        self,
        indices: Sequence[int],
        truncation: float | Sequence[float] = 1.0,
        noise: float = 1.0,
        mix: tuple[int, int] | None = None,
        threshold: float | None = None,
        shift: float | np.ndarray = 0.0,
    ) -> dict[str, np.ndarray]:
        """What `generate` takes beside latents and labels.

        Args:
            indices: The pictures' numbers.
            truncation: This and the others as of `sample`.
            noise: See there.
            mix: See there.
            threshold: See there.
            shift: See there; or one for each picture, float [num, 1].

        Returns:
            The options of a generator with styles; {} for others.

        Raises:
            SamplerError: for a value out of range, or one that the generator lacks.
        """
        layers, scale = self._layers(), self._truncation(truncation)
        if not layers:
            if noise != 1 or mix:
                raise SamplerError(
                    f"{self.info['name']} has no styles, and no noise to change or "
                    "layers to mix"
                )
            return {}
        if not 0 <= noise <= 1:
            raise SamplerError(f"noise: expected 0 to 1, got {noise}")
        options = {"truncation": scale}
        if "noise" in self.info["inputs"]:
            options["noise"] = np.float32(noise)
        elif noise != 1:
            raise SamplerError(f"{self.info['name']} was trained without noise")
        if mix:
            seed, layer = mix
            if not 0 <= layer < layers:
                raise SamplerError(
                    f"mix: expected layer 0 to {layers - 1}, got {layer}"
                )
            others = self.latents(indices, seed, 1.0, threshold)
            options["mixed_latents"] = others + np.float32(shift)
            options["mix"] = (np.arange(layers) >= layer).astype(np.float32)
        return options

    def _layers(self) -> int:
        """How many styles a picture has; 0 for a generator without."""
        found = self.info.get("inputs", {}).get("truncation")
        return found["shape"][0] if found else 0

    def _truncation(self, values: float | Sequence[float]) -> np.ndarray:
        """Checks truncation: float32 [], or [layers]."""
        result, layers = np.asarray(values, np.float32), self._layers()
        if result.shape not in ((), (layers,)) or (layers == 0 and result.shape):
            raise SamplerError(
                "truncation: expected one number"
                + (f", or {layers}" if layers else "")
                + f", got {len(result)}"
            )
        if not ((result >= 0) & (result <= 1)).all():
            raise SamplerError(f"truncation: expected 0 to 1, got {values}")
        return result

    def set_codes(
        self, latents: np.ndarray, codes: Mapping[int, float | np.ndarray]
    ) -> np.ndarray:
        """Sets continuous codes, which are the last of the latents.

        Args:
            latents: float32 [num, latent_dim]; changed in place.
            codes: {number: value, or float [num]}.

        Returns:
            The latents.

        Raises:
            SamplerError: for a code that the generator does not have.
        """
        known = self.info.get("num_codes", 0)
        for number, value in codes.items():
            if not 0 <= number < known:
                what = f"codes 0 to {known - 1}" if known else "no codes"
                raise SamplerError(f"code {number}: {self.info['name']} has {what}")
            if not np.isfinite(value).all():
                raise SamplerError(f"code {number}: expected a finite number")
            latents[:, number - known] = value
        return latents

    def labels(self, num: int, labels: int | Sequence[int] | None) -> np.ndarray | None:
        """Checks labels and returns one for each picture: int32 [num], or None."""
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
                self.info = json.loads(archive.read(INFO_NAME))
        except (zipfile.BadZipFile, KeyError, ValueError):
            raise SamplerError(
                f"{path}: truncated, or not a .tflite that keras_gans wrote (it ends "
                f"with no {INFO_NAME}); export it again"
            ) from None
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
        # The runner's result is a view into the interpreter: copy it.
        return np.array(self._runner(**inputs)["images"])


def speed(sampler: BaseSampler, seconds: float = 1.0) -> dict[str, float]:
    """Measures how quickly a generator draws, and the memory of this process.

    Args:
        sampler: The generator.
        seconds: About how long each of the two measurements takes.

    Returns:
        {"milliseconds": median for one picture, "pictures_per_second": in batches of
        BATCH, "peak_mib": the most memory that the process ever held, if the system
        says}.
    """
    medians = []
    for num in (1, BATCH):
        latents = sampler.latents(range(num))
        labels = sampler.labels(num, None)
        sampler.generate(latents, labels)  # allocates
        taken, end = [], time.perf_counter() + seconds
        while len(taken) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            sampler.generate(latents, labels)
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken))
    found = {
        "milliseconds": round(1000 * medians[0], 3),
        "pictures_per_second": round(BATCH / medians[1], 1),
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


def main(argv: list[str] | None = None) -> int:
    """The command line; see the top of this file. Returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Draws pictures from a .tflite generator."
    )
    parser.add_argument("path", help="the .tflite file")
    parser.add_argument("--num", type=int, default=16, help="how many (16)")
    parser.add_argument("--label", type=int, help="class; all in turn if not given")
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
    parser.add_argument("--threads", type=int, help="all cores if not given")
    parser.add_argument(
        "--benchmark", action="store_true", help="prints speed and memory instead"
    )
    parser.add_argument("--out", default="samples.png", help=".png, .gif or .webp")
    args = parser.parse_args(argv)
    try:
        if args.benchmark:
            print(json.dumps(speed(Sampler(args.path, args.threads))))
            return 0
        check_out(args.out)
        codes = dict(map(parse_code, args.code))
        if any(len(values) > 1 for values in codes.values()):
            raise SamplerError("code: expected K:VALUE; a walk needs keras_gans.sample")
        codes = {k: value for k, (value,) in codes.items()}
        sampler = Sampler(args.path, args.threads)
        pictures = sampler.sample(
            args.num,
            args.label,
            args.seed,
            parse_truncation(args.truncation.split(",")),
            args.shift,
            args.threshold,
            codes,
            args.noise,
            parse_mix(args.mix),
        )
        about = describe(sampler.info, seed=args.seed, label=args.label)
        save(pictures, args.out, about=about)
    except SamplerError as error:
        print(f"sampler: {error}", file=sys.stderr)
        return 2
    print(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

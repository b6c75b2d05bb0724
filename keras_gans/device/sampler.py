"""Generate images from a .tflite file with NumPy, Pillow and LiteRT.

This file needs neither TensorFlow nor the rest of the package: copy it to the device
together with the .tflite file.

    python sampler.py generator.tflite --label=4 --num=16 --out=four.png
    python sampler.py generator.tflite --benchmark

or, in Python,

    images = Sampler("generator.tflite").sample(16, labels=4, seed=0)

A generator that translates images takes an image file, or a folder of image files:

    python sampler.py generator.tflite --input=image.png --out=translated.png
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import re
import reprlib
import statistics
import struct
import sys
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

INFO_NAME = "keras_gans.json"  # file in a .tflite that describes the generator
INFO_BYTES = 2**22  # upper limit of its size; a class needs about 20
TENSOR_BYTES = 2**30  # upper limit of a tensor in a .tflite file, for one image
BATCH, PIXELS = 64, 2**18  # upper limits of images and pixels generated at once
# Default tiles of `BaseSampler.translate` in pixels, of a generator whose images are as
# large as its condition images.
TILE, OVERLAP = 512, 32
# Endings of image files in a folder, and the formats of Pillow that read them. Formats
# that start other programs (EPS) are not among them.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
    *(".avif", ".heic", ".heif"),
)
FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF"),
    *("HEIF", "TGA"),
)
MOST_PIXELS = 178_956_970  # of an image that is read at its own size; Pillow's limit
LARGE = 2**25  # pixels above which an image is converted and reduced in strips
# Bytes for each pixel of a decoded image; 4 for other modes.
SHALLOW = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
# Bytes for each pixel that a decoder holds beside the image.
DECODERS = {"WEBP": 8, "AVIF": 8, "HEIF": 8, "JPEG2000": 12, "TIFF": 4, "GIF": 5}
# Flags that need latents, which a generator that translates images does not take.
OF_LATENTS = (
    "num label seed truncation noise mix shift threshold code interpolate shards "
    "format only"
).split()


# Characters that move a terminal's cursor or reorder its text, and lone surrogates.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def shown(text: object, keep: str = "") -> str:
    r"""Return text with its control characters as escapes, such as "\x1b".

    Args:
        text: Text that may hold names from a file; other values are converted.
        keep: Control characters to leave as they are.
    """
    return HIDDEN.sub(lambda c: c[0] if c[0] in keep else ascii(c[0])[1:-1], str(text))


class SamplerError(ValueError):
    """Error in a generator's file, or in the arguments given to the generator."""


@dataclasses.dataclass(frozen=True)
class SampleOptions:
    """Options of samples that are generated from noise.

    Sample `i` is a function of the generator, these options and `i` alone.

    Attributes:
        seed: Seed of the latents, from 0 to 2**64 - 1.
        labels: Class of all samples, or one class for each sample. None takes all
            classes in turn. Only for a generator that takes labels.
        truncation: Scale of the latents, or of the styles of a generator with styles
            (StyleGAN2), towards their mean, from 0 to 1. Smaller values trade variety
            for fewer bad samples; 1 changes nothing. Styles also take one number for
            each layer.
        shift: Number added to every component of every latent.
        threshold: Bound of normal latents, 0.1 or more; values beyond it are drawn
            again (BigGAN's truncation trick).
        codes: Continuous codes to set, {number: value}, for a generator that has
            codes (InfoGAN). The other codes keep their random values.
        noise: Strength of the noise of a generator with styles, from 0 to 1.
        mix: (seed, layer) of style mixing. From this layer on, counted from 0, a sample
            takes the styles of the sample with the same number of this other seed.
            Only for a generator with styles.
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
        """Check the ranges that hold for every generator.

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
                raise SamplerError(
                    f"code {number}: expected a finite number as its value"
                )
        if not 0 <= self.noise <= 1:
            raise SamplerError(f"noise: expected 0 to 1, got {self.noise}")


def draw_latents(
    seed: int,
    indices: Sequence[int],
    dim: int,
    distribution: str,
    threshold: float | None = None,
) -> np.ndarray:
    """Draw latents; row i depends on (seed, indices[i]) alone.

    Args:
        seed: Seed, from 0 to 2**64 - 1.
        indices: Numbers of the samples, from 0 up.
        dim: Length of one latent.
        distribution: "normal" for N(0, 1), "uniform" for U(-1, 1).
        threshold: Bound of the values; values beyond +-threshold are drawn again
            (BigGAN's truncation trick). Only for "normal".

    Returns:
        float32 [len(indices), dim].

    Raises:
        SamplerError: For a threshold out of range.
    """
    if threshold is not None and (distribution != "normal" or not threshold >= 0.1):
        raise SamplerError(
            f"threshold: expected 0.1 or more and normal latents, got {threshold} and "
            f"{distribution} latents"
        )
    latents = np.empty((len(indices), dim), np.float32)
    for row, index in zip(latents, indices, strict=True):
        # Philox is a counter-based generator; each key has its own stream.
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
    """Interpolate spherically between two latents.

    Args:
        start: First latent, float [dim].
        end: Last latent, float [dim].
        num: Number of latents, including the first and the last.

    Returns:
        float32 [num, dim]; lengths change linearly from |start| to |end|.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    t = np.linspace(0, 1, num)[:, None]
    if not all(lengths):  # a zero vector has no direction: interpolate linearly
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
    """Convert float images in [-1, 1] to uint8 in 0..255; clip values outside."""
    return np.clip(np.round((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def to_float(images: np.ndarray) -> np.ndarray:
    """Convert uint8 images in 0..255 to float32 in [-1, 1]; inverse of `to_uint8`."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def read(path: str, channels: int) -> np.ndarray:
    """Read an image file at its own size, upright by its EXIF orientation.

    Args:
        path: Path of an image file of one of `FORMATS`.
        channels: 1 for grayscale, 3 for RGB; transparent images get a white background.

    Returns:
        uint8 [height, width, channels].

    Raises:
        OSError: If the file is damaged, too large or not an image.
    """
    image = np.asarray(open_picture(path, channels))
    return image.reshape(*image.shape[:2], channels)


def open_picture(path: str, channels: int):
    """Read an image file as `read` does, into a Pillow image.

    Args:
        path: Path of an image file of one of `FORMATS`.
        channels: 1 for grayscale, 3 for RGB; transparent images get a white background.

    Returns:
        Loaded `PIL.Image.Image` of mode "L" (grayscale) or "RGB".

    Raises:
        OSError: If the file is damaged, too large or not an image.
    """
    with open_header(path) as image:
        if math.prod(image.size) > MOST_PIXELS:
            raise OSError(too_many(image))
        return decode(image, channels)


def too_many(image: Any) -> str:
    """Return the reason to refuse an image of more than `MOST_PIXELS`."""
    limit = f"{MOST_PIXELS / 1e6:.0f} megapixels"
    return f"{image.width}x{image.height} pixels exceed the limit of {limit}"


@contextlib.contextmanager
def open_header(path: str) -> Iterator[Any]:
    """Open an image file without decoding its pixels.

    Args:
        path: Path of an image file of one of `FORMATS`.

    Yields:
        `PIL.Image.Image`. Errors inside the `with` block become OSErrors with a reason
        in a few words.

    Raises:
        OSError: If the file is damaged or not an image.
    """
    try:
        with _identify(path) as image:
            yield image
    except MemoryError:
        raise OSError("not enough memory") from None
    except Exception as error:  # Pillow raises many types
        raise OSError(_reason(error)) from None


def _identify(path: str) -> Any:
    """Open an image file by its first bytes.

    `Image.open` warns of large images, and tries formats that start other programs.
    """
    from PIL import Image

    _load_formats()
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError("not a file")  # reading a pipe would wait for its writer
    with open(path, "rb") as file:
        start = file.read(16)
    if not start:
        raise OSError("empty file")
    factory: Any  # takes paths, too
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or not (accept or path.lower().endswith(".tga")):
            continue  # TGA files have no fixed beginning
        with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
            accepted = accept(start) if accept else True
            if accepted and not isinstance(accepted, str):  # a string is a warning
                return factory(path, None)
    if start[4:8] == b"ftyp":
        package = "Pillow 11.3" if start[8:11] == b"avi" else "the package pillow-heif"
        raise OSError(f"HEIC or AVIF, which needs {package}")
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<", b"{"))
    raise OSError("text, such as HTML, and not an image" if text else "not an image")


@functools.cache
def _load_formats() -> None:
    """Load Pillow's formats, and pillow-heif if it is installed."""
    from PIL import Image

    Image.init()
    with contextlib.suppress(Exception):  # optional, in any version
        import pillow_heif  # type: ignore[import-not-found]

        pillow_heif.register_heif_opener()


def _reason(error: Exception) -> str:
    """Return the reason of an error in a few words, without the file's path."""
    strerror = error.strerror if isinstance(error, OSError) else None
    text = (strerror or str(error) or type(error).__name__).splitlines()[0][:120]
    if "decompression bomb" in text:
        return "too many pixels"
    if "truncated" in text or "broken data stream" in text:
        return "truncated or damaged"
    return text if isinstance(error, OSError) else f"damaged: {text}"


def upright_size(image: Any) -> tuple[int, int]:
    """Return (width, height) of an image from `open_header`, upright by its EXIF."""
    turned = _orientation(image) >= 5 and image.format != "TIFF"  # which turns itself
    return image.size[::-1] if turned else image.size


def _orientation(image: Any) -> int:
    """Return the EXIF orientation of an image; 1 if the EXIF data are damaged."""
    from PIL import Image

    try:  # the method of a PNG would decode its pixels
        number = Image.Image.getexif(image).get(0x0112, 1)
    except Exception:  # Pillow raises many types
        return 1
    return number if number in range(1, 9) else 1


def decode_bytes(image: Any, enough: int | None = None) -> int:
    """Estimate the memory in bytes that `decode` takes.

    Args:
        image: Image from `open_header`.
        enough: Side in pixels that is large enough, as in `decode`.
    """
    pixels, depth = math.prod(image.size), SHALLOW.get(image.mode, 4)
    depth += DECODERS.get(image.format, 0)
    if image.format in ("JPEG", "MPO"):
        if image.info.get("progressive"):
            return 6 * pixels  # all coefficients, at full size
        times = min(image.size) // enough if enough else 1
        pixels //= max(s for s in (1, 2, 4, 8) if s <= max(times, 1)) ** 2
    plain = image.mode in ("L", "RGB") and not {"transparency", "icc_profile"} & set(
        image.info
    )
    if plain or (_strips(image, enough) > 1):
        return pixels * depth
    return pixels * (depth + 8)


def _strips(image: Any, enough: int | None) -> int:
    """Return the divisor of the sides of a very large image; 1 for other images."""
    if not enough or math.prod(image.size) <= LARGE or image.mode in ("I", "F"):
        return 1
    return max(1, min(image.size) // enough)


def decode(image: Any, channels: int, enough: int | None = None) -> Any:
    """Decode an image: upright, in sRGB, on white, with 8 bits.

    Args:
        image: Image from `open_header`.
        channels: 1 for grayscale, 3 for RGB.
        enough: Side in pixels that is large enough for the caller. A JPEG file, or a
            very large file, may be decoded at a fraction of its size, but not below
            this side. None decodes every file at its own size.

    Returns:
        Loaded `PIL.Image.Image` of mode "L" or "RGB".
    """
    from PIL import Image

    clear = _transparency(image)
    if enough:
        image.draft(None, (enough, enough))
    image.load()  # turns a TIFF upright
    turned = 1 if image.format == "TIFF" else _orientation(image)
    if clear is not None:
        image.info["transparency"] = clear
    factor = _strips(image, enough)
    if factor == 1:
        return _convert(_turn(image, turned), image, channels)
    mode = "L" if channels == 1 else "RGB"
    small = Image.new(mode, [-(-side // factor) for side in image.size])
    rows = factor * max(1, 2**22 // (image.width * factor))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        small.paste(_convert(strip, image, channels).reduce(factor), (0, top // factor))
    return _turn(small, turned)


def _turn(image: Any, orientation: int) -> Any:
    """Turn an image upright by its EXIF orientation."""
    from PIL import Image

    way = Image.Transpose
    ways = (way.FLIP_LEFT_RIGHT, way.ROTATE_180, way.FLIP_TOP_BOTTOM, way.TRANSPOSE)
    ways += (way.ROTATE_270, way.TRANSVERSE, way.ROTATE_90)
    return image if orientation == 1 else image.transpose(ways[orientation - 2])


def _transparency(image: Any) -> Any:
    """Return the transparent value of a PNG in the scale of its decoded pixels."""
    clear, tile = image.info.get("transparency"), getattr(image, "tile", None)
    if image.format != "PNG" or not tile:
        return clear
    if tile[0][3] in ("L;2", "L;4") and isinstance(clear, int):
        return clear * (85 if tile[0][3] == "L;2" else 17)
    if tile[0][3] == "RGB;16B" and isinstance(clear, tuple):
        return tuple(value >> 8 for value in clear)
    return clear


def _convert(part: Any, image: Any, channels: int) -> Any:
    """Convert an image, or a strip of it, to 8 bits of gray or RGB.

    Args:
        part: Pixels to convert.
        image: Image file of the part, which has the profile and the transparent value.
        channels: 1 for grayscale, 3 for RGB.
    """
    from PIL import Image

    clear = image.info.get("transparency")
    if part.mode[0] in "IF":  # Pillow would clip at 255
        deep = np.asarray(part)
        part = Image.fromarray(_to_8_bits(deep, image.format))
        if isinstance(clear, int) and deep.dtype.kind in "iu":
            opaque = Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8))
            part = Image.merge("LA", (part, opaque))
    if part.has_transparency_data:
        part = part.convert("RGBA")
    elif part.mode not in ("L", "RGB", "CMYK", "LAB"):
        part = part.convert("L" if part.mode == "1" else "RGB")
    transform = _to_srgb(image.info.get("icc_profile") or b"", part.mode)
    if transform:
        part = transform.apply(part)
    if part.mode == "RGBA":
        part = Image.alpha_composite(Image.new("RGBA", part.size, "white"), part)
    mode = "L" if channels == 1 else "RGB"
    return part if part.mode == mode else part.convert(mode)


def _to_8_bits(deep: np.ndarray, kind: str) -> np.ndarray:
    """Convert an image of 16 or 32 bits to uint8.

    16-bit images are divided by 256. The range of 32-bit images follows from their
    values: 0 to 1 (floats), 0 to 255, or 0 to 65535.

    Args:
        deep: Image, integers or floats [height, width].
        kind: Format of the file. A PNG file has 16 bits, also where Pillow reads 32.
    """
    if deep.dtype.itemsize == 2 or kind == "PNG":
        return (deep.astype(np.int32) >> 8).clip(0, 255).astype(np.uint8)
    low, high = float(deep.min()), float(deep.max())
    if not (low >= 0 and high < 2**16):  # also refuses NaN
        raise OSError(f"32-bit values from {low:.4g} to {high:.4g}, not 0 to 65535")
    if high > 255:
        return (deep / 256).astype(np.uint8)
    unit = deep.dtype.kind == "f" and high <= 1
    return np.round(deep * (255 if unit else 1)).astype(np.uint8)


@functools.lru_cache(maxsize=32)
def _to_srgb(profile: bytes, mode: str) -> Any:
    """Return Pillow's transform from a color profile to sRGB.

    Args:
        profile: ICC profile of the file; b"" if there is none.
        mode: Mode of the image.

    Returns:
        The transform. None for sRGB, and for a profile that is damaged or of another
        mode, which is ignored.
    """
    if not profile and mode != "LAB":
        return None
    try:
        from PIL import ImageCms

        srgb = ImageCms.createProfile("sRGB")
        given: Any = ImageCms.createProfile("LAB")
        if mode != "LAB":
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" in (given.profile.profile_description or "").lower():
                return None
        made = mode if mode == "RGBA" else "RGB"
        return ImageCms.buildTransform(given, srgb, mode, made)  # perceptual
    except Exception:  # ImageCms raises many types
        return None


def blend(parts: Iterable[np.ndarray], starts: Sequence[int]) -> Iterator[np.ndarray]:
    """Join overlapping parts, with linear cross-fades in the overlaps.

    Args:
        parts: Parts in order, float [length, ...].
        starts: Position of each part's beginning on the first axis.

    Yields:
        Consecutive pieces of the whole, each as soon as no later part can change it.
    """
    held: np.ndarray | None = None
    at = 0
    for part, start in zip(parts, starts, strict=True):
        if held is not None:
            yield held[: start - at]
            tail = held[start - at :]
            share = np.arange(1, len(tail) + 1, dtype=np.float32) / (len(tail) + 1)
            share = share.reshape(-1, *[1] * (part.ndim - 1))
            # This form leaves equal parts unchanged, bit for bit.
            faded = tail + share * (part[: len(tail)] - tail)
            part = np.concatenate([faded, part[len(tail) :]])
        held, at = part, start
    if held is not None:
        yield held


def tile_starts(side: int, tile: int, overlap: int) -> list[int]:
    """Return the start positions of tiles that cover a side evenly.

    Args:
        side: Length of the side in pixels, at least `tile`.
        tile: Length of a tile in pixels.
        overlap: Minimum overlap of neighboring tiles in pixels, less than `tile`.
    """
    rest = side - tile
    steps = math.ceil(rest / (tile - overlap)) if rest else 0
    return [i * rest // max(steps, 1) for i in range(steps + 1)]


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay out images in rows.

    Args:
        images: Images, uint8 [num, height, width, channels].
        columns: Number of images in a row; about the square root of `num` if None.

    Returns:
        uint8 [rows * (height + 2) + 2, columns * (width + 2) + 2, channels], with a
        white border of 2 pixels around each image.
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
    """Draw a scatter plot of points in the plane.

    Args:
        points: Points, uint8 [num, 1, 1, 2]; x counts from the left, y from the bottom.
        circles: Circles (x, y, radius) in the same units, drawn beneath the points.

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
    """Draw samples as one image: a `grid`, or a `scatter` plot if they are points.

    Args:
        images: Samples, uint8 [num, height, width, channels].
        columns: Number of images in a row of the grid, as in `grid`.

    Returns:
        uint8 [height, width, 1 or 3].
    """
    if images.shape[1:] == (1, 1, 2):
        return scatter(images)
    return grid(images, columns)


# IPTC digital source type of images that a trained model has created.
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
    """Describe the origin of images, for `encode`.

    Args:
        info: Description of the generator, see `BaseSampler.info`.
        **asked: Options of the images, as seed=0, label=4; None values are left out.

    Returns:
        The options, and "generator": the generator's name, step and the first 8 digits
        of its recipe's SHA-256.
    """
    recipe = hashlib.sha256(info["recipe"].encode()).hexdigest()[:8]
    asked = {name: value for name, value in asked.items() if value is not None}
    return {"generator": f"{info['name']}-{info['step']}-{recipe}", **asked}


def encode(image: np.ndarray, about: Mapping | None = None) -> bytes:
    """Encode one image as a PNG file.

    Args:
        image: Image, uint8 [height, width, 1 or 3].
        about: Origin of the image from `describe`. The file records the origin and the
            IPTC digital source type of generated images. None records neither, for an
            image that no generator made.

    Returns:
        Content of the file.
    """
    from PIL.PngImagePlugin import PngInfo

    buffer, notes = io.BytesIO(), PngInfo()
    if about is not None:
        notes.add_itxt(XMP_KEY, XMP)
        notes.add_itxt(ABOUT_KEY, json.dumps(dict(about)))
    pillow_image(image).save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


def save(
    images: np.ndarray,
    path: str,
    columns: int | None = None,
    about: Mapping | None = None,
) -> None:
    """Write images to one file: a grid (.png) or an animation (.gif, .webp).

    Args:
        images: Images, uint8 [num, height, width, channels].
        path: Path of the file, whose ending chooses the format. An existing file is
            replaced atomically.
        columns: Number of images in a row of the grid.
        about: Origin of the images, see `encode`; only a .png records it.

    Raises:
        SamplerError: For another ending, or a folder that cannot be written to.
    """
    kind, path = check_out(path), os.path.expanduser(path)
    if kind == "PNG":
        data = encode(sheet(images, columns), about)
    else:
        points = images.shape[1:] == (1, 1, 2)
        frames = [scatter(image[None]) for image in images] if points else images
        frames = [pillow_image(frame) for frame in frames]
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
    """Write a file atomically; after a failure, an existing file is unchanged.

    Args:
        data: Content of the file.
        path: Path of the file.

    Raises:
        SamplerError: If the file cannot be written.
    """
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        raise SamplerError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):  # none is left, unless after an error
            os.remove(temporary)


def check_out(path: str) -> str:
    """Check an output path, and return the image format that its ending names.

    Args:
        path: Path of the file to write.

    Returns:
        "PNG", "GIF" or "WEBP".

    Raises:
        SamplerError: For another ending, or a path that cannot be written to.
    """
    ending = os.path.splitext(path)[1].lower()
    kinds = {".png": "PNG", ".gif": "GIF", ".webp": "WEBP"}
    if ending not in kinds:
        raise SamplerError(
            f"--out={path}: expected a name that ends in .png (grid), .gif or .webp "
            "(animation)"
        )
    path = os.path.expanduser(path)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise SamplerError(f"--out={path}: '{folder}' is not a writable folder")
    if os.path.isdir(path):
        raise SamplerError(f"--out={path}: expected a file, got a folder")
    return kinds[ending]


def pillow_image(image: np.ndarray) -> Any:
    """Return a `PIL.Image.Image` of an image, uint8 [height, width, 1 or 3]."""
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def check_flags(given: Iterable[str]) -> None:
    """Check that flags do not contradict each other.

    Args:
        given: Names of the flags that the user has set.

    Raises:
        SamplerError: For flags of latents together with `input`, or for flags of
            translation without `input`.
    """
    given = set(given)
    if "input" in given:
        for name in OF_LATENTS:
            if name in given:
                raise SamplerError(
                    f"--{name} is for images generated from noise, --input for images "
                    "to translate; leave one of them out"
                )
    for name in ("tile", "overlap", "backward"):
        if name in given and "input" not in given:
            raise SamplerError(
                f"--{name} is for images to translate; pass --input as well"
            )


def parse_code(word: str) -> tuple[int, list[float]]:
    """Parse "K:VALUE" or "K:FROM,TO" to (number of the code, one or two values).

    Args:
        word: Value of --code.

    Raises:
        SamplerError: For a word of any other form.
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
    """Parse one number, or one number for each layer.

    Args:
        words: Parts of the value of --truncation.

    Raises:
        SamplerError: For parts that are not numbers.
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
    """Parse "SEED:LAYER" to (seed, layer), and None to None.

    Args:
        word: Value of --mix.

    Raises:
        SamplerError: For a word of any other form.
    """
    if word is None:
        return None
    try:
        seed, layer = map(int, word.split(":"))
    except ValueError:
        raise SamplerError(f"--mix={word}: expected SEED:LAYER, as 1:4") from None
    return seed, layer


class BaseSampler:
    """Base class of samplers, which generate images from seeds or latents.

    A subclass runs the generator in `run`.

    Attributes:
        info: Description of the generator, a dictionary. Its keys are `name`,
            `image_shape`, `latent_dim`, `latents` ("normal" or "uniform"), `num_codes`
            (number of components at the end of a latent that are codes), `num_classes`
            (0 if the generator takes no label), `class_names`, `step`, `data_credit`,
            `recipe`, `versions`, and `inputs`: additional inputs as {name: {"shape":
            shape for one image, "default": number}}.

            A generator that translates images has no keys of latents and labels. Its
            additional keys are `condition_shape`, the shape of the condition images in
            training, and `backward`, which is true for the backward direction of a
            bidirectional model. `image_shape` is the shape of their translations. In a
            .tflite file, `tile` is the only side in pixels that the generator takes, or
            0 if it takes any.
    """

    info: dict

    @property
    def at_once(self) -> int:
        """Number of images to generate at once; smaller for large images."""
        height, width, _ = self.info["image_shape"]
        return max(1, min(BATCH, PIXELS // (height * width)))

    def check_takes(self, pictures: bool) -> None:
        """Check whether the generator takes condition images or latents.

        Args:
            pictures: Whether to expect condition images; False expects latents.

        Raises:
            SamplerError: If the generator takes the other kind of input.
        """
        if pictures == ("condition_shape" in self.info):
            return
        if pictures:
            raise SamplerError(
                f"{self.info['name']} generates images from noise and takes no image; "
                "leave --input out (in Python: use sample)"
            )
        raise SamplerError(
            f"{self.info['name']} translates images; pass --input=FILE or a folder of "
            "images (in Python: use translate)"
        )

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run the generator.

        Args:
            inputs: All inputs of the generator, by name, see `inputs`.

        Returns:
            float32 [num, height, width, channels] in [-1, 1].
        """
        raise NotImplementedError

    def generate(
        self,
        latents: np.ndarray,
        labels: np.ndarray | None = None,
        extra: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Generate images from latents.

        Args:
            latents: Latents, float32 [num, latent_dim].
            labels: Labels, int32 [num] in 0..num_classes-1; None for a generator that
                takes no label.
            extra: Values in place of the defaults of `info["inputs"]`, by name. Each is
                float [num, ...], or has fewer axes and holds for all samples.

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
        """Complete the arguments of `generate` to all inputs of the generator.

        Args:
            latents: Latents, see `generate`.
            labels: Labels, see `generate`.
            extra: Values in place of the defaults, see `generate`.

        Returns:
            Inputs of `run`, by name.
        """
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
        """Translate an image of any size.

        An image larger than a tile is translated in tiles of one size, with linear
        cross-fades where the tiles overlap. An image smaller than the training images
        is padded to their size by reflection, and its translation is cropped.

        Args:
            picture: Condition image as returned by `read`, uint8 [height, width,
                channels].
            tile: Side of a tile in pixels; None takes 512 divided by the generator's
                enlargement (128 for four times the side), or the side of the training
                images if that is larger. Larger tiles need more memory. A .tflite file
                of a fixed size takes no other tile.
            overlap: Minimum overlap of neighboring tiles in pixels, up to half a tile;
                None takes 32 divided by the enlargement, and at most half a tile.

        Returns:
            uint8 [scale * height, scale * width, channels]; the scale is the factor by
            which the generator enlarges images, or 1.

        Raises:
            SamplerError: For an array of another shape or dtype, a tile or an overlap
                out of range, or a generator that takes no condition image.
        """
        self.check_takes(pictures=True)
        tile, overlap = self.tiling(tile, overlap)
        side, _, channels = self.info["condition_shape"]
        scale = self.info["image_shape"][0] // side
        given = np.asarray(picture)
        if given.dtype != np.uint8 or given.shape[2:] != (channels,) or not given.size:
            raise SamplerError(
                f"image: expected uint8 [height, width, {channels}], got "
                f"{given.dtype} {list(given.shape)}"
            )
        least = self.info.get("tile") or side
        more = [(0, max(0, least - n)) for n in given.shape[:2]]
        padded = np.pad(given, (*more, (0, 0)), "symmetric")
        height, width = padded.shape[:2]
        rows, columns = min(tile, height), min(tile, width)
        tops = tile_starts(height, rows, overlap)
        lefts = tile_starts(width, columns, overlap)

        def strips():  # each as wide as the image, as high as a tile
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
        """Check the options of `translate`, and fill in their defaults.

        Args:
            tile: Side of a tile in pixels, or None.
            overlap: Overlap of the tiles in pixels, or None.

        Returns:
            (tile, overlap).

        Raises:
            SamplerError: For a value out of range.
        """
        fixed, side = self.info.get("tile"), self.info["condition_shape"][0]
        if fixed and tile not in (None, fixed):
            raise SamplerError(
                f"tile: this .tflite takes only {fixed}x{fixed} pixels, got {tile}; "
                "leave it out, or export with --size=0"
            )
        if tile is not None and tile < (fixed or side):
            raise SamplerError(
                f"tile: expected at least {side}, the side of the training images, got "
                f"{tile}"
            )
        # The memory that a tile takes is that of its result.
        scale = max(1, self.info["image_shape"][0] // side)
        tile = fixed or tile or max(TILE // scale, side)
        if overlap is not None and not 0 <= overlap <= tile // 2:
            raise SamplerError(
                f"overlap: expected 0 to {tile // 2} (half a tile), got {overlap}"
            )
        if overlap is None:
            overlap = min(OVERLAP // scale, tile // 2)
        return tile, overlap

    def examples(self, num: int, side: int | None = None) -> np.ndarray:
        """Return smooth random condition images, to try a generator.

        Args:
            num: Number of images.
            side: Side of the images in pixels; None takes the fixed side of a .tflite
                file, or the side of the training images.

        Returns:
            float32 [num, side, side, channels] in [-1, 1].
        """
        side = side or self.info.get("tile") or self.info["condition_shape"][0]
        rng = np.random.default_rng(0)
        shape = (2, num, 1, 1, self.info["condition_shape"][-1])
        down, right = rng.uniform(-2, 2, shape)  # half waves along a side
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
        """Draw samples, with the options of `SampleOptions` as keyword arguments.

        Args:
            num: Number of samples.
            labels: Class of all samples, or one class for each sample. This and the
                following arguments are attributes of `SampleOptions`.
            seed: Seed of the latents.
            truncation: Scale of the latents or styles.
            shift: Number added to the latents.
            threshold: Bound of the latents.
            codes: Continuous codes to set.
            noise: Strength of the noise of a generator with styles.
            mix: Seed of other styles, and the first layer that takes these styles.

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
        """Generate the samples of the given numbers at once.

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
        """Check all options except labels against the generator.

        Args:
            options: Options of the samples.

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
            raise SamplerError(f"{name} has no styles; leave noise and mix out")
        if options.noise != 1 and "noise" not in self.info["inputs"]:
            raise SamplerError(f"{name} was trained without noise; leave noise out")
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
        if not self._layers():  # styles are truncated in `extra_inputs`
            latents = latents * np.asarray(options.truncation, np.float32)
        return self.set_codes(latents + np.float32(options.shift), options.codes)

    def extra_inputs(
        self, numbers: Sequence[int], options: SampleOptions | None = None
    ) -> dict[str, np.ndarray]:
        """Collect the additional inputs of a generator with styles.

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
        """Return the number of styles of an image; 0 for a generator without styles."""
        found = self.info.get("inputs", {}).get("truncation")
        return found["shape"][0] if found else 0

    def set_codes(
        self, latents: np.ndarray, codes: Mapping[int, float | np.ndarray]
    ) -> np.ndarray:
        """Set continuous codes, the last components of a latent.

        Args:
            latents: Latents, float32 [num, latent_dim]; changed in place.
            codes: Values of the codes to set, {number: value, or float [num]}.

        Returns:
            The latents.
        """
        for number, value in codes.items():
            latents[:, number - self.info["num_codes"]] = value
        return latents

    def label(self, word: str | None) -> int | None:
        """Convert the name or the number of a class to its number.

        Names come first. If all names are numbers, a number is always a name.

        Args:
            word: Name or number; None returns None.

        Raises:
            SamplerError: For a word that is neither, or a generator that takes no
                label.
        """
        self.check_takes(pictures=False)
        if word is None:
            return None
        names = [_plain(name) for name in self.info["class_names"]]
        if _plain(word) in names:
            return names.index(_plain(word))
        number = None
        with contextlib.suppress(ValueError):
            number = int(word)
        numeric = bool(names) and all(name.isdecimal() for name in names)
        numeric = numeric and names != [str(i) for i in range(len(names))]
        if number is not None and not numeric:
            return number
        for index, name in enumerate(names if numeric else ()):
            if int(name) == number:  # as in "7" for "007"
                return index
        self.labels(1, 0)  # raises if there are no classes
        last = "" if numeric else f"0 to {self.info['num_classes'] - 1}, or "
        raise SamplerError(f"label {word}: expected {last}one of {_some(names)}")

    def class_name(self, label: int | None) -> str | None:
        """Return the name of a class; None if there is none."""
        names = self.info.get("class_names", ())
        return str(names[label]) if names and label is not None else None

    def labels(self, num: int, labels: int | Sequence[int] | None) -> np.ndarray | None:
        """Check labels, and return one label for each image.

        Args:
            num: Number of images.
            labels: One class, or `num` classes; None takes all classes in turn.

        Returns:
            int32 [num]; None for a generator that takes no label.

        Raises:
            SamplerError: For labels of another shape or dtype or out of range, or for a
                generator that takes no label.
        """
        self.check_takes(pictures=False)
        classes = self.info["num_classes"]
        if not classes:
            if labels is not None:
                raise SamplerError(
                    f"label: {self.info['name']} is unconditional and takes no label; "
                    "leave it out"
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
            raise SamplerError(
                f"label {wrong.flat[0]}: expected 0 to {classes - 1} "
                f"({_some(self.info['class_names'])})"
            )
        return np.broadcast_to(result, (num,)).astype(np.int32)


def _plain(name: object) -> str:
    """Return a name in one Unicode form: a Mac writes accents apart from letters."""
    return unicodedata.normalize("NFC", str(name))


def _some(names: Sequence) -> str:
    """Return the first names, and the number of the others."""
    more = f" and {len(names) - 12:,} more" if len(names) > 12 else ""
    return ", ".join(str(name)[:24] for name in names[:12]) + more


def written(out: str, class_name: str | None) -> str:
    """Return the line that says which file was written, and of which class."""
    return f"wrote {out}" + (f": class '{class_name}'" if class_name else "")


# Check of a value in the description of a generator: (expected value, function that
# returns whether a value is as expected).
Check = tuple[str, Callable[[Any], bool]]


def whole(low: int, high: int) -> Check:
    """Return the check of a whole number from `low` to `high`."""
    return (
        f"a whole number from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_shape(value: Any) -> bool:
    valid = isinstance(value, list) and len(value) == 3
    return (
        valid
        and all(type(n) is int for n in value)
        and (all(1 <= n <= SIDE for n in value[:2]) and 1 <= value[2] <= 4)
    )


def _is_inputs(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for name, spec in value.items():
        shape = spec.get("shape") if isinstance(spec, dict) else None
        if not (_is_text(name) and isinstance(shape, list) and len(shape) <= 3):
            return False
        if not all(type(n) is int and 1 <= n <= 2**14 for n in shape):
            return False
        default: Any = spec.get("default")
        if type(default) not in (int, float) or not abs(default) <= 1e6:
            return False
        if name == "truncation" and not shape:
            return False
    return True


SIDE = 2**13  # upper limit of an image's height and width in pixels
TEXT: Check = ("text", _is_text)
NAMES: Check = (
    "a list of names",
    lambda value: isinstance(value, list) and all(map(_is_text, value)),
)
SHAPE: Check = (
    f"[height, width, channels] of at most {SIDE}, {SIDE} and 4",
    _is_shape,
)
TRUTH: Check = ("true or false", lambda value: type(value) is bool)
CLASSES = whole(0, 2**20)
# Keys of the description of a generator; see `BaseSampler.info`.
OF_ALL = {
    "name": TEXT,
    "image_shape": SHAPE,
    "step": whole(0, 2**63 - 1),
    "recipe": TEXT,
}
OF_NOISE = {
    "latent_dim": whole(1, 2**20),
    "latents": ("normal or uniform", lambda value: value in ("normal", "uniform")),
    "num_classes": CLASSES,
    "class_names": NAMES,
}
OF_CONDITIONS = {"condition_shape": SHAPE}
OPTIONAL = {
    "data_credit": TEXT,
    "versions": (
        "names and versions",
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    ),
    "num_codes": whole(0, 2**20),
    "inputs": ("shapes of at most 3 sides, and default values", _is_inputs),
    "tile": whole(0, SIDE),
    "backward": TRUTH,
    "quantization": TEXT,
    "bytes": whole(1, 2**63 - 1),
    "sha256": TEXT,
}


def check_keys(
    values: Any,
    required: Mapping[str, Check],
    optional: Mapping[str, Check],
    where: str,
) -> None:
    """Check the keys and values of a JSON object. Unknown keys are accepted.

    Args:
        values: Parsed JSON.
        required: Checks of the keys that must be there.
        optional: Checks of the other known keys.
        where: Path of the file, for the message.

    Raises:
        SamplerError: If a key is missing, or a value is not as expected.
    """
    if not isinstance(values, dict):
        raise SamplerError(f"{where}: expected keys and values, got {_short(values)}")
    for key, (expected, check) in {**required, **optional}.items():
        if key not in values and key in required:
            raise SamplerError(f"{where}: damaged: it has no key '{key}'")
        if key in values and not check(values[key]):
            raise SamplerError(
                f"{where}: damaged: {key}: expected {expected}, got "
                f"{_short(values[key])}"
            )


def _short(value: Any) -> str:
    return reprlib.repr(value)[:60]


def parse_json(text: bytes, where: str) -> Any:
    """Parse JSON of limited size and nesting.

    Args:
        text: Encoded JSON.
        where: Path of the file, for the message.

    Raises:
        SamplerError: If the text is longer than `INFO_BYTES`, or no JSON.
    """
    if len(text) > INFO_BYTES:
        raise SamplerError(f"{where}: expected at most {INFO_BYTES} bytes, got more")
    try:
        return json.loads(text)
    except RecursionError:
        raise SamplerError(f"{where}: damaged: nested too deep") from None
    except ValueError as error:
        raise SamplerError(f"{where}: damaged: no JSON ({error})") from None


def parse_info(text: bytes, where: str) -> tuple[dict, dict[str, str]]:
    """Parse and check the description of a generator.

    Args:
        text: Content of keras_gans.json.
        where: Path of the export, for the message.

    Returns:
        (description, {name of an input: name in the export}), see `rename_info`.

    Raises:
        SamplerError: If the description is damaged, or its sizes are beyond all limits.
    """
    where = f"{where}: {INFO_NAME}"
    info, names = parse_json(text, where), {}
    if isinstance(info, dict):
        info, names = rename_info(info)
    kind = OF_NOISE
    if isinstance(info, dict) and "condition_shape" in info:
        kind = OF_CONDITIONS
    check_keys(info, {**OF_ALL, **kind}, OPTIONAL, where)
    wrong = None
    if kind is OF_CONDITIONS:
        if info["image_shape"][0] % info["condition_shape"][0]:
            wrong = "image_shape: expected a multiple of condition_shape"
    elif len(info["class_names"]) != info["num_classes"]:
        wrong = f"class_names: expected {info['num_classes']} names"
    elif info.get("num_codes", 0) > info["latent_dim"]:
        wrong = f"num_codes: expected at most {info['latent_dim']}"
    if wrong:
        raise SamplerError(f"{where}: damaged: {wrong}")
    return info, names


def check_tensors(
    info: Mapping, inputs: Mapping[str, Any], output: Any, where: str
) -> None:
    """Check the inputs and the output of a model against its description.

    Args:
        info: Description of the generator.
        inputs: {name: (dtype, shape)} of the model's inputs; sides of -1 are unknown.
        output: (dtype, shape) of the model's images.
        where: Path of the export, for the message.

    Raises:
        SamplerError: If they differ.
    """
    images = [-1, *info["image_shape"]]
    expected: dict[str, tuple[Any, list[int]]] = {}
    if "condition_shape" in info:
        tile = info.get("tile") or -1
        scale = info["image_shape"][0] // info["condition_shape"][0]
        side = scale * tile if tile > 0 else -1
        images = [-1, side, side, images[-1]]
        channels = info["condition_shape"][-1]
        expected["condition"] = (np.float32, [-1, tile, tile, channels])
    else:
        expected["latents"] = (np.float32, [-1, info["latent_dim"]])
        if info["num_classes"]:
            expected["labels"] = (np.int32, [-1])
        for name, spec in info.get("inputs", {}).items():
            expected[name] = (np.float32, [-1, *spec["shape"]])
    if inputs.keys() != expected.keys():
        raise SamplerError(
            f"{where}: damaged: the model takes {', '.join(sorted(inputs))[:100]}, and "
            f"{INFO_NAME} names {', '.join(sorted(expected))[:100]}"
        )
    pairs = [(name, inputs[name], expected[name]) for name in expected]
    for name, (dtype, shape), (wanted, sides) in [
        *pairs,
        ("images", output, (np.float32, images)),
    ]:
        same = len(shape) == len(sides) and all(
            a == b or a < 0 or b < 0 for a, b in zip(shape, sides, strict=True)
        )
        if dtype != wanted or not same:
            raise SamplerError(
                f"{where}: damaged: {name} of the model is {np.dtype(dtype).name} "
                f"{[int(n) for n in shape]}, and {INFO_NAME} expects "
                f"{np.dtype(wanted).name} {sides}"
            )


def rename_info(info: dict) -> tuple[dict, dict[str, str]]:
    """Translate the names in the description of an older export.

    Args:
        info: Description of the generator, as the export holds it.

    Returns:
        (description, {name of an input: name in the export}). Older exports call the
        condition image "source".
    """
    if "source_shape" not in info:
        return info, {}
    names = {"source_shape": "condition_shape"}
    renamed = {names.get(key, key): value for key, value in info.items()}
    return renamed, {"condition": "source"}


class Sampler(BaseSampler):
    """Sampler of a .tflite file that keras_gans exported, run by LiteRT.

    Args:
        path: Path of the .tflite file.
        threads: Number of threads of LiteRT; the number of cores if None.

    Raises:
        SamplerError: If the file is missing, truncated, or not such an export.
    """

    def __init__(self, path: str, threads: int | None = None):
        from ai_edge_litert.interpreter import Interpreter

        if not os.path.isfile(path):
            raise SamplerError(f"no file {path}")
        self._path = path
        self.info, self._names = parse_info(_read_info(path), path)
        _check_sum(path, self.info)
        try:
            self._interpreter = Interpreter(
                model_path=path, num_threads=threads or os.cpu_count()
            )
            self._runner = self._interpreter.get_signature_runner("generate")
            names = {old: new for new, old in self._names.items()}
            tensors = {
                names.get(name) or name: (tensor["dtype"], tensor["shape_signature"])
                for name, tensor in self._runner.get_input_details().items()
            }
            images = self._runner.get_output_details()["images"]
            images = images["dtype"], images["shape_signature"]
            self._check_memory()
        except Exception as error:  # a damaged model may lack anything
            raise self._unreadable(error) from None
        check_tensors(self.info, tensors, images, path)

    def _check_memory(self) -> None:
        """Check that no tensor is larger than those of large images."""
        for tensor in self._interpreter.get_tensor_details():
            size = math.prod(map(int, tensor["shape"])) * 4
            if size > TENSOR_BYTES:
                raise ValueError(f"a tensor of {size / 2**30:.1f} GiB")

    def _unreadable(self, error: Exception) -> SamplerError:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return SamplerError(
            f"{self._path}: LiteRT cannot read it ({reason[:200]}); export it again"
        )

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run the generator, see `BaseSampler.run`."""
        fixed, names = self.info.get("tile"), self._names
        inputs = {names.get(name, name): value for name, value in inputs.items()}
        if not fixed:
            return self._run(inputs)
        [(name, images)] = inputs.items()
        if images.shape[1:3] != (fixed, fixed):
            raise SamplerError(
                f"condition: this .tflite takes only {fixed}x{fixed} pixels, got "
                f"{images.shape[1]}x{images.shape[2]}; use translate"
            )
        # A .tflite of a fixed size takes one image at a time.
        return np.concatenate([self._run({name: image[None]}) for image in images])

    def _run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        try:
            made = self._runner(**inputs)["images"]
        except (RuntimeError, ValueError) as error:
            raise self._unreadable(error) from None
        if not np.isfinite(made).all():
            raise self._unreadable(ValueError("its images are not finite"))
        return np.array(made)  # `made` is a view into the interpreter's memory


def _read_info(path: str) -> bytes:
    """Read the description from the zip archive at the end of a .tflite file.

    Only the end of the file is read, so that the archive's list of files is small too.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - INFO_BYTES))
            with zipfile.ZipFile(io.BytesIO(file.read())) as archive:
                with archive.open(INFO_NAME) as entry:
                    return entry.read(INFO_BYTES + 1)
    except Exception:  # `zipfile` raises many types
        raise SamplerError(
            f"{path}: truncated, or not a .tflite that keras_gans exported (no "
            f"readable {INFO_NAME} in it); export it again"
        ) from None


def _check_sum(path: str, info: dict) -> None:
    """Check a model against the checksum of its export, and remove it from `info`.

    Older exports have no checksum.
    """
    left, expected = info.pop("bytes", 0), info.pop("sha256", None)
    if expected is None:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while left and (part := file.read(min(left, 2**20))):
            digest.update(part)
            left -= len(part)
    if left or digest.hexdigest() != expected:
        raise SamplerError(
            f"{path}: damaged: the model differs from the one that was exported; "
            "export or copy it again"
        )


def speed(sampler: BaseSampler, seconds: float = 1.0) -> dict[str, float]:
    """Measure the speed of a generator, and the peak memory of this process.

    Args:
        sampler: Sampler of the generator.
        seconds: Approximate duration of each of the two measurements in seconds.

    Returns:
        "milliseconds": Median time of one image. "pictures_per_second": Images per
        second in batches of `at_once`, or one by one for a generator that translates
        images. "peak_mib": Peak memory of the process in MiB, if the system reports it.
    """
    medians, batch = [], 1 if "condition_shape" in sampler.info else sampler.at_once
    for num in (1, batch):
        if "condition_shape" in sampler.info:
            inputs = {"condition": sampler.examples(num)}
        else:
            inputs = sampler.inputs(
                sampler.latents(range(num)), sampler.labels(num, None)
            )
        sampler.run(inputs)  # the first run allocates memory
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
    """Return the peak memory of a process in MiB; 0 if the system does not report it.

    Args:
        process: Number of the process, or "self".
    """
    try:  # Linux, Android; `resource` would include the parent's peak
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
    """Translate an image file, or all image files of a folder, one by one.

    Files of a folder that cannot be read are skipped, and named on stderr.

    Args:
        sampler: Sampler of a generator that translates images.
        source: Path of the image file, or of the folder.
        out: Path of the .png file to write. For a folder, path of the output folder,
            which is created if it is missing; its files have the names of the inputs,
            with the ending .png.
        tile: Side of a tile in pixels, see `BaseSampler.translate`.
        overlap: Overlap of the tiles in pixels, see `BaseSampler.translate`.

    Raises:
        SamplerError: If no image can be read, or if `out` cannot be written to, is
            `source`, or contains other images of the same names.
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
            print(shown(f"skipped {given}: {error}"), file=sys.stderr)
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
        raise SamplerError(f"--input={source}: none of the images can be read")
    if folder:
        left = f" ({len(pairs) - made} could not be read)" if made < len(pairs) else ""
        print(f"wrote {made} of {len(pairs)} images to {out}{left}")
    else:
        print(f"wrote {out}")


def _check_png(source: str, out: str) -> str:
    """Check the paths of one image file and its translation; return the latter."""
    if not os.path.isfile(source):
        raise SamplerError(f"--input={source}: no such file or folder")
    if not out.lower().endswith(".png"):
        raise SamplerError(f"--out={out}: expected a name that ends in .png")
    check_out(out)
    if os.path.exists(out) and os.path.samefile(source, out):
        raise SamplerError(
            f"--out={out}: the same file as --input; choose another name"
        )
    return out


def _pairs(source: str, out: str) -> list[tuple[str, str]]:
    """Return the image files of a folder, each with the path of its translation."""
    parent = os.path.dirname(os.path.abspath(out))
    if os.path.isfile(out) or out.lower().endswith(".png"):
        raise SamplerError(f"--out={out}: expected a folder, since --input is a folder")
    writable = out if os.path.isdir(out) else parent
    if not os.path.isdir(writable) or not os.access(writable, os.W_OK):
        raise SamplerError(f"--out={out}: '{writable}' is not a writable folder")
    if os.path.isdir(out) and os.path.samefile(source, out):
        raise SamplerError(
            f"--out={out}: the same folder as --input; choose another folder"
        )
    names = sorted(
        name
        for name in os.listdir(source)
        if name.lower().endswith(ENDINGS) and not name.startswith(".")
    )
    if not names:
        raise SamplerError(
            f"--input={source}: no images; expected files that end in "
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
                f"--out={out}: {target} exists and was not written by keras_gans; "
                "choose another folder"
            )
        found[target] = name
    return [(os.path.join(source, name), target) for target, name in found.items()]


def _is_ours(path: str) -> bool:
    """Return whether an image file records its origin, see `encode`."""
    try:
        with _identify(path) as image:
            return ABOUT_KEY in image.info
    except (OSError, ValueError):
        return False


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description="Generate images from a .tflite file.")
    parser.add_argument("path", help="path of the .tflite file")
    parser.add_argument("--num", type=int, default=16, help="number of samples (16)")
    parser.add_argument(
        "--label", help="name or number of a class (all classes in turn)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the latents, 0 or more (0)"
    )
    parser.add_argument(
        "--truncation",
        default="1.0",
        help="0 to 1 (1.0); for styles, also one number for each layer",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=1.0,
        help="strength of the noise of styles, 0 to 1 (1.0)",
    )
    parser.add_argument(
        "--mix", help="SEED:LAYER takes styles of another seed from a layer on"
    )
    parser.add_argument(
        "--shift", type=float, default=0.0, help="number added to latents (0.0)"
    )
    parser.add_argument("--threshold", type=float, help="bound of latents")
    parser.add_argument(
        "--code", action="append", default=[], help="K:VALUE sets continuous code K"
    )
    parser.add_argument("--input", help="image, or folder of images, to translate")
    enlarged = "/ enlargement"
    parser.add_argument(
        "--tile", type=int, help=f"side of a tile in pixels ({TILE} {enlarged})"
    )
    parser.add_argument(
        "--overlap", type=int, help=f"overlap of tiles in pixels ({OVERLAP} {enlarged})"
    )
    parser.add_argument("--threads", type=int, help="number of threads (all cores)")
    parser.add_argument(
        "--benchmark", action="store_true", help="print speed and memory instead"
    )
    parser.add_argument(
        "--out",
        default="samples.png",
        help="a .png, .gif or .webp file; a folder if --input is one",
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
            raise SamplerError(
                "code: expected K:VALUE; for K:FROM,TO use keras_gans.sample"
            )
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
        name = sampler.class_name(label)
        about = describe(sampler.info, seed=args.seed, label=label, class_name=name)
        save(pictures, args.out, about=about)
    except SamplerError as error:
        print(shown(f"sampler: {error}"), file=sys.stderr)
        return 2
    print(written(args.out, name))
    return 0


if __name__ == "__main__":
    sys.exit(main())

r"""Detect the invisible watermark of `keras_gans.export --watermark` in images.

    python -m keras_gans.watermark image.png --key=my-product
    python -m keras_gans.watermark folder --key=my-product --size=28

This command prints a number p for each image, and for all images together: an upper
bound of the probability that an image without the key's watermark scores as high or
higher. An image with p below 1e-6 is reported as "marked". Pass the side of the
generator's images as --size if the images have been resized, or laid out in a grid by
`keras_gans.sample`.

The watermark is a spread-transform dither modulation (Chen and Wornell 2001,
"Quantization index modulation"). The key chooses signs, and dithers u in [0, 1). The
image's luminance is projected on 64 mixtures of its low frequencies, and each
projection is moved to the nearest (k + u) * step. In an image without the watermark,
the projections have uniform phases relative to the dithers, whatever the image shows.
The score is the sum of cos(2 pi (projection / step - u)), with the mean cosine for
several images. A is the mean of exp(2 pi i projection / step) over the images. Without
the watermark, the score exceeds t with a probability of at most
exp(-t^2 / sum |A|^2), by Chernoff's bound with E exp(x cos) = I_0(x) <= exp(x^2 / 4).
The printed p is this bound.

The watermark of images of 48 pixels or more survives JPEG compression and moderate
resizing. Of smaller images, pass several: together they are found where a single one
may not be. The watermark does not survive crops or rotations, and whoever knows the key
can remove it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image

from keras_gans.cli.run import run_command
from keras_gans.device.sampler import ENDINGS, SamplerError, read
from keras_gans.errors import UserError
from keras_gans.export.watermark import ALPHA, LEAST, detect


def pictures_in(path: str, side: int | None = None) -> np.ndarray:
    """Read the images of a file: a single image, or the cells of a grid.

    Args:
        path: Path of a PNG, JPEG or WebP file.
        side: Side of the generator's images in pixels. A grid of such images is cut
            into its cells; any other image is resized to this side. None keeps the size
            of the image.

    Returns:
        uint8 [num, side, side, 3].

    Raises:
        UserError: If the file cannot be read, or holds neither a square image nor a
            grid.
    """
    try:
        picture = read(path, 3)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    height, width, _ = picture.shape
    if side and max(height, width) > side + 4:
        rows, columns = ((n - 2) / (side + 2) for n in (height, width))
        if rows.is_integer() and columns.is_integer():  # the layout of `sampler.grid`
            cells = picture[2:, 2:].reshape(
                int(rows), side + 2, int(columns), side + 2, 3
            )
            cells = cells.swapaxes(1, 2)[:, :, :side, :side].reshape(-1, side, side, 3)
            drawn = (cells < 255).any(axis=(1, 2, 3))  # the last row may have gaps
            return cells[drawn] if drawn.any() else cells
    if height != width:
        raise UserError(
            f"{path}: expected a square image, or a grid of images with --size, got "
            f"{width}x{height} pixels"
        )
    if side and side != height:
        size = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        picture = np.asarray(size)
    return picture[None]


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flags.DEFINE_string(
        "key", None, "Key that --watermark was given.", flag_values=values
    )
    flags.DEFINE_integer(
        "size", None, "Side of the generator's images in pixels.", flag_values=values
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command(
        "watermark", __doc__, define_flags, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, paths: list[str]) -> None:
    if not paths:
        raise UserError(
            "no image; pass its path, as watermark image.png --key=my-product"
        )
    if values.key is None:
        raise UserError(
            "no key; pass the one that --watermark was given, as --key=my-product"
        )
    if values.size is not None and values.size < LEAST:
        raise UserError(f"--size={values.size}: expected {LEAST} or more")
    _look(_files(paths), values.key, values.size)


def _files(paths: Sequence[str]) -> list[str]:
    files = []
    for path in map(os.path.expanduser, paths):
        if not os.path.isdir(path):
            files.append(path)
            continue
        found = [n for n in sorted(os.listdir(path)) if n.lower().endswith(ENDINGS)]
        if not found:
            raise UserError(f"{path}: no files that end in {', '.join(ENDINGS)}")
        files += [os.path.join(path, name) for name in found]
    return files


def _look(files: Sequence[str], key: str, side: int | None) -> None:
    every = []
    for file in files:
        try:
            pictures = pictures_in(file, side)
        except SamplerError as error:
            raise UserError(f"{file}: {error}") from None
        every.append(pictures)
        many = f", {len(pictures)} images together" * (len(pictures) > 1)
        print(f"{file}: {_verdict(detect(pictures, key))}{many}")
    if len(files) > 1 and len({pictures.shape[1] for pictures in every}) == 1:
        together = np.concatenate(every)
        print(f"all {len(together)} together: {_verdict(detect(together, key))}")


def _verdict(p: float) -> str:
    return f"p = {p:.2g}, {'marked' if p < ALPHA else 'no watermark of this key'}"


if __name__ == "__main__":
    sys.exit(main())

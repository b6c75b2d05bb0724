r"""Looks for the invisible mark of `keras_gans.export --watermark` in pictures.

    python -m keras_gans.watermark picture.png --key=my-product
    python -m keras_gans.watermark folder --key=my-product --size=28

Prints for each picture, and for all of them together, the probability p that a picture
which does not know the key looks as marked as this one, or more; below 1e-6 it says
"marked". --size is the side of the generator's pictures, if these were resized since,
or are laid out in sheets as `keras_gans.sample` does.

The mark is a spread-transform dither modulation (Chen and Wornell 2001, "Quantization
index modulation"): the key chooses signs, and dithers u in [0, 1); the picture's
luminance is projected on 64 mixtures of its low frequencies, and each projection moved
to the nearest (k + u) * step. A picture that does not know the dithers has projections
with uniform phases, whatever it shows. So the sum of cos(2 pi (projection / step - u)),
or for several pictures that of their mean phases A, exceeds t with a probability of at
most exp(-t^2 / sum |A|^2), by Chernoff's bound with E exp(x cos) = I_0(x) <=
exp(x^2 / 4). The p that is shown is this bound.

It withstands JPEG and moderate resizing, not cuts, turns, or who knows the key.
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
    """Reads what a file holds: one picture, or a sheet of them.

    Args:
        path: A PNG, JPEG or WebP file.
        side: That of the generator's pictures: a sheet of such pictures is cut, another
            picture resized. That of the file if not given.

    Returns:
        uint8 [num, side, side, 3].

    Raises:
        UserError: if it cannot be read, or is not square.
    """
    try:
        picture = read(path, 3)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    height, width, _ = picture.shape
    if side and max(height, width) > side + 4:
        rows, columns = ((n - 2) / (side + 2) for n in (height, width))
        if (
            rows.is_integer() and columns.is_integer()
        ):  # as `sampler.grid` lays them out
            cells = picture[2:, 2:].reshape(
                int(rows), side + 2, int(columns), side + 2, 3
            )
            cells = cells.swapaxes(1, 2)[:, :, :side, :side].reshape(-1, side, side, 3)
            drawn = (cells < 255).any(axis=(1, 2, 3))  # the last row may have gaps
            return cells[drawn] if drawn.any() else cells
    if height != width:
        raise UserError(
            f"{path}: expected a square picture, or a sheet of them with --size, got "
            f"{width}x{height}"
        )
    if side and side != height:
        size = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
        picture = np.asarray(size)
    return picture[None]


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("key", None, "The word of --watermark.", flag_values=values)
    flags.DEFINE_integer(
        "size", None, "The side of the generator's pictures.", flag_values=values
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command(
        "watermark", __doc__, define_flags, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, paths: list[str]) -> None:
    if not paths:
        raise UserError("say which picture: watermark picture.png --key=my-product")
    if values.key is None:
        raise UserError("say which key: --key=my-product, as --watermark was given")
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
        many = f", {len(pictures)} pictures together" * (len(pictures) > 1)
        print(f"{file}: {_verdict(detect(pictures, key))}{many}")
    if len(files) > 1 and len({pictures.shape[1] for pictures in every}) == 1:
        together = np.concatenate(every)
        print(f"all {len(together)} together: {_verdict(detect(together, key))}")


def _verdict(p: float) -> str:
    return f"p = {p:.2g}, {'marked' if p < ALPHA else 'no mark of this key'}"


if __name__ == "__main__":
    sys.exit(main())

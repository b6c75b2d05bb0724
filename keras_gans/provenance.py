"""Print the origin of images that this package wrote.

    python -m keras_gans.provenance samples.png

This command prints the origin that each PNG file records, as one line of JSON: the
generator (its name, step and the first digits of its recipe's SHA-256), the seed, the
label, and the IPTC digital source type of images that a trained model has created.
"""

from __future__ import annotations

import json
import os
import sys

from absl import flags

from keras_gans.cli.run import run_command
from keras_gans.device.sampler import ABOUT_KEY, MARK, XMP_KEY
from keras_gans.errors import UserError


def read(path: str) -> dict:
    """Read the origin that a PNG file records.

    Args:
        path: Path of the file.

    Returns:
        The dictionary of `keras_gans.device.sampler.describe`, with the additional key
        "digital_source_type".

    Raises:
        UserError: If the file cannot be read as an image, or records no origin.
    """
    from PIL import Image

    try:
        with Image.open(os.path.expanduser(path)) as image:
            texts = getattr(image, "text", {})  # only PNG files have texts
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "not an image, or damaged"
        raise UserError(f"{path}: {reason}") from None
    try:
        about = dict(json.loads(texts[ABOUT_KEY]).items())
    except (KeyError, ValueError, AttributeError, RecursionError):
        raise UserError(
            f"{path}: records no origin; expected a .png that keras_gans wrote (a "
            "program that saves the file again may drop its origin)"
        ) from None
    marked = MARK in texts.get(XMP_KEY, "")
    return {**about, "digital_source_type": MARK if marked else None}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command(
        "provenance", __doc__, lambda values: None, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, files: list[str]) -> None:
    if not files:
        raise UserError("no image; pass its path, as provenance samples.png")
    for path in files:
        print(json.dumps({"file": path, **read(path)}))


if __name__ == "__main__":
    sys.exit(main())

"""Says where a picture that this package wrote comes from.

    python -m keras_gans.provenance samples.png

Prints what the file says of itself: the generator (name, step and the first digits of
its recipe's SHA-256), seed, label, and the IPTC's mark of what a trained model made.
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
    """Reads where a PNG file comes from.

    Args:
        path: The file.

    Returns:
        What `keras_gans.device.sampler.describe` said, and "digital_source_type".

    Raises:
        UserError: if it is no picture, or says nothing of the kind.
    """
    from PIL import Image

    try:
        with Image.open(os.path.expanduser(path)) as image:
            texts = getattr(image, "text", {})  # only PNG files have them
    except OSError as error:
        reason = error.strerror or "not a picture, or truncated"
        raise UserError(f"{path}: {reason}") from None
    try:
        about = json.loads(texts[ABOUT_KEY])
    except (KeyError, ValueError):
        raise UserError(
            f"{path}: does not say that keras_gans made it (a program that writes it "
            "anew may drop that); expected a .png of sample, or of training"
        ) from None
    marked = MARK in texts.get(XMP_KEY, "")
    return {**about, "digital_source_type": MARK if marked else None}


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command(
        "provenance", __doc__, lambda values: None, _main, argv, takes_words=True
    )


def _main(values: flags.FlagValues, files: list[str]) -> None:
    if not files:
        raise UserError("say which picture: provenance samples.png")
    for path in files:
        print(json.dumps({"file": path, **read(path)}))


if __name__ == "__main__":
    sys.exit(main())

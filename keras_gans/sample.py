r"""Draws pictures from a trained generator.

    python -m keras_gans.sample --source=runs/cgan --label=4 --num=16 --out=four.png

The source is a run's workdir, a SavedModel folder or a .tflite file; the same seed
gives the same picture from each. Walks, as a grid or frame by frame:

    python -m keras_gans.sample --source=runs/cgan --label=4 --interpolate=1 \
        --out=walk.gif
    python -m keras_gans.sample --source=runs/cgan --shift=-1,1 --out=shift.webp
"""

from __future__ import annotations

import math
import os
import sys

import numpy as np
from absl import flags

from keras_gans.command import import_tensorflow, run_command
from keras_gans.errors import UserError
from keras_gans.export import sampler as sampler_lib
from keras_gans.export.sampler import BaseSampler, Sampler


def load(source: str) -> BaseSampler:
    """Opens a trained generator, wherever it is.

    Args:
        source: A run's workdir (its newest checkpoint), a SavedModel folder, or a
            .tflite file, each as this package writes them.

    Returns:
        A sampler: `load(source).sample(16, labels=4, seed=0)` is uint8 [16, height,
        width, channels].

    Raises:
        UserError: if the source is missing or none of the three.
        SamplerError: if a .tflite is truncated or not a generator.
    """
    source = os.path.expanduser(source)
    if source.endswith(".tflite"):
        return Sampler(source)  # without TensorFlow
    if os.path.isfile(os.path.join(source, "saved_model.pb")):
        import_tensorflow()
        from keras_gans.export.saved_model import SavedModelSampler

        return SavedModelSampler(source)
    if os.path.isfile(os.path.join(source, "config.toml")):
        import_tensorflow()
        from keras_gans.building import load_workdir

        return load_workdir(source)
    what = "" if os.path.lexists(source) else " (there is nothing there)"
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder or a .tflite file{what}"
    )


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source", None, "A workdir, a SavedModel folder or a .tflite file.", **flag
    )
    flags.DEFINE_integer(
        "label", None, "The class to draw; all in turn if not given.", **flag
    )
    flags.DEFINE_integer("num", 16, "Pictures, or frames of a walk.", **flag)
    flags.DEFINE_integer("seed", 0, "Chooses the latents; from 0 up.", **flag)
    flags.DEFINE_float(
        "truncation",
        1.0,
        "0 to 1: scales latents towards their mean, for less variety and fewer bad "
        "pictures; 1 leaves them.",
        **flag,
    )
    flags.DEFINE_integer(
        "interpolate",
        None,
        "Walks on the sphere from --seed's first latent to that of this seed.",
        **flag,
    )
    flags.DEFINE_list(
        "shift",
        [],
        "A number: added to every component of every latent. Two, as -1,1: walks "
        "from one shift to the other with --seed's first latent.",
        **flag,
    )
    flags.DEFINE_string(
        "out", "samples.png", "File: .png (a grid), .gif or .webp (frames).", **flag
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("sample", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    if values.source is None:
        raise UserError("say what to draw from: --source=runs/cgan")
    sampler_lib.check_out(values.out)
    try:
        shift = [float(word) for word in values.shift]
    except ValueError:
        shift = [math.nan]
    if len(shift) > 2 or not all(map(math.isfinite, shift)):
        raise UserError(f"--shift={','.join(values.shift)}: expected one number or two")
    if values.interpolate is not None and len(shift) == 2:
        raise UserError("--interpolate and a walk by --shift: expected one of them")
    sampler = load(values.source)
    walk = values.interpolate is not None or len(shift) == 2
    if walk:
        pictures = _walk(sampler, values, shift)
    else:
        pictures = sampler.sample(
            values.num, values.label, values.seed, values.truncation, sum(shift)
        )
    sampler_lib.save(pictures, values.out)
    print(f"wrote {values.out}")


def _walk(sampler: BaseSampler, values: flags.FlagValues, shift: list[float]):
    """Draws the frames of a walk, with one class throughout."""
    if values.num < 2:
        raise UserError(f"--num={values.num}: a walk needs at least 2 frames")
    label = values.label
    if label is None and sampler.info["num_classes"]:
        label = 0
    labels = sampler.labels(values.num, label)
    start = sampler.latents([0], values.seed, values.truncation)[0]
    if len(shift) == 2:
        moves = np.linspace(*shift, values.num, dtype=np.float32)[:, None]
        latents = start + moves
    else:
        end = sampler.latents([0], values.interpolate, values.truncation)[0]
        latents = sampler_lib.slerp(start, end, values.num) + np.float32(sum(shift))
    return sampler_lib.to_uint8(sampler.generate(latents, labels))


if __name__ == "__main__":
    sys.exit(main())

r"""Draws pictures from a trained generator.

    python -m keras_gans.sample --source=runs/cgan --label=4 --num=16 --out=four.png

The source is a run's workdir, a SavedModel folder or a .tflite file; the same seed
gives the same picture from each. Walks, as a grid or frame by frame:

    python -m keras_gans.sample --source=runs/cgan --label=4 --interpolate=1 \
        --out=walk.gif
    python -m keras_gans.sample --source=runs/cgan --shift=-1,1 --out=shift.webp

A continuous code of infogan, a row for each value of its categorical code:

    python -m keras_gans.sample --source=runs/infogan --code=0:-1,1 --num=10

A model that makes pictures from pictures, of any size; a folder becomes a folder:

    python -m keras_gans.sample --source=runs/pix2pix --input=photo.png --out=made.png

By the million, as TFRecord files (or WebDataset's, --format=tar); the same command goes
on where it was broken off, and --only=0:50 leaves the other shards to another machine:

    python -m keras_gans.sample --source=runs/cgan --num=1000000 --shards=100 \
        --out=many
"""

from __future__ import annotations

import math
import os
import sys

import numpy as np
from absl import flags

from keras_gans.cli.run import import_backend, import_tensorflow, run_command
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, Sampler
from keras_gans.errors import UserError
from keras_gans.sampling import shards

CHECKPOINTS = ("newest", "best")


def load(
    source: str, checkpoint: str = "newest", backward: bool = False
) -> BaseSampler:
    """Opens a trained generator, wherever it is.

    Args:
        source: A run's workdir, a SavedModel folder, or a .tflite file, each as this
            package writes them.
        checkpoint: Which one of a workdir's: "newest", or "best" (by KID) of a run
            with train.evaluate_every.
        backward: Of a workdir: the direction from what the model makes to what it is
            made from (cyclegan).

    Returns:
        A sampler: `load(source).sample(16, labels=4, seed=0)` is uint8 [16, height,
        width, channels]; `load(source).translate(picture)`, if the model makes
        pictures from pictures, is uint8 [height, width, channels].

    Raises:
        UserError: if the source is missing or none of the three, or has no other
            direction.
        SamplerError: if a .tflite is truncated or not a generator.
    """
    source = os.path.expanduser(source)
    is_run = os.path.isfile(os.path.join(source, "config.toml"))
    if checkpoint != "newest" and not is_run:
        raise UserError(
            f"--checkpoint={checkpoint}: only a run's workdir has checkpoints, and "
            f"{source} is none"
        )
    if backward and not is_run and os.path.exists(source):
        raise UserError(
            f"--backward: only a run's workdir has both directions, and {source} is "
            "none; its other direction is a file of its own (generator_backward.tflite)"
        )
    if source.endswith(".tflite"):
        return Sampler(source)  # without TensorFlow
    if os.path.isfile(os.path.join(source, "saved_model.pb")):
        import_tensorflow("a SavedModel")
        from keras_gans.export.saved_model import SavedModelSampler

        return SavedModelSampler(source)
    if is_run:
        import_backend()
        from keras_gans.sampling.keras_sampler import load_workdir

        return load_workdir(source, checkpoint, backward)
    what = "" if os.path.lexists(source) else " (there is nothing there)"
    raise UserError(
        f"{source}: expected a workdir, a SavedModel folder or a .tflite file{what}"
    )


def define_checkpoint(values: flags.FlagValues) -> None:
    """Defines the flag that says which checkpoint of a workdir is meant."""
    text = "Of a workdir: newest, or best (by KID, with train.evaluate_every)."
    flags.DEFINE_enum("checkpoint", "newest", CHECKPOINTS, text, flag_values=values)


def define_flags(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source", None, "A workdir, a SavedModel folder or a .tflite file.", **flag
    )
    define_checkpoint(values)
    text = "Number or name of the class to draw; all in turn if not given."
    flags.DEFINE_string("label", None, text, **flag)
    flags.DEFINE_integer("num", 16, "Pictures, or frames of a walk.", **flag)
    flags.DEFINE_integer("seed", 0, "Chooses the latents; from 0 up.", **flag)
    flags.DEFINE_list(
        "truncation",
        ["1.0"],
        "0 to 1: scales latents (of stylegan2: styles) towards their mean, for less "
        "variety and fewer bad pictures; 1 leaves them. Of styles: or one number for "
        "each layer.",
        **flag,
    )
    flags.DEFINE_float(
        "noise", 1.0, "0 to 1: strength of the noise that stylegan2 adds.", **flag
    )
    flags.DEFINE_string(
        "mix",
        None,
        "SEED:LAYER: from this layer on, styles of another seed (stylegan2).",
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
    flags.DEFINE_float(
        "threshold",
        None,
        "Normal latents beyond +-this are drawn again: BigGAN's truncation trick.",
        **flag,
    )
    flags.DEFINE_multi_string(
        "code",
        [],
        "K:VALUE sets the continuous code K of a generator that has some (infogan); "
        "K:FROM,TO walks: as .png a row for each label.",
        **flag,
    )
    flags.DEFINE_string(
        "input", None, "A picture, or a folder of them, to make others from.", **flag
    )
    flags.DEFINE_bool(
        "backward", False, "From B to A, with a model that goes both ways.", **flag
    )
    flags.DEFINE_integer(
        "tile",
        None,
        "Pixels on a side of --input that are made at once, 512 if not given; larger "
        "pictures are made tile by tile.",
        **flag,
    )
    flags.DEFINE_integer(
        "overlap",
        None,
        "Pixels that tiles share at least, and fade into each other; 32 if not given.",
        **flag,
    )
    flags.DEFINE_integer(
        "shards", None, "Writes --num pictures to so many files, in a folder.", **flag
    )
    flags.DEFINE_enum(
        "format",
        "tfrecord",
        tuple(shards.WRITERS),
        "Of --shards: tf.train.Example with image/encoded, image/class/label and "
        "image/index; or .png and .cls files in a .tar.",
        **flag,
    )
    flags.DEFINE_string(
        "only", None, "Of --shards: FIRST:LAST makes these alone, from 0 up.", **flag
    )
    flags.DEFINE_string(
        "out",
        "samples.png",
        "File: .png (a grid), .gif or .webp (frames); a folder of --shards, or if "
        "--input is one.",
        **flag,
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command("sample", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    if values.source is None:
        raise UserError("say what to draw from: --source=runs/cgan")
    sampler_lib.check_flags(name for name in values if values[name].present)
    if values.input is not None:
        sampler = load(values.source, values.checkpoint, values.backward)
        sampler_lib.translate_files(
            sampler, values.input, values.out, values.tile, values.overlap
        )
        return
    if values.shards is None:
        sampler_lib.check_out(values.out)
        for name in ("format", "only"):
            if values[name].present:
                raise UserError(f"--{name} is for --shards=; expected that beside it")
    try:
        shift = [float(word) for word in values.shift]
    except ValueError:
        shift = [math.nan]
    if len(shift) > 2 or not all(map(math.isfinite, shift)):
        raise UserError(f"--shift={','.join(values.shift)}: expected one number or two")
    codes = dict(sampler_lib.parse_code(word) for word in values.code)
    walks = [len(shift) == 2, values.interpolate is not None]
    walks += [len(ends) == 2 for ends in codes.values()]
    if sum(walks) > 1:
        raise UserError(
            "--interpolate, and walks by --shift and --code: expected one of them"
        )
    truncation = sampler_lib.parse_truncation(values.truncation)
    mix = sampler_lib.parse_mix(values.mix)
    sampler = load(values.source, values.checkpoint)
    label = sampler.label(values.label)
    if any(walks):
        if values.shards is not None:
            raise UserError("--shards: expected no walk beside it")
        pictures = _walk(sampler, values, label, shift, codes, truncation, mix)
    else:
        options = {
            "truncation": truncation,
            "shift": sum(shift),
            "threshold": values.threshold,
            "codes": {k: value for k, [value] in codes.items()},
            "noise": values.noise,
            "mix": mix,
        }
        if values.shards is not None:
            _bulk(sampler, values, label, options)
            return
        pictures = sampler.sample(values.num, label, values.seed, **options)
    about = sampler_lib.describe(sampler.info, seed=values.seed, label=label)
    columns = values.num if any(walks[2:]) else None
    sampler_lib.save(pictures, values.out, columns, about)
    print(f"wrote {values.out}")


def _bulk(
    sampler: BaseSampler, values: flags.FlagValues, label: int | None, options: dict
) -> None:
    """Writes shards; options are keywords of `BaseSampler.make`."""
    order = shards.Order(
        values.num, values.shards, values.seed, label, options, values.format
    )
    if not values["out"].present:
        raise UserError("--shards: say which folder they go to: --out=FOLDER")
    only = shards.parse_only(values.only, values.shards)
    shards.run(sampler, order, os.path.expanduser(values.out), only)


def _walk(
    sampler: BaseSampler,
    values: flags.FlagValues,
    label: int | None,
    shift: list[float],
    codes: dict[int, list[float]],
    truncation: float | list[float],
    mix: tuple[int, int] | None,
) -> np.ndarray:
    """Draws the frames of a walk: of one class, or by a code, each class in turn."""
    if values.num < 2:
        raise UserError(f"--num={values.num}: a walk needs at least 2 frames")
    classes = sampler.info["num_classes"]
    sweep = any(len(ends) == 2 for ends in codes.values())
    chosen = [label]
    if label is None and classes:
        chosen = range(classes) if sweep and values.out.endswith(".png") else [0]
    start, *_ = sampler.latents([0], values.seed, truncation, values.threshold)
    if values.interpolate is not None:
        end, *_ = sampler.latents([0], values.interpolate, truncation, values.threshold)
        moves = sum(shift)
        latents = sampler_lib.slerp(start, end, values.num) + np.float32(moves)
    else:
        ends = shift if len(shift) == 2 else [sum(shift)] * 2
        moves = np.linspace(*ends, values.num, dtype=np.float32)[:, None]
        latents = start + moves
    options = sampler.options(
        [0], truncation, values.noise, mix, values.threshold, moves
    )
    between = {k: np.linspace(v[0], v[-1], values.num) for k, v in codes.items()}
    latents = sampler.set_codes(latents, between)
    rows = [
        sampler.generate(latents, sampler.labels(values.num, one), options)
        for one in chosen
    ]
    return sampler_lib.to_uint8(np.concatenate(rows))


if __name__ == "__main__":
    sys.exit(main())

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

import dataclasses
import math
import os
import sys

from absl import flags

from keras_gans.cli.flags import define_checkpoint
from keras_gans.cli.run import run_command
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.errors import UserError
from keras_gans.sampling import shards
from keras_gans.sampling.load import load
from keras_gans.sampling.walks import walk


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
        shift = [float(word) for word in values.shift] or [0.0]
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
    options = SampleOptions(
        seed=values.seed,
        labels=sampler.label(values.label),
        truncation=truncation,
        shift=shift[0],
        threshold=values.threshold,
        codes={k: ends[0] for k, ends in codes.items()},
        noise=values.noise,
        mix=mix,
    )
    if values.shards is not None:
        if any(walks):
            raise UserError("--shards: expected no walk beside it")
        _write_shards(sampler, values, options)
        return
    if any(walks):
        last = dataclasses.replace(
            options,
            seed=values.seed if values.interpolate is None else values.interpolate,
            shift=shift[-1],
            codes={k: ends[-1] for k, ends in codes.items()},
        )
        labels, classes = [options.labels], sampler.info["num_classes"]
        if options.labels is None and classes:
            every = any(walks[2:]) and values.out.endswith(".png")
            labels = range(classes) if every else [0]
        samples = walk(sampler, options, last, values.num, labels)
    else:
        samples = sampler.draw(values.num, options)
    about = sampler_lib.describe(sampler.info, seed=values.seed, label=options.labels)
    columns = values.num if any(walks[2:]) else None
    sampler_lib.save(samples, values.out, columns, about)
    print(f"wrote {values.out}")


def _write_shards(
    sampler: BaseSampler, values: flags.FlagValues, options: SampleOptions
) -> None:
    plan = shards.ShardPlan(values.num, values.shards, options, values.format)
    if not values["out"].present:
        raise UserError("--shards: say which folder they go to: --out=FOLDER")
    only = shards.parse_only(values.only, values.shards)
    shards.run(sampler, plan, os.path.expanduser(values.out), only)


if __name__ == "__main__":
    sys.exit(main())

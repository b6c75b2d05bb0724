r"""Sample images from a trained generator.

    python -m keras_gans.sample --source=runs/cgan --label=4 --num=16 --out=four.png

The source is a run's workdir, a SavedModel folder or a .tflite file. The same seed
gives the same image from each of them. A walk from one latent to another is written as
a grid (.png) or as an animation (.gif or .webp):

    python -m keras_gans.sample --source=runs/cgan --label=4 --interpolate=1 \
        --out=walk.gif
    python -m keras_gans.sample --source=runs/cgan --shift=-1,1 --out=shift.webp

A walk along a continuous code of infogan has a row for each value of its categorical
code:

    python -m keras_gans.sample --source=runs/infogan --code=0:-1,1 --num=10

A translation takes an image of any size, or a folder of images, and writes an image or
a folder:

    python -m keras_gans.sample --source=runs/pix2pix --input=photo.png --out=made.png

Millions of images are written as TFRecord files, or with --format=tar as tar files for
WebDataset. The same command continues after an interruption. --only=0:50 writes the
first 50 files and leaves the others to another machine:

    python -m keras_gans.sample --source=runs/cgan --num=1000000 --shards=100 \
        --out=many
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys

from absl import flags

from keras_gans.cli.flags import define_allow_code, define_checkpoint
from keras_gans.cli.run import run_command
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.errors import UserError
from keras_gans.sampling import shards
from keras_gans.sampling.load import load
from keras_gans.sampling.walks import walk


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flag = {"flag_values": values}
    flags.DEFINE_string(
        "source", None, "Workdir, SavedModel folder or .tflite file.", **flag
    )
    define_checkpoint(values)
    define_allow_code(values)
    text = "Name or number of the class; all classes in turn if not given."
    flags.DEFINE_string("label", None, text, **flag)
    flags.DEFINE_integer("num", 16, "Number of images, or of frames of a walk.", **flag)
    flags.DEFINE_integer("seed", 0, "Seed of the latents, 0 or more.", **flag)
    flags.DEFINE_list(
        "truncation",
        ["1.0"],
        "Scale of the latents towards their mean, 0 to 1: lower values give less "
        "variety and fewer bad images. For stylegan2 of the styles, also one a layer.",
        **flag,
    )
    flags.DEFINE_float(
        "noise", 1.0, "Strength of the noise that stylegan2 adds, 0 to 1.", **flag
    )
    flags.DEFINE_string(
        "mix",
        None,
        "SEED:LAYER: the styles from this layer on are those of another seed "
        "(stylegan2).",
        **flag,
    )
    flags.DEFINE_integer(
        "interpolate",
        None,
        "Seed of the last latent of a walk on the sphere, which starts at the first "
        "latent of --seed.",
        **flag,
    )
    flags.DEFINE_list(
        "shift",
        [],
        "One number: a shift added to every component of every latent. Two numbers, "
        "such as -1,1: a walk from one shift to the other, at the first latent of "
        "--seed.",
        **flag,
    )
    flags.DEFINE_float(
        "threshold",
        None,
        "Bound of normal latents; values beyond +-threshold are drawn again (BigGAN's "
        "truncation trick).",
        **flag,
    )
    flags.DEFINE_multi_string(
        "code",
        [],
        "K:VALUE: value of the continuous code K of a generator with codes (infogan). "
        "K:FROM,TO: a walk; a .png has a row for each label.",
        **flag,
    )
    flags.DEFINE_string(
        "input", None, "Condition image of a translation, or folder of them.", **flag
    )
    flags.DEFINE_bool(
        "backward",
        False,
        "Whether to translate from B to A, with a model of both directions.",
        **flag,
    )
    flags.DEFINE_integer(
        "tile",
        None,
        "Side in pixels of the parts of --input that are translated one by one. If not "
        "given, 512 divided by the model's enlargement.",
        **flag,
    )
    flags.DEFINE_integer(
        "overlap",
        None,
        "Minimum overlap of neighboring tiles in pixels, where they are blended. If "
        "not given, 32 divided by the model's enlargement.",
        **flag,
    )
    flags.DEFINE_integer(
        "shards",
        None,
        "Number of files to write --num images to, in the folder --out.",
        **flag,
    )
    flags.DEFINE_enum(
        "format",
        "tfrecord",
        tuple(shards.WRITERS),
        "Format of --shards: tfrecord holds tf.train.Example with image/encoded, "
        "image/class/label and image/index; tar holds .png and .cls files.",
        **flag,
    )
    flags.DEFINE_string(
        "only",
        None,
        "Selection of --shards to write: FIRST:LAST, counted from 0 and without LAST, "
        "or one number.",
        **flag,
    )
    flags.DEFINE_string(
        "out",
        "samples.png",
        "File: .png (a grid), .gif or .webp (an animation). With --shards, or if "
        "--input is a folder: a folder.",
        **flag,
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("sample", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    if values.source is None:
        raise UserError(
            "--source: expected a generator; pass for instance --source=runs/cgan"
        )
    sampler_lib.check_flags(name for name in values if values[name].present)
    if values.input is not None:
        sampler = load(
            values.source, values.checkpoint, values.backward, values.allow_code
        )
        sampler_lib.translate_files(
            sampler, values.input, values.out, values.tile, values.overlap
        )
        return
    if values.shards is None:
        sampler_lib.check_out(values.out)
        for name in ("format", "only"):
            if values[name].present:
                raise UserError(
                    f"--{name}: pass --shards=N as well, or leave --{name} out"
                )
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
            "expected one walk at most; use only one of --interpolate, --shift=FROM,TO "
            "and --code=K:FROM,TO"
        )
    truncation = sampler_lib.parse_truncation(values.truncation)
    mix = sampler_lib.parse_mix(values.mix)
    sampler = load(values.source, values.checkpoint, allow_code=values.allow_code)
    label = sampler.label(values.label)
    options = SampleOptions(
        seed=values.seed,
        labels=label,
        truncation=truncation,
        shift=shift[0],
        threshold=values.threshold,
        codes={k: ends[0] for k, ends in codes.items()},
        noise=values.noise,
        mix=mix,
    )
    if values.shards is not None:
        if any(walks):
            raise UserError(
                "--shards: expected no walk; leave out --interpolate, and the second "
                "value of --shift and --code"
            )
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
            label = None if every else 0
        samples = walk(sampler, options, last, values.num, labels)
    else:
        samples = sampler.draw(values.num, options)
    name = sampler.class_name(label)
    about = sampler_lib.describe(
        sampler.info, seed=values.seed, label=options.labels, class_name=name
    )
    columns = values.num if any(walks[2:]) else None
    sampler_lib.save(samples, values.out, columns, about)
    print(sampler_lib.written(values.out, name))


def _write_shards(
    sampler: BaseSampler, values: flags.FlagValues, options: SampleOptions
) -> None:
    plan = shards.ShardPlan(values.num, values.shards, options, values.format)
    if not values["out"].present:
        raise UserError("--shards: expected a folder for the files; pass --out=FOLDER")
    only = shards.parse_only(values.only, values.shards)
    shards.run(sampler, plan, os.path.expanduser(values.out), only)


if __name__ == "__main__":
    sys.exit(main())

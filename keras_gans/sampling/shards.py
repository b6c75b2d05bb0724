"""Sampling of millions of images into shards, on one machine or several.

A shard's images depend only on the generator, the options of the samples and the
images' indices. Shards can therefore be written in any order, on several machines, and
again.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from keras_gans.backend import find_tensorflow
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.errors import UserError, first_line
from keras_gans.recipes.config import differences
from keras_gans.storage import files

MANIFEST = "shards.json"
AHEAD = 2  # batches that wait to be encoded and written


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """Plan of a set of shards.

    Attributes:
        num: Number of samples in all shards together.
        shards: Number of files; their sizes differ by one sample at most.
        options: Options of all samples; one class for all, or all classes in turn.
        format: Format of the files, a key of `WRITERS`.
    """

    num: int
    shards: int
    options: SampleOptions = SampleOptions()
    format: str = "tfrecord"

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            UserError: If there are more shards than samples, or no shard.
        """
        if not 1 <= self.shards <= self.num:
            raise UserError(
                f"--shards={self.shards}: expected 1 to --num={self.num}, at least one "
                "image for each shard"
            )

    def numbers(self, shard: int) -> range:
        """Return the indices of a shard's images."""
        first, last = (self.num * i // self.shards for i in (shard, shard + 1))
        return range(first, last)

    def name(self, shard: int) -> str:
        """Return a shard's file name."""
        return f"samples-{shard:05d}-of-{self.shards:05d}.{self.format}"

    def manifest(self) -> dict:
        """Return this plan's entries for the folder's `shards.json`."""
        options = dataclasses.asdict(self.options)
        return {
            "num": self.num,
            "shards": self.shards,
            "seed": options.pop("seed"),
            "label": options.pop("labels"),
            "options": options,
            "format": self.format,
        }


def run(sampler: BaseSampler, plan: ShardPlan, out: str, only: range) -> None:
    """Write the shards that do not exist yet.

    Args:
        sampler: Generator from noise.
        plan: Plan of the shards.
        out: Folder of the shards, which may hold shards of the same plan.
        only: Indices of the shards to write.

    Raises:
        UserError: If the generator draws points, or the folder holds other files or
            cannot be written to.
        SamplerError: If the generator does not take a seed, label or option.
    """
    sampler.check_takes(pictures=False)
    if sampler.info["image_shape"][-1] not in (1, 3):
        raise UserError(
            f"--shards: expected a generator of images, but {sampler.info['name']} "
            "generates points"
        )
    sampler.make([0], plan.options)  # raises errors before any file is written
    _begin(sampler, plan, out)
    there = 0
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for shard in only:
            path = os.path.join(out, plan.name(shard))
            if os.path.isfile(path):
                there += 1
                continue
            start, numbers = time.monotonic(), plan.numbers(shard)
            encoded = _encoded(sampler, plan, numbers, pool)
            _write_shard(path, plan.format, encoded)
            rate = len(numbers) / (time.monotonic() - start)
            print(f"{path}: {len(numbers)} images, {rate:.0f}/s", flush=True)
    made = len(only) - there
    were = f" ({there} already existed)" if there else ""
    name = sampler.class_name(plan.options.labels)
    out = f"{made} of {plan.shards} shards{were}"
    print(sampler_lib.written(out, name), flush=True)


def _begin(sampler: BaseSampler, plan: ShardPlan, out: str) -> None:
    """Make the folder and write its manifest, or check the manifest that it has."""
    about = sampler_lib.describe(sampler.info)
    export = {key: sampler.info.get(key) for key in ("quantization", "watermark")}
    manifest = {**about, **export, **plan.manifest()}
    manifest = json.loads(json.dumps(manifest))  # as it is read back
    path = os.path.join(out, MANIFEST)
    if os.path.isfile(path):
        files.sweep(out, "samples-", MANIFEST)  # of killed processes
        changed = differences(_read(path), manifest)
        if changed:
            raise UserError(
                f"--out={out}: holds shards of another plan ({'; '.join(changed)}); "
                "pass another folder"
            )
        return
    try:
        os.makedirs(out, exist_ok=True)
        # Another machine may be writing the same manifest.
        others = [name for name in os.listdir(out) if not name.endswith(".tmp")]
        if others not in ([], [MANIFEST]):
            raise UserError(
                f"--out={out}: expected a new or empty folder, or one with {MANIFEST}"
            )
        with files.replacing_shared(path) as temporary, open(temporary, "w") as file:
            file.write(json.dumps(manifest, indent=1) + "\n")
    except files.WriteError:
        raise
    except OSError as error:
        raise UserError(f"--out={out}: {error.strerror}") from None


def _read(path: str) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if isinstance(found, dict):
            return found
    except (OSError, ValueError):
        pass
    raise UserError(f"{path}: not written by --shards; pass another folder with --out")


def _encoded(
    sampler: BaseSampler, plan: ShardPlan, numbers: range, pool: Any
) -> Iterator[tuple[int, int | None, bytes]]:
    """Yield (index, label, PNG) in order; encode while the next batch is generated."""
    waiting: list[list] = []
    classes, only_label = sampler.info["num_classes"], plan.options.labels
    about = sampler_lib.describe(sampler.info, seed=plan.options.seed)

    def label_of(number):
        if not classes:
            return None
        return number % classes if only_label is None else only_label

    def encode(number, picture):
        label = label_of(number)
        of = about | {"index": number} | ({} if label is None else {"label": label})
        return number, label, sampler_lib.encode(picture, of)

    for i in range(0, len(numbers), sampler.at_once):
        batch = numbers[i : i + sampler.at_once]
        pictures = sampler.make(batch, plan.options)
        waiting.append(
            [pool.submit(encode, *pair) for pair in zip(batch, pictures, strict=True)]
        )
        if len(waiting) > AHEAD:
            yield from (future.result() for future in waiting.pop(0))
    for batch in waiting:
        yield from (future.result() for future in batch)


def _write_shard(
    path: str, form: str, encoded: Iterator[tuple[int, int | None, bytes]]
) -> None:
    """Write a shard, which appears under its name only when it is complete."""
    # Two machines may write the same shard at the same time.
    with files.replacing_shared(path) as temporary:
        WRITERS[form](temporary, encoded)


def _write_tfrecord(path: str, encoded: Iterator) -> None:
    find_tensorflow("--format=tfrecord")
    import tensorflow as tf

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    try:
        with tf.io.TFRecordWriter(path) as writer:
            for number, label, png in encoded:
                features = {"image/encoded": png, "image/index": number}
                if label is not None:
                    features["image/class/label"] = label
                made = {name: feature(value) for name, value in features.items()}
                example = tf.train.Example(features=tf.train.Features(feature=made))
                writer.write(example.SerializeToString(deterministic=True))
    except tf.errors.OpError as error:
        raise OSError(first_line(error)) from None


def _write_tar(path: str, encoded: Iterator) -> None:
    """Write a tar file for WebDataset: <index>.png, and <index>.cls with the class."""
    with tarfile.open(path, "w") as archive:
        for number, label, png in encoded:
            members = {"png": png}
            if label is not None:
                members["cls"] = str(label).encode()
            for ending, content in members.items():
                # No time and no owner: the bytes are the same on every machine.
                member = tarfile.TarInfo(f"{number:09d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


WRITERS: dict[str, Callable[[str, Iterator], None]] = {
    "tfrecord": _write_tfrecord,
    "tar": _write_tar,
}


def parse_only(word: str | None, shards: int) -> range:
    """Parse a selection of shards.

    Args:
        word: "FIRST:LAST", counted from 0 and without LAST; or "SHARD" for one shard;
            or None for all shards.
        shards: Number of shards in all.

    Returns:
        Indices of the selected shards.

    Raises:
        UserError: If `word` has another form, or selects a shard out of range.
    """
    if word is None:
        return range(shards)
    first, colon, last = word.partition(":")
    try:
        start = int(first)
        found = range(start, int(last) if colon else start + 1)
    except ValueError:
        found = range(0)
    if not found or not 0 <= found[0] or found[-1] >= shards:
        raise UserError(
            f"--only={word}: expected FIRST:LAST, from 0:1 to {shards - 1}:{shards}, "
            "or one number"
        )
    return found

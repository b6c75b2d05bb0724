"""Pictures by the million: in shards, each of which any machine can make.

A shard's pictures are a function of the generator, the seed and their numbers alone, so
that shards can be made in any order, on several machines, and again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import io
import json
import os
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from keras_gans.backend import find_tensorflow
from keras_gans.device import sampler as sampler_lib
from keras_gans.device.sampler import BaseSampler, SampleOptions
from keras_gans.errors import UserError
from keras_gans.recipes.config import differences

MANIFEST = "shards.json"
AHEAD = 2  # batches that wait for being encoded and written


@dataclasses.dataclass(frozen=True)
class ShardPlan:
    """Plan of a set of shards.

    Attributes:
        num: Number of samples in all.
        shards: Number of files; their sizes differ by one sample at most.
        options: Options of all samples; one class for all, or all classes in turn.
        format: One of `WRITERS`.
    """

    num: int
    shards: int
    options: SampleOptions = SampleOptions()
    format: str = "tfrecord"

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for more shards than pictures.
        """
        if not 1 <= self.shards <= self.num:
            raise UserError(
                f"--shards={self.shards}: expected 1 to --num={self.num}, a picture or "
                "more for each"
            )

    def numbers(self, shard: int) -> range:
        """The numbers of a shard's pictures."""
        first, last = (self.num * i // self.shards for i in (shard, shard + 1))
        return range(first, last)

    def name(self, shard: int) -> str:
        """A shard's file name."""
        return f"samples-{shard:05d}-of-{self.shards:05d}.{self.format}"

    def manifest(self) -> dict:
        """Return what the folder's `shards.json` holds of this plan."""
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
    """Makes shards; those that are there stay as they are.

    Args:
        sampler: The generator, from noise.
        plan: Plan of the shards.
        out: A folder, which may hold shards of the same plan.
        only: Which shards.

    Raises:
        UserError: if the folder holds something else, or cannot be written to.
        SamplerError: for a seed, label or option that the generator does not take.
    """
    sampler.check_takes(pictures=False)
    if sampler.info["image_shape"][-1] not in (1, 3):
        raise UserError(f"{sampler.info['name']} makes points; --shards is of pictures")
    sampler.make([0], plan.options)  # a mistake shows before a file is made
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
            print(f"{path}: {len(numbers)} pictures, {rate:.0f}/s", flush=True)
    made = len(only) - there
    were = f" ({there} were there)" if there else ""
    print(f"made {made} of {plan.shards} shards{were}", flush=True)


def _begin(sampler: BaseSampler, plan: ShardPlan, out: str) -> None:
    """Makes the folder and says in it what its shards are, or checks that."""
    about = sampler_lib.describe(sampler.info)
    export = {key: sampler.info.get(key) for key in ("quantization", "watermark")}
    manifest = {**about, **export, **plan.manifest()}
    manifest = json.loads(json.dumps(manifest))  # as it is read back
    path = os.path.join(out, MANIFEST)
    if os.path.isfile(path):
        changed = differences(_read(path), manifest)
        if changed:
            raise UserError(
                f"--out={out}: holds shards of another order ({'; '.join(changed)}); "
                "choose another folder"
            )
        return
    try:
        os.makedirs(out, exist_ok=True)
        # Another machine may be about to write the same.
        others = [name for name in os.listdir(out) if not name.endswith(".tmp")]
        if others not in ([], [MANIFEST]):
            raise UserError(
                f"--out={out}: expected a new or empty folder, or one with {MANIFEST}"
            )
        with _replacing(path) as temporary, open(temporary, "w") as file:
            file.write(json.dumps(manifest, indent=1) + "\n")
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
    raise UserError(f"{path}: not what --shards writes; choose another folder")


def _encoded(
    sampler: BaseSampler, plan: ShardPlan, numbers: range, pool: Any
) -> Iterator[tuple[int, int | None, bytes]]:
    """Yields (number, label, PNG) in order; encodes while the next batch is made."""
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
    """Writes a shard in one step."""
    try:
        with _replacing(path) as temporary:
            WRITERS[form](temporary, encoded)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[str]:
    """Gives a name to write to, which then becomes `path`; a failure leaves nothing.

    Two writers of the same file, on two machines, are not in each other's way.
    """
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.isfile(temporary):
            os.remove(temporary)


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
        raise UserError(f"{path}: {error.message}") from None


def _write_tar(path: str, encoded: Iterator) -> None:
    """As WebDataset reads it: <number>.png, and <number>.cls with the class."""
    with tarfile.open(path, "w") as archive:
        for number, label, png in encoded:
            files = {"png": png}
            if label is not None:
                files["cls"] = str(label).encode()
            for ending, content in files.items():
                # Of no time and no owner: the same bytes wherever it is made.
                member = tarfile.TarInfo(f"{number:09d}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


WRITERS: dict[str, Callable[[str, Iterator], None]] = {
    "tfrecord": _write_tfrecord,
    "tar": _write_tar,
}


def parse_only(word: str | None, shards: int) -> range:
    """Reads "FIRST:LAST", or "SHARD", counted from 0 and LAST left out; None for all.

    Raises:
        UserError: if it is none of them, or out of range.
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

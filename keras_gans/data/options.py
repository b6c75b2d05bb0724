"""What to train on: the `[data]` table of a recipe, and what a set says of itself."""

from __future__ import annotations

import dataclasses
from typing import Literal

from keras_gans.errors import UserError

# What pictures can be made from, that is made of each of them: see `conditions.derive`.
DERIVED = ("outline", "grey", "small2", "small4")


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Where pictures come from and how they are cut.

    Attributes:
        dataset: "digits" or "fashion" (in the package), "ring" or "grid25" (points of a
            mixture of Gaussians), "tfds:NAME" (any image set of TensorFlow Datasets),
            or "folder:PATH" (PNG, JPEG or WebP files, flat or with one sub-folder a
            class). For models that make pictures from pictures: "pairs:A,B" (two
            folders, files of equal names), "pairs:PATH" (A and B side by side in each
            file), "unpaired:A,B" (two folders), "tfds:cycle_gan/NAME", or any other
            set of pictures behind what they are to be made from: "outline:digits",
            "grey:tfds:NAME", "small2:..." or "small4:folder:PATH" (of a half or a
            quarter of the side).
        batch_size: Pictures in an update of the discriminator, over all devices
            together; a step takes hparams.d_steps of them. 0 chooses by the number
            of pictures and their size.
        split: Which split of a TFDS set, in TFDS's own words ("train", "train[:80%]");
            of tfds:cycle_gan "train" or "test", each of A and of B.
        image_size: Height and width in pixels; pictures are resized (antialiased) so
            that the shorter side fits, then cut at the centre. 0 keeps the size of a
            set whose pictures are square and all alike; for a folder it is chosen.
        channels: 1 for grey, 3 for colour, 0 as the set has them. Of two folders those
            of the images; condition images have their own.
        horizontal_flip: Whether each picture is mirrored with probability 1/2.
        random_crop: Pictures are made this many pixels larger on both sides, and cut
            out at a place that is drawn each time.
        unpaired: Whether the condition images of a batch come from other pairs than
            its images, as if no one knew which belong together.
        label_maps: Whether the condition images of pairs are label maps, whose colours
            must not mix when they are resized.
        direction: Of sets with two kinds of pictures, A and B: which is made from
            which.
        held_out: How many pictures are kept out of training, so that the log can say
            what the discriminator makes of them ("held_out_score", beside "real_score"
            of those that it learns from). Drawn once, the same for every seed.
        cache_mib: TFDS sets and folders up to this size after decoding, in MiB, are
            decoded once and kept in memory; larger ones stream from disk.
    """

    dataset: str
    batch_size: int
    split: str = "train"
    image_size: int = 0
    channels: int = 0
    horizontal_flip: bool = False
    random_crop: int = 0
    unpaired: bool = False
    label_maps: bool = False
    direction: Literal["a_to_b", "b_to_a"] = "a_to_b"
    held_out: int = 0
    cache_mib: int = 1024

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            UserError: for a value out of range.
        """
        if self.batch_size < 0:
            raise UserError(
                f"[data] batch_size: expected at least 1, or 0 to have it chosen, got "
                f"{self.batch_size}"
            )
        if self.split != "train" and not self.pictures.startswith("tfds:"):
            raise UserError(
                f"[data] split: only TFDS sets have splits, got '{self.split}' for "
                f"'{self.dataset}'"
            )
        for name in ("image_size", "cache_mib", "held_out", "random_crop"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"[data] {name}: expected 0 or more, got {getattr(self, name)}"
                )
        if self.channels not in (0, 1, 3):
            raise UserError(f"[data] channels: expected 0, 1 or 3, got {self.channels}")
        if self.label_maps and not self.pictures.startswith("pairs:"):
            raise UserError(
                f"[data] label_maps: expected pairs:A,B, got '{self.dataset}'"
            )
        if self.derivation and self.two_kinds:
            raise UserError(
                f"[data] dataset: '{self.pictures}' has condition images of its "
                f"own; leave '{self.derivation}:' away"
            )
        if self.unpaired and not (self.derivation or self.two_kinds):
            raise UserError(
                f"[data] unpaired: '{self.dataset}' has no condition images; expected "
                "pairs:A,B or outline:..., grey:..., small2:..., small4:..."
            )
        if self.direction != "a_to_b" and not self.two_kinds:
            raise UserError(
                f"[data] direction: '{self.dataset}' has no A and B; leave it away"
            )

    @property
    def derivation(self) -> str:
        """What derives conditions from images, one of `DERIVED`; "" for other sets."""
        kind, colon, _ = self.dataset.partition(":")
        return kind if colon and kind in DERIVED else ""

    @property
    def two_kinds(self) -> bool:
        """Whether it is a set of two kinds of pictures, A and B."""
        kinds = "pairs:", "unpaired:", "tfds:cycle_gan/"
        return self.pictures.startswith(kinds)

    @property
    def pictures(self) -> str:
        """`dataset`, without what derives conditions from it."""
        return (
            self.dataset[len(self.derivation) + 1 :]
            if self.derivation
            else self.dataset
        )

    def stored_size(self, side: int) -> int:
        """The side in pixels that pictures of a side are kept at, to be cut."""
        return side + self.random_crop


@dataclasses.dataclass(frozen=True)
class Share:
    """Which rows of every batch are read: an equal part for each worker.

    Attributes:
        index: Of the part.
        count: Number of parts; batches divide by it.
    """

    index: int = 0
    count: int = 1

    def rows(self, batch_size: int) -> slice:
        """The part's rows of a batch."""
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


WHOLE = Share()


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """What a data set says of itself.

    Attributes:
        image_shape: (height, width, channels) of what it yields.
        num_classes: Number of classes; 0 if its batches have no labels.
        class_names: Their names, in order.
        credit: Whose pictures they are, for what is made from them.
        num_examples: Pictures in the split; 0 if it is not known before it is read.
        fingerprint: Changes if a folder's files are others; else empty.
        condition_shape: (height, width, channels) of what its pictures are to be made
            from; () if that is noise.
        unpaired: Whether no one knows which condition belongs to which image.
    """

    image_shape: tuple[int, int, int]
    num_classes: int = 0
    class_names: tuple[str, ...] = ()
    credit: str = ""
    num_examples: int = 0
    fingerprint: str = ""
    condition_shape: tuple[int, ...] = ()
    unpaired: bool = False
